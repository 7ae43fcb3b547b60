"""Recordings of the real runtime's KV, replayed on every engine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from interp import also_accepted, build_scope, load_cases, misses, not_expressible, record

from pyworkers.bindings.kv import KvNamespace
from pyworkers.clock import SystemClock
from pyworkers.engines.kv.sqlite_engine import SqliteKVEngine

CASES = load_cases("kv")
ACCEPTED = also_accepted()
INEXPRESSIBLE = not_expressible()


async def replay(case: dict[str, Any], path: Path | None) -> list[Any]:
    async with SqliteKVEngine(path) as engine:
        return await record(case["steps"], build_scope({"KV": KvNamespace(engine, SystemClock())}))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
@pytest.mark.parametrize("place", ["memory", "file"])
def test_recorded_kv_case_answers_as_recorded(case: dict[str, Any], place: str, tmp_path: Path) -> None:
    results = asyncio.run(replay(case, tmp_path / "kv.sqlite" if place == "file" else None))
    found = misses(case, results, accept=ACCEPTED)
    assert {index: lines for index, lines in found.items() if f"{case['id']}#{index}" not in INEXPRESSIBLE} == {}
