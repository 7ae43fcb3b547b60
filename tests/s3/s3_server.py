"""A real server with a bucket, for clients of the S3 API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from served_project import on_thread, serve_project

from pyworkers.bindings.r2 import R2Bucket
from pyworkers.clock import SystemClock
from pyworkers.runtime.runtime import Runtime
from pyworkers.server.s3.credentials import Credentials

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
    with on_thread(_serving(project)) as server:
        yield server


@asynccontextmanager
async def _serving(project: Path) -> AsyncIterator[S3Server]:
    async with serve_project(project, clock=SystemClock(), state=project / "state") as served:
        bucket = served.stores.r2_binding(served.runtime.project.primary.r2_buckets[0])
        yield S3Server(served.port, served.control.s3.credentials, served.runtime, bucket, asyncio.get_running_loop())
