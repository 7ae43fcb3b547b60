"""A real server with a bucket, for clients of the S3 API."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import boto3
import uvloop
from botocore.config import Config

from pyworkers.bindings.r2 import R2Bucket
from pyworkers.clock import SystemClock
from pyworkers.config import load_project
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.server.access import AccessLog
from pyworkers.server.app import App
from pyworkers.server.control import Control
from pyworkers.server.listener import Listener, bind
from pyworkers.server.s3.credentials import Credentials
from pyworkers.server.terminal import Output, Style

T = TypeVar("T")


@dataclass
class S3Server:
    """A server that runs on a thread of its own; ``bucket`` is what a worker finds in ``env``."""

    port: int
    credentials: Credentials
    runtime: Runtime
    bucket: R2Bucket
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/cdn-cgi/s3"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine where the worker would."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(300)

    def client(self, **options: Any) -> Any:
        """Return boto3's client; ``config`` and keys may be replaced."""
        config = Config(retries={"total_max_attempts": 1}).merge(options.pop("config", Config()))
        settings = {
            "endpoint_url": self.url,
            "region_name": "auto",
            "aws_access_key_id": self.credentials.access_key_id,
            "aws_secret_access_key": self.credentials.secret_access_key,
            **options,
        }
        return boto3.session.Session().client("s3", config=config, **settings)


def run_server(project: Path) -> Iterator[S3Server]:
    """Serve a project on a thread while the generator is suspended."""
    ready: list[S3Server] = []
    started, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        sockets, port = bind("127.0.0.1", 0)
        output = Output(StringIO(), level="log", style=Style(enabled=False))
        log = AccessLog(output, several=False)
        config = load_project(project, environ={})
        async with AsyncExitStack() as stack:
            clock = SystemClock()
            stores = Stores(project / "state", config, clock)
            runtime = await stack.enter_async_context(Runtime(config, stores, clock=clock))
            control = Control(runtime, log)
            listener = Listener(App(runtime, log, control), sockets)
            await listener.start()
            stack.push_async_callback(listener.stop, 0.2)
            bucket = stores.r2_binding(config.primary.r2_buckets[0])
            ready.append(S3Server(port, control.s3.credentials, runtime, bucket, asyncio.get_running_loop()))
            started.set()
            await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the loop that the server uses
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(30)
    try:
        yield ready[0]
    finally:
        ready[0].loop.call_soon_threadsafe(stop.set)
        thread.join(30)
