"""Recordings of the real runtime's KV, replayed inside an isolate on every engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis_servers import MakeClient, fake_redis
from replay import cases_of, replay

from pyworkers.engines.kv.redis_engine import RedisKVEngine
from pyworkers.engines.kv.sqlite_engine import SqliteKVEngine


@pytest.mark.parametrize("case", cases_of("kv"))
@pytest.mark.parametrize("engine", ["sqlite", "memory"])
def test_recorded_kv_case_answers_as_recorded(case: dict[str, Any], engine: str, tmp_path: Path) -> None:
    path = tmp_path / "kv.sqlite" if engine == "sqlite" else None
    assert replay(case, "kv", lambda: SqliteKVEngine(path), engine=engine) == {}


@pytest.mark.parametrize("case", cases_of("kv"))
def test_recorded_kv_case_answers_as_recorded_on_fakeredis(case: dict[str, Any]) -> None:
    assert replay(case, "kv", on(fake_redis()), engine="redis") == {}


@pytest.mark.parametrize("case", cases_of("kv"))
def test_recorded_kv_case_answers_as_recorded_on_valkey(case: dict[str, Any], valkey: MakeClient) -> None:
    assert replay(case, "kv", on(valkey), engine="redis") == {}


def on(make_client: MakeClient) -> Callable[[], RedisKVEngine]:
    """Return what makes engines on a Redis server."""
    return lambda: RedisKVEngine(make_client(), "ns", owns_client=True)
