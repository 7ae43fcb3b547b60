"""Calls the command in this process, which saves a start; what needs a process of its own uses `run_command`."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

from pyworkers.cli import main

CONFIG = """name = "data"
main = "entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
[[kv_namespaces]]
binding = "KV"
id = "kv-id"
[[kv_namespaces]]
binding = "BOTH"
id = "both-id"
preview_id = "both-preview"
[[d1_databases]]
binding = "DB"
database_name = "database"
database_id = "11111111-2222-3333-4444-555555555555"
[[r2_buckets]]
binding = "BUCKET"
bucket_name = "bucket"
"""


@dataclass(frozen=True)
class Done:
    """What a command printed, and its status."""

    status: int
    out: str
    err: str


def call(folder: Path, *args: str) -> Done:
    """Run the command in a folder."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    status: object = None
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(args)
        except SystemExit as end:
            status = end.code
    assert isinstance(status, int)
    return Done(status, _text(out), _text(err))


def printed(folder: Path, *args: str) -> str:
    """Run a command that must succeed and say nothing but its output."""
    done = call(folder, *args)
    assert (done.status, done.err) == (0, ""), done
    return done.out


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.detach()
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8", "surrogateescape")
