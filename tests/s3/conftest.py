"""Fixtures: a project with a bucket, its server and a client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from s3_server import S3Server, run_server


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "wrangler.toml").write_text(
        'name = "main"\nmain = "entry.py"\ncompatibility_date = "2026-04-01"\n'
        'compatibility_flags = ["python_workers"]\n'
        '[[r2_buckets]]\nbinding = "PHOTOS"\nbucket_name = "photos"\n'
    )
    (folder / "entry.py").write_text("async def fetch(request, env):\n    return None\n")
    return folder


@pytest.fixture
def server(project: Path) -> Iterator[S3Server]:
    yield from run_server(project)


@pytest.fixture
def s3(server: S3Server) -> Iterator[Any]:
    client = server.client()
    yield client
    client.close()
