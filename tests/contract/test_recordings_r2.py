"""Recordings of the real runtime's R2, replayed on every engine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from interp import also_accepted, build_scope, load_cases, misses, not_expressible, record

from pyworkers.bindings.r2 import R2Bucket
from pyworkers.engines.r2.moto_engine import MotoR2Engine

CASES = load_cases("r2")
ACCEPTED = also_accepted()
INEXPRESSIBLE = not_expressible()


async def replay(case: dict[str, Any], path: Path) -> list[Any]:
    async with MotoR2Engine(path) as engine:
        return await record(case["steps"], build_scope({"R2": R2Bucket(engine)}))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_recorded_r2_case_answers_as_recorded(case: dict[str, Any], tmp_path: Path) -> None:
    found = misses(case, asyncio.run(replay(case, tmp_path / "bucket")), accept=ACCEPTED)
    assert {index: lines for index, lines in found.items() if f"{case['id']}#{index}" not in INEXPRESSIBLE} == {}
