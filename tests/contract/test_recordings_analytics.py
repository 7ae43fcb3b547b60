"""Recordings of the real local runtime's Analytics Engine binding, replayed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from interp import build_scope, load_cases, misses, record

from pyworkers.bindings.analytics import AnalyticsEngineDataset
from pyworkers.engines.analytics.sqlite_engine import SqliteAnalyticsEngine

CASES = [case for case in load_cases("misc") if case["group"] == "ae"]


async def replay(case: dict[str, Any], path: Path | None) -> list[Any]:
    async with SqliteAnalyticsEngine(path) as engine:
        return await record(case["steps"], build_scope({"AE": AnalyticsEngineDataset(engine, "ds")}))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
@pytest.mark.parametrize("place", ["memory", "file"])
def test_recorded_analytics_case_answers_as_recorded(case: dict[str, Any], place: str, tmp_path: Path) -> None:
    results = asyncio.run(replay(case, tmp_path / "points.sqlite" if place == "file" else None))
    assert misses(case, results) == {}
