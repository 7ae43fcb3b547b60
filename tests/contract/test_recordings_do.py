"""Recordings of the real runtime's Durable Objects, replayed on classes written in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from interp import also_accepted, build_scope, load_cases, misses, not_expressible, record
from loop_time import LoopClock, loop_runner
from replay import own_cases

from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.promise import JsPromise
from pyworkers.js.values import JsObject, JsProxy

HERE = Path(__file__).parent
CASES = load_cases("do") + own_cases("do")
ACCEPTED = also_accepted(is_python=True)
INEXPRESSIBLE = {
    **not_expressible(),
    "do.rpc.errors#9": "the callee is Python: undefined and null both arrive as None",
}

CONFIG = """
name = "recorded"
main = "objects.py"
# The date of the recordings: a later one answers close frames by itself.
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers_314"]

[[durable_objects.bindings]]
name = "DO"
class_name = "Obj"

[[durable_objects.bindings]]
name = "PLAIN"
class_name = "Plain"

[[durable_objects.bindings]]
name = "NOH"
class_name = "NoHandlers"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Obj", "Plain", "NoHandlers"]
"""


@pytest.fixture
def worker_config(tmp_path):
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    (tmp_path / "objects.py").write_text((HERE / "python" / "objects.py").read_text())
    return [tmp_path / "wrangler.toml"]


@pytest.fixture
def clock():
    return LoopClock()


@pytest.fixture
def event_loop_runner():
    with loop_runner() as runner:
        yield runner


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
async def test_recorded_do_case_answers_as_recorded(case: dict[str, Any], runtime: Any) -> None:
    env = runtime.primary.env
    bindings = {name: getattr(env, name) for name in ("DO", "PLAIN", "NOH")}
    number = next((int(name.split("-")[0]) for name in _names(case) if name[0].isdecimal()), CASES.index(case))
    scope = build_scope(bindings, case=number, WS=SocketHelper(), RpcCounter=Counter(100), ctx=None)
    results = [plain_json(result) for result in await record(case["steps"], scope)]
    found = misses(case, results, accept=ACCEPTED)
    assert {index: lines for index, lines in found.items() if f"{case['id']}#{index}" not in INEXPRESSIBLE} == {}


def _names(case: Any) -> list[str]:
    """The names that the recording's results show, from which the case's number can be told."""
    if isinstance(case, dict):
        return [name for value in case.values() for name in _names(value)]
    if isinstance(case, list):
        return [name for value in case for name in _names(value)]
    return [case] if isinstance(case, str) and case.endswith("-a") and case != "{case}-a" else []


def plain_json(value: Any) -> Any:
    """Return a raw result, which came over RPC, as JSON."""
    if isinstance(value, dict):
        return {key: plain_json(item) for key, item in value.items()}
    if isinstance(value, list | JsArray):
        return [plain_json(item) for item in value]
    if isinstance(value, JsObject):
        return {key: plain_json(item) for key, item in value.own_properties().items()}
    return None if value is jsnull else value


class SocketHelper(JsProxy):
    """``WS``: a client's end that collects what it receives."""

    def open(self, stub: Any, url: str) -> JsPromise:
        return JsPromise.run(self._open(stub, url))

    async def _open(self, stub: Any, url: str) -> JsObject:
        options = JsObject({"headers": JsObject({"Upgrade": "websocket"})})
        response = await stub.fetch(url, options)
        socket, messages = response.webSocket, JsArray()
        state = JsObject({"ws": socket, "msgs": messages, "status": response.status})
        if socket in (None, jsnull):
            return state

        def note(event: Any) -> None:
            data = event.data
            if not isinstance(data, str):
                data = JsObject({"binary": data.constructor.name, "size": data.size})
            messages.push(data)

        def closed(event: Any) -> None:
            messages.push(JsObject({"close": event.code, "reason": event.reason, "wasClean": event.wasClean}))

        socket.addEventListener("message", note)
        socket.addEventListener("close", closed)
        socket.accept()
        return state


class Counter(JsProxy, js_name="RpcTarget"):
    """An RpcTarget of the caller's."""

    def __init__(self, count: int) -> None:
        self._count = count

    @property
    def value(self) -> int:
        return self._count

    def increment(self, by: int = 1) -> int:
        self._count += by
        return self._count
