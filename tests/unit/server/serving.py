"""A real server on a free port, with a Python function in the worker's place, and a client of raw bytes."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvloop

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.pyodide.suspension import suspendable
from pyworkers.runtime.events import EVENT, Event
from pyworkers.runtime.metrics import Metrics
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.server.access import AccessLog, Capture
from pyworkers.server.app import App
from pyworkers.server.control import Control
from pyworkers.server.front import WRANGLER, Front
from pyworkers.server.listener import Listener, bind
from pyworkers.server.terminal import Output, Style

Handler = Callable[[Request], Awaitable[Response]]


class FakeIsolate:
    """Hands requests to a function, as part of an event."""

    name = "main"

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.scheduled: list[tuple[str, int]] = []

    def open_event(self, kind: str) -> Event:
        return Event(self, kind)  # type: ignore[arg-type]  # a fake

    async def fetch(self, request: Request, *, event: Event) -> Response:
        token = EVENT.set(event)
        try:
            return await suspendable(self.handler(request), on_wait=event.on_wait)
        finally:
            EVENT.reset(token)

    async def trigger(self, kind: str, payload: Any, *, event: Event) -> None:
        assert kind == event.kind == "scheduled"
        self.scheduled.append((payload.cron, payload.scheduledTime))
        if payload.cron == "throw":
            raise ValueError("cron boom")


class Watched(io.StringIO):
    """A stream that tells when something is written."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = asyncio.Event()

    def write(self, text: str) -> int:
        self.changed.set()
        return super().write(text)


@dataclass
class Server:
    """A running server.

    Attributes:
        stream: what it has written.
    """

    port: int
    stream: Watched

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    async def written(self, text: str) -> None:
        """Wait until a text has been written."""
        await self.written_after(0, text)

    async def written_after(self, position: int, text: str) -> None:
        """Wait until a text has been written behind a position."""
        while text not in self.text[position:]:
            self.stream.changed.clear()
            await asyncio.wait_for(self.stream.changed.wait(), 120)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def raw(self, data: bytes) -> bytes:
        """Send bytes, and return what comes until the server closes."""
        reader, writer = await self.connect()
        try:
            writer.write(data)
            return await reader.read()
        finally:
            await leave(writer)

    async def request(
        self, method: str, path: str, *headers: str, body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers in lower case and the body as it was sent."""
        lines = [f"{method} {path} HTTP/1.1", "Connection: close", *headers]
        if not any(line.lower().startswith("host:") for line in headers):
            lines.append("Host: test.local")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return parse(await self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body))


@dataclass
class Served(Server):
    """A server that has a function in the worker's place."""

    isolate: FakeIsolate
    metrics: Metrics = field(default_factory=Metrics)


@dataclass
class ServedWorker(Server):
    """A server of a real worker."""

    runtime: Runtime


async def leave(writer: asyncio.StreamWriter) -> None:
    """Close a client's connection."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def parse(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Split an answer into status, headers and body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
    return int(first.split(" ")[1]), headers, body


@asynccontextmanager
async def serving(
    handler: Handler, *, hosts: tuple[str, ...] = (), level: str = "log", front: Front = WRANGLER
) -> AsyncIterator[Served]:
    """Serve a function."""
    sockets, port = bind("127.0.0.1", 0)
    isolate = FakeIsolate(handler)
    stream = Watched()
    output = Output(stream, level=level, style=Style(enabled=False))
    log = AccessLog(output, several=False)
    served = Served(port, stream, isolate)
    runtime: Any = SimpleNamespace(
        project=SimpleNamespace(primary=isolate),
        primary=isolate,
        isolates={"main": isolate},
        metrics=served.metrics,
        clock=ManualClock(),
        load_errors={},
    )
    with Capture(output, log):
        app = App(runtime, log, Control(runtime, log, hosts=hosts), front=front)
        listener = Listener(app, sockets, refused=log.refused)
        await listener.start()
        try:
            yield served
        finally:
            await listener.stop(0.2)
            output.close()


@asynccontextmanager
async def serving_worker(folder: Path, source: str, *, level: str = "log") -> AsyncIterator[ServedWorker]:
    """Serve a worker's real code, written into a folder."""
    (folder / "wrangler.toml").write_text(
        'name = "main"\nmain = "entry.py"\ncompatibility_date = "2026-04-01"\n'
        'compatibility_flags = ["python_workers"]\n'
    )
    (folder / "entry.py").write_text(source)
    sockets, port = bind("127.0.0.1", 0)
    stream = Watched()
    output = Output(stream, level=level, style=Style(enabled=False))
    log = AccessLog(output, several=False)
    project = load_project(folder, environ={})
    async with AsyncExitStack() as stack:
        capture = stack.enter_context(Capture(output, log))
        clock = ManualClock()
        runtime = Runtime(project, Stores(None, project, clock), clock=clock, console=capture.console)
        await stack.enter_async_context(runtime)
        listener = Listener(App(runtime, log, Control(runtime, log)), sockets, refused=log.refused)
        await listener.start()
        stack.push_async_callback(listener.stop, 0.2)
        yield ServedWorker(port, stream, runtime)
    output.close()


def run(main: Awaitable[None]) -> None:
    """Run a test's coroutine on the loop that the server uses."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)  # type: ignore[arg-type]  # an awaitable that is a coroutine
