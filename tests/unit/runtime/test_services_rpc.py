"""What crosses a service binding between Python workers, beyond the recordings: streams, stubs, errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.js.primitives import jsnull
from pyworkers.js.scope import module as js
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject, JsProxy
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.services import RpcStub
from pyworkers.runtime.stores import Stores

TARGET = """
import js
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if "through" in request.url:
            self.ctx.passThroughOnException()
        if "stream" in request.url:
            pull = lambda controller: controller.enqueue(js.TextEncoder.new().encode("x"))
            return js.Response.new(js.ReadableStream.new(pull=pull, cancel=lambda reason: print("cancelled", reason)))
        raise js.TypeError.new("target boom")

    async def readStream(self, stream):
        return await js.Response.new(stream).text()

    async def makeStream(self, text):
        return js.Response.new(text).body

    async def use(self, counter, times):
        for _ in range(times):
            await counter.hit()
        return await counter.total()

    async def adder(self, n):
        return lambda x: x + n

    async def fail(self):
        raise ValueError("no")
"""
CONFIG = (
    'name = "{name}"\nmain = "entry.py"\ncompatibility_date = "2026-11-17"\ncompatibility_flags = ["python_workers"]\n'
)


class Counter(JsProxy, js_name="RpcTarget"):
    """An RpcTarget of the caller."""

    def __init__(self) -> None:
        self._hits = 0

    def hit(self) -> None:
        self._hits += 1

    def total(self) -> int:
        return self._hits


def run(folder: Path, program: Callable[[Any], Awaitable[None]]) -> None:
    for name, source in (("front", "async def fetch(request, env): ..."), ("target", TARGET)):
        (folder / name).mkdir()
        (folder / name / "entry.py").write_text(source)
        bound = '[[services]]\nbinding = "SVC"\nservice = "target"\n' if name == "front" else ""
        (folder / name / "wrangler.toml").write_text(CONFIG.format(name=name) + bound)

    async def main() -> None:
        clock = ManualClock()
        project = load_project(folder, [folder / "front", folder / "target"])
        async with Runtime(project, Stores(None, project, clock), clock=clock) as runtime:
            assert runtime.load_errors == {}
            await program(runtime.isolate("front").env.SVC)

    asyncio.run(main())


async def failure(awaitable: Any) -> JsException:
    with pytest.raises(JsException) as caught:
        await awaitable
    return caught.value


async def pieces(*chunks: bytes, then: Exception | None = None) -> Any:
    for chunk in chunks:
        yield chunk
    if then is not None:
        raise then


def test_streams_of_bytes_cross_both_ways_and_stay_behind_locked(tmp_path: Path) -> None:
    async def program(service: Any) -> None:
        stream = ReadableStream.of_async_iterator(pieces(b"a", b"b"))
        assert await service.readStream(stream) == "ab"
        assert stream.locked or stream.disturbed
        found = await service.makeStream("text")
        assert await js.Response.new(found).text() == "text"

    run(tmp_path, program)


def test_the_body_of_an_answer_to_head_is_cancelled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def program(service: Any) -> None:
        response = await service.fetch("http://h/stream", JsObject({"method": "HEAD"}))
        assert (response.status, response.body) == (200, jsnull)
        assert capsys.readouterr().out == "cancelled None\n"

    run(tmp_path, program)


def test_a_stream_that_fails_is_a_lost_connection_on_the_other_side(tmp_path: Path) -> None:
    async def program(service: Any) -> None:
        stream = ReadableStream.of_async_iterator(pieces(b"a", then=JsException("RangeError", "mid")))
        error = await failure(service.readStream(stream))
        assert (error.name, error.message, getattr(error, "remote", None)) == (
            "Error",
            "ReadableStream received over RPC disconnected prematurely.",
            True,
        )

    run(tmp_path, program)


def test_an_object_of_the_caller_is_used_where_it_lives(tmp_path: Path) -> None:
    async def program(service: Any) -> None:
        counter = Counter()
        assert await service.use(counter, 3) == 3
        assert counter.total() == 3

    run(tmp_path, program)


def test_a_function_comes_as_a_stub_that_can_be_doubled_and_disposed(tmp_path: Path) -> None:
    async def program(service: Any) -> None:
        stub = await service.adder(10)
        double = stub.dup()
        assert (type(stub), type(double)) == (RpcStub, RpcStub)
        stub.dispose()
        assert (await failure(stub(1))).message == "RPC stub used after being disposed."
        with pytest.raises(JsException, match="used after being disposed"):
            stub.dup()
        assert await double(5) == 15

    run(tmp_path, program)


def test_what_a_worker_throws_is_remote(tmp_path: Path) -> None:
    async def program(service: Any) -> None:
        error = await failure(service.fetch("http://t/"))
        assert (error.name, error.message, getattr(error, "remote", None)) == ("TypeError", "target boom", True)
        error = await failure(service.fail())
        assert (error.name, getattr(error, "remote", None)) == ("PythonError", True)
        assert error.message.endswith("ValueError: no\n")

    run(tmp_path, program)


def test_what_is_passed_through_on_exception_is_an_empty_500(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def program(service: Any) -> None:
        response = await service.fetch("http://t/through")
        assert (response.status, await response.text()) == (500, "")

    run(tmp_path, program)
    assert "target boom" in caplog.text


@pytest.mark.parametrize("name", ["env", "ctx"])
def test_env_and_ctx_are_out_of_reach(name: str, tmp_path: Path) -> None:
    async def program(service: Any) -> None:
        for reaching in (getattr(service, name)(), getattr(service, name)):
            error = await failure(reaching)
            text = f'The RPC receiver does not implement the method "{name}".'
            assert (error.name, error.message, getattr(error, "remote", None)) == ("TypeError", text, True)

    run(tmp_path, program)


class Told(logging.Handler):
    """Tells when something is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.told = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        self.told.set()


def test_a_stream_that_holds_no_bytes_is_never_read_and_a_warning_says_so(tmp_path: Path) -> None:
    def start(controller: Any) -> None:
        controller.enqueue("text")

    async def program(service: Any) -> None:
        stream = ReadableStream.js_new(JsObject({"start": start}))
        log, told = logging.getLogger("pyworkers.worker"), Told()
        log.addHandler(told)
        try:
            reading = asyncio.ensure_future(service.readStream(stream))
            await asyncio.wait_for(told.told.wait(), 120)
            assert not reading.done()
            reading.cancel()
        finally:
            log.removeHandler(told)
        assert told.messages == ["a stream that was sent over RPC has other chunks than bytes: it can never be read"]

    run(tmp_path, program)
