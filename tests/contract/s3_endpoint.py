"""An S3 endpoint on this machine: the S3 API of a project of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import boto3
from served_project import on_thread, serve_project

from pyworkers.clock import SystemClock
from pyworkers.engines.r2.s3_client import S3Settings


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
    with on_thread(serve_project(folder, clock=SystemClock(), state=folder / "state")) as served:
        keys = served.control.s3.credentials
        settings = S3Settings(
            endpoint_url=f"http://localhost:{served.port}/cdn-cgi/s3",
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
        with closing(client):
            yield Endpoint(settings, client)
