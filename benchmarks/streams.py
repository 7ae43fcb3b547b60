"""Streams: events through a service binding, and a large body echoed through two workers against a raw ASGI echo."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import uvloop

from benchmarks.processes import ROOT, Server, free_port, pyworkers, serving
from benchmarks.report import Figure
from pyworkers.clock import SystemClock
from pyworkers.config import load_project
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.testing.worker import TestWorker

EVENTS = 10_000
ROUNDS = 7
BODY_MB = int(os.environ.get("BENCH_BODY_MB", "256"))
PIECE = b"x" * 65_536
CONFIG = "benchmarks/workers/stream_front/wrangler.toml"


def measure() -> list[Figure]:
    """Time both."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        passed, read = runner.run(_events())
    raw = [sys.executable, "-m", "uvicorn", "benchmarks.workers.raw_echo:app", "--log-level", "critical"]
    floor, _ = _echo([*raw, "--port"])
    own, growth_mb = _echo([*pyworkers("dev", "-c", CONFIG, "--memory"), "--port"])
    shown = f"{own:.0f} MB/s against {floor:.0f} MB/s, {BODY_MB} MB"
    return [
        Figure("events passed through a service binding", passed, "/s", reach="≥ 50000"),
        Figure("events of a service binding read by a worker", read, "/s"),
        Figure(
            "body echoed through two workers, of a raw ASGI echo", own / floor * 100, "%", reach="≥ 60", detail=shown
        ),
        Figure("memory that the echo grew by", growth_mb, "MB", reach="≤ 32"),
    ]


async def _events() -> tuple[float, float]:
    """Return how many events a second reach a client in this process, and a worker."""
    project = load_project(ROOT, [ROOT / CONFIG])
    clock = SystemClock()
    async with Runtime(project, Stores(None, project, clock), clock=clock) as runtime:
        worker: Any = TestWorker(runtime, "bench-stream-front")
        passed = [await _passed(worker) for _ in range(ROUNDS)]
        read = [EVENTS / (await worker.count_events(EVENTS))[0] for _ in range(ROUNDS)]
    return statistics.median(passed), statistics.median(read)


async def _passed(worker: Any) -> float:
    started_s = time.perf_counter()
    response = await worker.fetch(f"/events?n={EVENTS}")
    seen = 0
    async for chunk in response.js_object.body.chunks():
        seen += chunk.count(b"\n\n")
    assert seen == EVENTS
    return EVENTS / (time.perf_counter() - started_s)


def _echo(command: Sequence[str]) -> tuple[float, float]:
    """Return the best of three in MB/s, and by how many MB the server grew during the last."""
    port = free_port()
    with serving([*command, str(port)], port) as server:
        speeds = [_once(server, 16)]
        before_mb = server.rss_mb()
        speeds = [_once(server, BODY_MB) for _ in range(3)]
        return max(speeds), server.rss_mb() - before_mb


def _once(server: Server, size_mb: int) -> float:
    size = size_mb * 2**20
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        started_s = time.perf_counter()
        sender = threading.Thread(target=_send, args=(connection, server.port, size))
        sender.start()
        received = _receive(connection)
        sender.join()
        taken_s = time.perf_counter() - started_s
    assert received >= size, received
    return size_mb / taken_s


def _receive(connection: socket.socket) -> int:
    """Read an answer to its end; return the number of bytes after the head."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(1 << 16)
    head, _, rest = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    received, tail = len(rest), rest[-7:]
    while received < int(length[1]) if length else not tail.endswith(b"\r\n0\r\n\r\n"):
        data = connection.recv(1 << 20)
        if not data:
            break
        received += len(data)
        tail = (tail + data[-7:])[-7:]
    return received


def _send(connection: socket.socket, port: int, size: int) -> None:
    head = f"POST /echo HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: {size}\r\n\r\n"
    connection.sendall(head.encode())
    for _ in range(size // len(PIECE)):
        connection.sendall(PIECE)
