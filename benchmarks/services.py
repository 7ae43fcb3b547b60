"""A call over a service binding, hello to hello, while 16 clients load the server."""

from __future__ import annotations

import asyncio
import json
import statistics
from contextlib import suppress

from benchmarks.load import drive, read_response
from benchmarks.processes import free_port, pyworkers, serving
from benchmarks.report import Figure

CALLS = 300
ROUNDS = 10
CLIENTS = 16


def measure() -> list[Figure]:
    """Have a worker time its own calls."""
    port = free_port()
    command = pyworkers("dev", "-c", "benchmarks/workers/caller/wrangler.toml", "--port", str(port), "--memory")
    with serving(command, port):
        figures = []
        for kind, reach in (("fetch", "≤ 60"), ("rpc", "≤ 40")):
            taken_us = asyncio.run(_loaded(port, kind))
            ordered = sorted(taken_us)
            p99 = ordered[int(len(ordered) * 0.99)]
            figures += [
                Figure(f"service binding {kind}: median a call", statistics.median(taken_us), "µs", reach=reach),
                Figure(f"service binding {kind}: 99th percentile", p99, "µs", reach="< 1000"),
            ]
        return figures


async def _loaded(port: int, kind: str) -> list[float]:
    load = asyncio.create_task(_endless(port))
    await asyncio.sleep(0.2)
    taken: list[float] = []
    for _ in range(ROUNDS):
        taken += await _timings(port, kind)
    load.cancel()
    with suppress(asyncio.CancelledError):
        await load
    return taken


async def _endless(port: int) -> None:
    while True:
        await drive(port, "/", clients=CLIENTS, requests=CLIENTS * 50)


async def _timings(port: int, kind: str) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /{kind}?n={CALLS} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
    body = await read_response(reader)
    writer.close()
    await writer.wait_closed()
    return [float(value) for value in json.loads(body)]
