"""Tail: what a tail handler gets of every kind of event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyworkers.js import json as js_json

WORKER = """
import js
from workers import Response, WorkerEntrypoint


class Named(WorkerEntrypoint):
    async def add(self, first, second):
        js.console.log("adding")
        return first + second


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = request.url.split("/", 3)[3].split("?")[0]
        js.console.log("hi", js.JSON.parse('{"a": 1}'), None, 5)
        js.console.error("bad")
        if path == "throw":
            raise ValueError("boom")
        if path == "later":
            async def fail():
                raise ValueError("later boom")
            self.ctx.waitUntil(fail())
        if path == "rpc":
            await self.env.NAMED.add(1, 2)
        return Response("ok", status=404 if path == "missing" else 200)

    async def scheduled(self, controller, env, ctx):
        js.console.log("cron", controller.cron)

    async def queue(self, batch, env, ctx):
        js.console.warn("batch", len(batch.messages))
"""
CONSUMER = """
items = []


async def fetch(request, env):
    pass


async def tail(events, env, ctx):
    items.extend(events)
"""


@pytest.fixture
def worker_config(tmp_path: Path) -> list[Path]:
    for name, source in (("main", WORKER), ("tailer", CONSUMER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "entry.py").write_text(source)
    common = 'main = "entry.py"\ncompatibility_date = "2026-04-01"\n'
    (tmp_path / "main" / "wrangler.toml").write_text(
        f'name = "main"\n{common}'
        'services = [{ binding = "NAMED", service = "main", entrypoint = "Named" }]\n'
        'tail_consumers = [{ service = "tailer" }]\n'
        '[[queues.consumers]]\nqueue = "jobs"\n'
    )
    (tmp_path / "tailer" / "wrangler.toml").write_text(f'name = "tailer"\n{common}')
    return [tmp_path / "main" / "wrangler.toml", tmp_path / "tailer" / "wrangler.toml"]


async def tailed(worker: Any, runtime: Any, clock: Any) -> list[Any]:
    """Return what the tail handler got, as JSON."""
    import json

    await worker.settle()
    await runtime.tails.close()
    return [
        json.loads(js_json.stringify(item)) for item in runtime.isolate("tailer").namespace.import_module("entry").items
    ]


async def test_a_request_is_told_with_logs_and_answer(worker: Any, runtime: Any, clock: Any) -> None:
    await worker.fetch("/missing?key=0123456789abcdef0123456789abcdef", headers={"X-A": "1", "Cookie": "a=b"})
    [item] = await tailed(worker, runtime, clock)
    assert list(item) == [
        "wallTime", "cpuTime", "truncated", "executionModel", "outcome", "scriptName", "diagnosticsChannelEvents",
        "exceptions", "logs", "eventTimestamp", "event",
    ]  # fmt: skip
    now_ms = clock.now_ms()
    assert item["logs"] == [
        {"message": ["hi", {"a": 1}, None, 5], "level": "log", "timestamp": now_ms},
        {"message": ["bad"], "level": "error", "timestamp": now_ms},
    ]
    assert (item["outcome"], item["scriptName"], item["executionModel"]) == ("ok", "main", "stateless")
    request = item["event"]["request"]
    assert (request["url"], request["method"]) == ("http://localhost/missing?key=REDACTED", "GET")
    assert request["headers"] == {"cookie": "REDACTED", "x-a": "1"}
    assert item["event"]["response"] == {"status": 404}
    first = runtime.isolate("tailer").namespace.import_module("entry").items[0]
    assert first.event.request.getUnredacted().headers.cookie == "a=b"
    assert [first.constructor.name, first.event.constructor.name, first.logs[0].constructor.name] == [
        "TraceItem",
        "FetchEventInfo",
        "TraceLog",
    ]


async def test_what_escapes_is_told(worker: Any, runtime: Any, clock: Any) -> None:
    with pytest.raises(ValueError, match="boom"):
        await worker.fetch("/throw")
    [item] = await tailed(worker, runtime, clock)
    assert item["outcome"] == "exception"
    [exception] = item["exceptions"]
    assert exception["name"] == "PythonError"
    assert exception["message"].endswith("ValueError: boom\n")
    assert "response" not in item["event"]


async def test_what_waituntil_raises_is_told_and_leaves_the_outcome(worker: Any, runtime: Any, clock: Any) -> None:
    await worker.fetch("/later")
    [item] = await tailed(worker, runtime, clock)
    assert item["outcome"] == "ok"
    assert item["exceptions"][0]["message"].endswith("ValueError: later boom\n")


async def test_a_call_over_rpc_is_an_event_of_its_own(worker: Any, runtime: Any, clock: Any) -> None:
    await worker.fetch("/rpc")
    called, request = await tailed(worker, runtime, clock)
    assert (called["entrypoint"], called["event"]) == ("Named", {"rpcMethod": "add"})
    assert [log["message"] for log in called["logs"]] == [["adding"]]
    assert request["event"]["response"] == {"status": 200}


async def test_cron_triggers_and_batches_are_told(worker: Any, runtime: Any, clock: Any) -> None:
    await worker.scheduled(cron="* * * * *", scheduled_time_ms=1000)
    await runtime.queues.queue("jobs").send([])
    items = await tailed(worker, runtime, clock)
    assert [item["event"] for item in items] == [{"scheduledTime": 1000, "cron": "* * * * *"}]
    assert [log["message"] for log in items[0]["logs"]] == [["cron", "* * * * *"]]


async def test_a_session_hears_of_a_worker_that_has_no_consumer(worker: Any, runtime: Any) -> None:
    heard: list[Any] = []
    close = runtime.tails.open("tailer", heard.append)
    assert runtime.isolate("tailer").tracer is not None
    close()
    close()
    assert runtime.isolate("tailer").tracer is None
