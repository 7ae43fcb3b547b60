"""Recordings of the real local runtime's service bindings, replayed between workers in Python."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from interp import also_accepted, build_scope, load_cases, misses, not_expressible, record
from loop_time import LoopClock, run
from replay import own_cases
from service_workers.javascript import JavaScriptTarget, LocalTarget

from pyworkers.config import load_project
from pyworkers.runtime.metrics import Metrics
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.services import Fetcher
from pyworkers.runtime.stores import Stores
from pyworkers.testing.worker import TestWorker

CASES = load_cases("services")
OWN = own_cases("services")  # by Python targets what is about fetch, the rest by a double of one in JavaScript
ACCEPTED = also_accepted(is_python=True)
INEXPRESSIBLE = not_expressible()
WORKERS = Path(__file__).parent / "service_workers"


async def replay(case: dict[str, Any]) -> list[Any]:
    clock = LoopClock()
    project = load_project(WORKERS, [WORKERS / name for name in ("main", "target", "old", "empty")], environ={})
    async with Runtime(project, Stores(None, project, clock), clock=clock) as runtime:
        for error in runtime.load_errors.values():
            raise error
        response = await TestWorker(runtime, "main").fetch("/run", method="POST", body=json.dumps(case["steps"]))
        results: list[Any] = json.loads(await response.text())
        return results


def is_expressible(case: dict[str, Any]) -> bool:
    """Tell whether a target in Python can do what the case is about."""
    return f"{case['id']}#*" not in INEXPRESSIBLE


def parameters(cases: Iterable[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in cases]


@pytest.mark.parametrize(
    "case", parameters([*filter(is_expressible, CASES), *(case for case in OWN if case["group"] == "fetch")])
)
def test_recorded_services_case_answers_as_recorded(case: dict[str, Any]) -> None:
    found = misses(case, run(replay(case)), accept=ACCEPTED)
    assert {index: lines for index, lines in found.items() if f"{case['id']}#{index}" not in INEXPRESSIBLE} == {}


@pytest.mark.parametrize(
    "case",
    parameters(
        [*(case for case in CASES if not is_expressible(case)), *(case for case in OWN if case["group"] == "rpc")]
    ),
)
def test_recorded_case_of_a_target_in_javascript_answers_as_recorded(case: dict[str, Any]) -> None:
    target: Any = JavaScriptTarget()
    service = Fetcher(lambda: target, service="target", binding="SVC", metrics=Metrics())
    scope = build_scope({"SVC": service}, Target=LocalTarget(), ctx=None)
    assert misses(case, run(record(case["steps"], scope, hang_after_s=1))) == {}
