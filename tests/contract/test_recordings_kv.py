"""Recordings of the real runtime's KV, replayed inside an isolate on every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from replay import cases_of, replay

from pyworkers.engines.kv.sqlite_engine import SqliteKVEngine


@pytest.mark.parametrize("case", cases_of("kv"))
@pytest.mark.parametrize("engine", ["sqlite", "memory"])
def test_recorded_kv_case_answers_as_recorded(case: dict[str, Any], engine: str, tmp_path: Path) -> None:
    path = tmp_path / "kv.sqlite" if engine == "sqlite" else None
    assert replay(case, "kv", lambda: SqliteKVEngine(path), engine=engine) == {}
