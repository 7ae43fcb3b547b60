"""Recordings of the real runtime's D1, replayed inside an isolate on every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from replay import cases_of, replay

from pyworkers.engines.d1.aiosqlite_engine import AiosqliteD1Engine
from pyworkers.engines.d1.sqlite_engine import SqliteD1Engine


@pytest.mark.parametrize("case", cases_of("d1"))
@pytest.mark.parametrize("engine", ["sqlite", "memory", "aiosqlite"])
def test_recorded_d1_case_answers_as_recorded(case: dict[str, Any], engine: str, tmp_path: Path) -> None:
    path = None if engine == "memory" else tmp_path / "d1.sqlite"
    make = AiosqliteD1Engine if engine == "aiosqlite" else SqliteD1Engine
    assert replay(case, "d1", lambda: make(path), engine=engine) == {}
