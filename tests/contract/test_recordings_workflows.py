"""Recordings of the real local runtime's Workflows, replayed on a workflow written in Python."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from interp import RECORDINGS, Interpreter, build_scope, load_cases, misses
from loop_time import LoopClock, loop_runner

from pyworkers.js.values import JsObject

HERE = Path(__file__).parent
CASES = json.loads((RECORDINGS / "own" / "workflows.json").read_text())["cases"]
MISC_CASES = [case for case in load_cases("misc") if case["id"].startswith("misc.workflow.")]

CONFIG = """
name = "recorded"
main = "flow.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
workflows = [
    { binding = "WF", name = "flow", class_name = "Flow" },
    { binding = "MISC", name = "misc", class_name = "MiscFlow" },
]
"""


@pytest.fixture
def worker_config(tmp_path: Path) -> list[Path]:
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    (tmp_path / "flow.py").write_text((HERE / "python" / "flow.py").read_text())
    return [tmp_path / "wrangler.toml"]


@pytest.fixture
def clock() -> LoopClock:
    return LoopClock()


@pytest.fixture
def event_loop_runner() -> Iterator[asyncio.Runner]:
    with loop_runner() as runner:
        yield runner


async def wait_status(instance: Any, wanted: Any, *, limit_ms: int) -> Any:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + limit_ms / 1000
    while True:
        status = await instance.status()
        if status.status in list(wanted):
            return status
        if loop.time() > end_s:
            return JsObject({"timedOut": True, "s": status})
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in [*CASES, *MISC_CASES]])
async def test_recorded_workflow_case_answers_as_recorded(case: dict[str, Any], runtime: Any) -> None:
    # What never comes to its end need not be waited for as long as it was when it was recorded.
    limit_ms = 1_000 if any("timedOut" in str(result) for result in case["results"]) else 8_000
    interpreter = Interpreter({"waitStatus": partial(wait_status, limit_ms=limit_ms)})
    env = runtime.primary.env
    scope = build_scope({"WF": env.MISC if case in MISC_CASES else env.WF})
    assert misses(case, await interpreter.record(case["steps"], scope)) == {}
