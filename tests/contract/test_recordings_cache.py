"""Recordings of the real local runtime's Cache API, replayed on every engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from interp import RECORDINGS, Interpreter, also_accepted, build_scope, load_cases, misses, not_expressible

from pyworkers.bindings.cache import CacheStorage
from pyworkers.clock import ManualClock
from pyworkers.engines.cache.sqlite_engine import SqliteCacheEngine

CASES = load_cases("cache") + json.loads((RECORDINGS / "own" / "cache.json").read_text())["cases"]
ACCEPTED = also_accepted()
INEXPRESSIBLE = not_expressible()


async def replay(case: dict[str, Any], path: Path | None) -> list[Any]:
    clock = ManualClock()
    sleep: Callable[[float], None] = lambda delay_ms: clock.advance(delay_ms / 1000)  # noqa: E731  # typed
    async with SqliteCacheEngine(path, clock=clock) as engine:
        scope = build_scope({}, caches=CacheStorage(lambda: engine, clock))
        return await Interpreter({"sleep": sleep}).record(case["steps"], scope)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
@pytest.mark.parametrize("place", ["memory", "file"])
def test_recorded_cache_case_answers_as_recorded(case: dict[str, Any], place: str, tmp_path: Path) -> None:
    results = asyncio.run(replay(case, tmp_path / "cache.sqlite" if place == "file" else None))
    found = misses(case, results, accept=ACCEPTED)
    assert {index: lines for index, lines in found.items() if f"{case['id']}#{index}" not in INEXPRESSIBLE} == {}
