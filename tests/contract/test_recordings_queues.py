"""Recordings of the real local runtime's queues, replayed on a consumer written in Python."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from interp import RECORDINGS, Interpreter, also_accepted, build_scope, load_cases, misses, not_expressible

from pyworkers.clock import Clock, ManualClock, SystemClock
from pyworkers.config import load_project
from pyworkers.js.promise import JsPromise
from pyworkers.js.values import JsProxy
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

HERE = Path(__file__).parent
OWN = json.loads((RECORDINGS / "own" / "queues.json").read_text())["cases"]
CASES = [*load_cases("queues"), *OWN]
ACCEPTED = also_accepted(is_python=True)
INEXPRESSIBLE = not_expressible()

CONFIG = """
name = "recorded"
main = "queue_consumer.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
[[queues.producers]]
binding = "Q"
queue = "q"
"""
KEYS = {
    "maxBatchSize": "max_batch_size",
    "maxBatchTimeout": "max_batch_timeout",
    "maxRetries": "max_retries",
    "retryDelay": "retry_delay",
}


def write_worker(folder: Path, case: dict[str, Any]) -> Path:
    """Write the worker of a case: producer and consumer of one queue."""
    lines = [CONFIG]
    if "producer" in case:
        lines.append(f"delivery_delay = {case['producer']['deliveryDelay']}\n")
    if "consumer" in case:
        consumer = case["consumer"]
        lines.append('[[queues.consumers]]\nqueue = "q"\n')
        lines += [f"{KEYS[key]} = {value}\n" for key, value in consumer.items() if key in KEYS]
        if consumer.get("deadLetterQueue"):
            lines.append('dead_letter_queue = "q-dlq"\n')
            lines.append('[[queues.consumers]]\nqueue = "q-dlq"\nmax_batch_size = 1\nmax_batch_timeout = 0\n')
    folder = folder / "worker"  # alone in its folder: siblings are looked at for consumers
    folder.mkdir()
    path = folder / "wrangler.toml"
    path.write_text("".join(lines))
    (folder / "queue_consumer.py").write_text((HERE / "python" / "queue_consumer.py").read_text())
    return path


class Logs(JsProxy):
    """``L``: the batches that the consumer got."""

    def __init__(self, runtime: Runtime, wait: Any) -> None:
        self._batches = runtime.primary.namespace.import_module("queue_consumer").LOGS
        self._wait = wait

    def get(self, suffix: str = "") -> Any:
        return Raw(self._batches.get(f"q{suffix}", []))

    def waitBatches(self, count: int, limit_ms: int, suffix: str = "") -> JsPromise:
        return JsPromise.run(self._until(count, limit_ms, suffix))

    async def _until(self, count: int, limit_ms: int, suffix: str) -> Any:
        for _ in range(limit_ms // 50):
            if len(self._batches.get(f"q{suffix}", [])) >= count:
                break
            await self._wait(50)
        return self.get(suffix)


class Raw(JsProxy):
    """A result that is encoded already, as it was at the moment."""

    def __init__(self, value: Any) -> None:
        self.value = escaped(value)


def escaped(value: Any) -> Any:
    """Return a copy in which names are marked that would mean something: the recorder encoded twice."""
    if isinstance(value, dict):
        found = {key: escaped(item) for key, item in value.items()}
        return found if value == {"$undef": True} else {key.replace("$", "\\$"): item for key, item in found.items()}
    return [escaped(item) for item in value] if isinstance(value, list) else value


async def replay(case: dict[str, Any], path: Path, clock: Clock) -> list[Any]:
    project = load_project(path.parent, [path], environ={})
    async with Runtime(project, Stores(None, project, clock), clock=clock) as runtime:
        for error in runtime.load_errors.values():
            raise error

        async def wait(ms: float) -> None:
            if isinstance(clock, ManualClock):
                await clock.advance(ms / 1000)
            else:
                await asyncio.sleep(ms / 1000)

        interpreter = Interpreter({"sleep": lambda ms: JsPromise.run(wait(ms))})
        scope = build_scope(runtime.primary.env.own_properties(), L=Logs(runtime, wait))
        steps = [{**step, "raw": True} if step.get("target") == "L" else step for step in case["steps"]]
        results = await interpreter.record(steps, scope)
        return [{"ok": result["ok"].value} if isinstance(result.get("ok"), Raw) else result for result in results]


def check(case: dict[str, Any], folder: Path, clock: Clock) -> None:
    found = misses(case, asyncio.run(replay(case, write_worker(folder, case), clock)), accept=ACCEPTED)
    assert {index: lines for index, lines in found.items() if f"{case['id']}#{index}" not in INEXPRESSIBLE} == {}


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_recorded_case_of_a_queue_answers_as_recorded(case: dict[str, Any], tmp_path: Path) -> None:
    check(case, tmp_path, ManualClock())


@pytest.mark.slow
@pytest.mark.skipif("PYWORKERS_REAL_TIME" not in os.environ, reason="takes 40 s: set PYWORKERS_REAL_TIME to run it")
@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_recorded_case_of_a_queue_answers_as_recorded_in_real_time(case: dict[str, Any], tmp_path: Path) -> None:
    check(case, tmp_path, SystemClock())
