"""Recordings of the real runtime's web platform, replayed inside an isolate: Headers, Request, Response, URL, streams,
FormData, events, timers and the other globals.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from loop_time import LoopClock
from loop_time import run as run_on_loop_time
from replay import CONFIG, HERE, cases_of, verdict

from pyworkers.config import load_project
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.testing.worker import TestWorker

CASES = cases_of("fetchapi")


@pytest.mark.parametrize("case", CASES)
def test_recorded_fetchapi_case_answers_as_recorded(case: dict[str, Any]) -> None:
    assert verdict(case, "fetchapi", results_by_case()[case["id"]], engine="js") == {}


@cache
def results_by_case() -> dict[str, list[Any]]:
    """Run every case, one after the other, in one worker: they share nothing but its globals."""

    async def run() -> dict[str, list[Any]]:
        clock = LoopClock()
        project = load_project(HERE, [CONFIG])
        async with Runtime(project, Stores(None, project, clock), clock=clock) as runtime:
            worker = TestWorker(runtime, project.primary.name)
            results = {}
            for (case,) in (parameter.values for parameter in CASES):
                response = await worker.fetch("/", method="POST", body=json.dumps(case["steps"]))
                results[case["id"]] = json.loads(await response.text())
            return results

    return run_on_loop_time(run())
