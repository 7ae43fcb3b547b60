"""Signals end the server at once and leave nothing."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import httpx
import pytest
from dev_process import HELLO, MakeWorker, StartDev


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_within_a_second(make_worker: MakeWorker, start_dev: StartDev, number: int) -> None:
    source = """
import asyncio
from workers import Response

async def fetch(request, env, ctx):
    ctx.waitUntil(asyncio.sleep(30))
    if request.url.endswith("/hang"):
        print("hanging")
        await asyncio.sleep(30)
    return Response("x")
"""
    dev = start_dev(folder=make_worker("api", source))
    dev.get("/")
    with socket.create_connection(("127.0.0.1", dev.port)) as hanging:
        hanging.sendall(b"GET /hang HTTP/1.1\r\nHost: localhost\r\n\r\n")
        dev.wait_for("still running")
        status, seconds = dev.stop(number)
        assert (status, seconds < 1) == (0, True)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", dev.port))


def test_a_blocked_event_loop_does_not_stop_the_end(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = HELLO.replace(
        "    return",
        '    import time\n    if request.url.endswith("/block"):\n        time.sleep(60)\n    return',
    )
    dev = start_dev(folder=make_worker("api", source, config="[limits]\ncpu_ms = 300000\n"))
    dev.get("/")
    with socket.create_connection(("127.0.0.1", dev.port)) as blocking:
        blocking.sendall(b"GET /block HTTP/1.1\r\nHost: localhost\r\n\r\n")
        before = time.monotonic()
        while dev.process.poll() is None and time.monotonic() - before < 1 and _is_answering(dev.port):
            pass
        status, seconds = dev.stop()
    assert (status, seconds < 2) == (130, True)


def _is_answering(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", timeout=0.2, trust_env=False)
    except httpx.TimeoutException:
        return False
    return True


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
        await asyncio.sleep(30)
    return Response.new(chunks())
"""
    dev = start_dev(folder=make_worker("api", source))
    with dev.client.stream("GET", "/stream") as response:
        chunks = response.iter_bytes()
        assert next(chunks) == b"first"
        status, seconds = dev.stop()
        assert (status, seconds < 1) == (0, True)
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
    assert dev.stop()[0] == 0
    assert list(scratch.iterdir()) == []
    assert _files(folder) == before
    with pytest.raises(ProcessLookupError):
        os.killpg(dev.process.pid, 0)  # the server led a process group of its own
