"""A project served on a free port, with the server's own parts around it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TypeVar

import uvloop

from pyworkers.clock import Clock
from pyworkers.config import load_project
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.server.access import AccessLog, Capture
from pyworkers.server.app import App
from pyworkers.server.control import Control
from pyworkers.server.front import WRANGLER, Front
from pyworkers.server.listener import Listener, bind
from pyworkers.server.terminal import Output, Style

T = TypeVar("T")


@dataclass
class ServedProject:
    """What a test needs of a running server."""

    port: int
    runtime: Runtime
    stores: Stores
    control: Control


@asynccontextmanager
async def serve_project(
    folder: Path,
    configs: Sequence[Path] = (),
    *,
    clock: Clock,
    state: Path | None = None,
    front: Front = WRANGLER,
    captures: bool = False,
) -> AsyncIterator[ServedProject]:
    """Serve a project.

    Args:
        state: the folder of its data; None is memory.
        captures: keep to the server what is printed meanwhile, by workers and by tests.
    """
    project = load_project(folder, configs, environ={})
    output = Output(StringIO(), style=Style(enabled=False))
    log = AccessLog(output, several=False)
    sockets, port = bind("127.0.0.1", 0)
    async with AsyncExitStack() as stack:
        console = stack.enter_context(Capture(output, log)).console if captures else None
        stores = Stores(state, project, clock)
        runtime = Runtime(project, stores, clock=clock, console=console)
        await stack.enter_async_context(runtime)
        for error in runtime.load_errors.values():
            raise error
        control = Control(runtime, log)
        listener = Listener(App(runtime, log, control, front=front), sockets)
        await listener.start()
        stack.push_async_callback(listener.stop, 0.2)
        yield ServedProject(port, runtime, stores, control)
    output.close()


@contextmanager
def on_thread(serving: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Hold an asynchronous context open on a thread of its own, in the kind of loop that the server uses."""
    ready: list[tuple[T, asyncio.AbstractEventLoop]] = []
    started, stop = threading.Event(), asyncio.Event()

    async def hold() -> None:
        async with serving as value:
            ready.append((value, asyncio.get_running_loop()))
            started.set()
            await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(hold())

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(30)
    value, loop = ready[0]
    try:
        yield value
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
