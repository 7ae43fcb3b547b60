"""Replays recorded cases inside a real isolate, on any engine of a binding.

    @pytest.mark.parametrize("case", cases_of("kv"))
    def test_recorded_case(case, tmp_path):
        assert replay(case, "kv", lambda: SqliteKVEngine(tmp_path / "kv.sqlite"), engine="sqlite") == {}

A worker runs the steps, with its bindings as any worker has them. What is known to differ is in `gaps`: a step that is
listed there and answers as recorded all the same is a failure too.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from gaps import Gap, gaps_of, patterns_of
from interp import also_accepted, load_cases, misses, not_expressible

from pyworkers.clock import SystemClock
from pyworkers.config import load_project
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.testing.worker import TestWorker

HERE = Path(__file__).parent
CONFIG = HERE / "worker" / "wrangler.toml"
OWN = HERE / "recordings" / "own"
# Area → the binding's kind and the name of its resource in worker/wrangler.toml.
RESOURCES: Final = {"kv": "kv", "d1": "db", "r2": "r2"}
# What the recordings' README calls soft: counted inside SQLite, or different from run to run.
_SOFT: Final = re.compile(r"\.meta\.(rows_read|size_after|last_row_id): |\.message: .* is not of type '")


def cases_of(area: str) -> list[Any]:
    """Return the area's cases, those of the project's own recordings too, as parameters."""
    return [pytest.param(case, id=case["id"]) for case in load_cases(area) + own_cases(area)]


def own_cases(area: str) -> list[dict[str, Any]]:
    """Return the cases of the project's own recordings of an area."""
    own = OWN / f"{area}.json"
    cases: list[dict[str, Any]] = json.loads(own.read_text())["cases"] if own.is_file() else []
    return cases


def replay(case: Mapping[str, Any], area: str, make_engine: Callable[[], Any], *, engine: str) -> dict[int, Any]:
    """Run a case on a new engine; return ``{step index: [what is wrong]}``.

    Args:
        make_engine: called inside the event loop; the engine is closed afterwards.
        engine: its short name, which gaps are listed under.
    """
    results = asyncio.run(_run(case["steps"], area, make_engine))
    return verdict(case, area, results, engine=engine)


def verdict(case: Mapping[str, Any], area: str, results: list[Any], *, engine: str) -> dict[int, Any]:
    """Compare results with the recorded ones, gaps apart."""
    for pattern in patterns_of(f"{area}:{engine}"):
        case = {**case, "results": _without(pattern, case["results"])}
        results = _without(pattern, results)
    found = {
        index: [line for line in lines if not _SOFT.search(line)]
        for index, lines in misses(case, results, accept=_accepted()).items()
        if f"{case['id']}#{index}" not in _inexpressible()
    }
    gaps = gaps_of(f"{area}:{engine}", case["id"])
    wrong = {index: lines for index, lines in found.items() if lines and index not in gaps}
    for index, gap in gaps.items():
        if not found.get(index) and not gap.may_pass:
            wrong[index] = [f"answers as recorded, though {gap.id} in recordings/gaps.json says that it cannot"]
    return wrong


async def _run(steps: Any, area: str, make_engine: Callable[[], Any]) -> list[Any]:
    clock = SystemClock()
    project = load_project(HERE, [CONFIG])
    stores = Stores(None, project, clock)
    engine = make_engine()
    stores.use_engine(area, RESOURCES[area], engine)
    async with Runtime(project, stores, clock=clock) as runtime:
        for error in runtime.load_errors.values():
            raise error
        worker = TestWorker(runtime, project.primary.name)
        response = await worker.fetch("/", method="POST", body=json.dumps(steps))
        results: list[Any] = json.loads(await response.text())
        return results


def _without(pattern: str, value: Any) -> Any:
    if isinstance(value, str):
        return re.sub(pattern, "", value)
    if isinstance(value, list):
        return [_without(pattern, item) for item in value]
    return {name: _without(pattern, item) for name, item in value.items()} if isinstance(value, dict) else value


@cache
def _accepted() -> dict[str, list[Any]]:
    return also_accepted()


@cache
def _inexpressible() -> dict[str, str]:
    return not_expressible()


__all__ = ["Gap", "cases_of", "replay", "verdict"]
