"""Recordings of the real runtime's D1, replayed inside an isolate on every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from replay import cases_of, replay

from pyworkers.engines.d1.sqlite_engine import SqliteD1Engine


@pytest.mark.parametrize("case", cases_of("d1"))
@pytest.mark.parametrize("engine", ["sqlite", "memory"])
def test_recorded_d1_case_answers_as_recorded(case: dict[str, Any], engine: str, tmp_path: Path) -> None:
    path = tmp_path / "d1.sqlite" if engine == "sqlite" else None
    assert replay(case, "d1", lambda: SqliteD1Engine(path), engine=engine) == {}
