"""An S3 endpoint on this machine: the S3 API of a project of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import uvloop

from pyworkers.clock import SystemClock
from pyworkers.config import load_project
from pyworkers.engines.r2.s3_client import S3Settings
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.server.access import AccessLog
from pyworkers.server.app import App
from pyworkers.server.control import Control
from pyworkers.server.listener import Listener, bind
from pyworkers.server.terminal import Output, Style


@dataclass
class Endpoint:
    """The endpoint; each `new_bucket` is empty."""

    settings: S3Settings
    client: Any
    numbers: Iterator[int] = field(default_factory=count)

    def new_bucket(self) -> str:
        name = f"bucket-{next(self.numbers)}"
        self.client.create_bucket(Bucket=name)
        return name


def run_endpoint(folder: Path) -> Iterator[Endpoint]:
    """Serve an endpoint on a thread while the generator is suspended."""
    (folder / "wrangler.toml").write_text('name = "main"\nmain = "entry.py"\ncompatibility_date = "2026-04-01"\n')
    (folder / "entry.py").write_text("async def fetch(request, env):\n    return None\n")
    ready: list[tuple[int, Control, asyncio.AbstractEventLoop]] = []
    started, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        sockets, port = bind("127.0.0.1", 0)
        log = AccessLog(Output(StringIO(), style=Style(enabled=False)), several=False)
        project = load_project(folder, environ={})
        async with AsyncExitStack() as stack:
            clock = SystemClock()
            stores = Stores(folder / "state", project, clock)
            runtime = await stack.enter_async_context(Runtime(project, stores, clock=clock))
            control = Control(runtime, log)
            listener = Listener(App(runtime, log, control), sockets)
            await listener.start()
            stack.push_async_callback(listener.stop, 0.2)
            ready.append((port, control, asyncio.get_running_loop()))
            started.set()
            await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the loop that the server uses
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(30)
    port, control, loop = ready[0]
    keys = control.s3.credentials
    settings = S3Settings(
        endpoint_url=f"http://localhost:{port}/cdn-cgi/s3",
        access_key_id=keys.access_key_id,
        secret_access_key=keys.secret_access_key,
    )
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name="auto",
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
    )
    try:
        yield Endpoint(settings, client)
    finally:
        client.close()
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
