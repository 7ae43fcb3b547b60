"""Signals end the server at once and leave nothing."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest
from dev_process import HANG_S, HELLO, MakeWorker, StartDev

from pyworkers.server import dev as server_dev


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_within_a_second(make_worker: MakeWorker, start_dev: StartDev, number: int) -> None:
    source = """
import asyncio
from workers import Response

async def fetch(request, env, ctx):
    ctx.waitUntil(asyncio.Event().wait())
    if request.url.endswith("/hang"):
        print("hanging")
        await asyncio.Event().wait()
    return Response("x")
"""
    dev = start_dev(folder=make_worker("api", source))
    dev.get("/")
    with socket.create_connection(("127.0.0.1", dev.port)) as hanging:
        hanging.sendall(b"GET /hang HTTP/1.1\r\nHost: localhost\r\n\r\n")
        dev.wait_for("still running")
        assert dev.stop(number) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", dev.port))


def test_the_end_waits_for_less_than_a_second_in_all() -> None:
    assert server_dev._REQUEST_GRACE_S + server_dev._DRAIN_S < 1
    assert server_dev._BLOCKED_S < 1


def test_a_blocked_event_loop_does_not_stop_the_end(
    make_worker: MakeWorker, start_dev: StartDev, tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked"
    source = HELLO.replace(
        "    return",
        '    if request.url.endswith("/block"):\n        import pathlib, time\n'
        f"        pathlib.Path({str(blocked)!r}).touch()\n        time.sleep(3600)\n    return",
    )
    dev = start_dev(folder=make_worker("api", source, config="[limits]\ncpu_ms = 300000\n"))
    dev.get("/")
    with socket.create_connection(("127.0.0.1", dev.port)) as blocking:
        blocking.sendall(b"GET /block HTTP/1.1\r\nHost: localhost\r\n\r\n")
        deadline_s = time.monotonic() + HANG_S
        while not blocked.exists():
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        assert dev.stop() == 130


def test_nothing_is_left_in_the_project_with_memory(
    make_worker: MakeWorker, start_dev: StartDev, tmp_path: Path
) -> None:
    folder = make_worker("api", HELLO)
    before = _files(tmp_path)
    dev = start_dev("--memory", folder=folder)
    dev.get("/")
    dev.stop()
    assert _files(tmp_path) == before


def _files(folder: Path) -> set[str]:
    return {
        str(Path(base, name).relative_to(folder))
        for base, _, names in os.walk(folder)
        for name in names
        if "__pycache__" not in base
    }


def test_a_stream_that_ctrl_c_cuts_is_shown_as_cut(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = """
import asyncio
from js import Response
from pyodide.ffi import to_js

async def fetch(request, env):
    async def chunks():
        yield to_js(b"first")
        await asyncio.Event().wait()
    return Response.new(chunks())
"""
    dev = start_dev(folder=make_worker("api", source))
    with dev.client.stream("GET", "/stream") as response:
        chunks = response.iter_bytes()
        assert next(chunks) == b"first"
        assert dev.stop() == 0
    dev.wait_for("GET /stream 200 cut off (")


def test_ctrl_c_leaves_no_process_and_no_temporary_file(
    make_worker: MakeWorker, start_dev: StartDev, tmp_path: Path
) -> None:
    source = HELLO.replace("    return", '    await env.BUCKET.put("key", "value")\n    return')
    folder = make_worker("api", source, config='[[r2_buckets]]\nbinding = "BUCKET"\nbucket_name = "bucket"\n')
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    dev = start_dev("--memory", folder=folder, environ={"TMPDIR": str(scratch)})
    before = _files(folder)
    assert dev.get("/").text == "hello"
    assert dev.stop() == 0
    assert list(scratch.iterdir()) == []
    assert _files(folder) == before
    with pytest.raises(ProcessLookupError):
        os.killpg(dev.process.pid, 0)  # the server led a process group of its own
