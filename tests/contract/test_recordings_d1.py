"""Recordings of the real runtime's D1, replayed on every engine."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from interp import also_accepted, build_scope, load_cases, misses, not_expressible, record

from pyworkers.bindings.d1 import D1Database
from pyworkers.engines.d1.sqlite_engine import SqliteD1Engine

CASES = load_cases("d1")
ACCEPTED = also_accepted()
INEXPRESSIBLE = not_expressible()
# What the recordings' README calls soft: counted inside SQLite, or different from run to run.
SOFT = re.compile(r"\.meta\.(rows_read|size_after|last_row_id): ")


async def replay(case: dict[str, Any], path: Path | None) -> list[Any]:
    async with SqliteD1Engine(path) as engine:
        return await record(case["steps"], build_scope({"DB": D1Database(engine)}))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
@pytest.mark.parametrize("place", ["memory", "file"])
def test_recorded_d1_case_answers_as_recorded(case: dict[str, Any], place: str, tmp_path: Path) -> None:
    results = asyncio.run(replay(case, tmp_path / "d1.sqlite" if place == "file" else None))
    found = {
        index: [line for line in lines if not SOFT.search(line)]
        for index, lines in misses(case, results, accept=ACCEPTED).items()
        if f"{case['id']}#{index}" not in INEXPRESSIBLE
    }
    assert {index: lines for index, lines in found.items() if lines} == {}
