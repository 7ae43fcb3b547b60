"""Hello through `pyworkers dev`: server CPU per request against a raw ASGI application under uvicorn."""

from __future__ import annotations

import statistics
import sys

from benchmarks.load import pound
from benchmarks.processes import Server, free_port, pyworkers, serving
from benchmarks.report import Figure

ROUNDS = 5
REQUESTS = 10_000
CLIENTS = 64


def measure() -> list[Figure]:
    """Measure both servers in turn, several times, so that a change of the machine's speed hits both."""
    raw_port, our_port = free_port(), free_port()
    raw = [
        sys.executable, "-m", "uvicorn", "benchmarks.workers.raw_asgi:app", "--port", str(raw_port),
        "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "error", "--lifespan", "off",
    ]  # fmt: skip
    ours = pyworkers("dev", "-c", "benchmarks/workers/hello/wrangler.toml", "--port", str(our_port), "--memory")
    with serving(raw, raw_port) as raw_server, serving(ours, our_port) as our_server:
        for server in (raw_server, our_server):
            pound(server.port, "/", clients=CLIENTS, requests=1_000)
        servers = our_server, raw_server
        figures = [
            _ratio("hello: server CPU per request / raw uvicorn", servers, sleeps=False, reach="≤ 2.5"),
            _ratio("the same, the server also waking its client", servers, sleeps=True),
        ]
        idle_mb = our_server.rss_mb()
    return [*figures, Figure("hello: resident memory after the load", idle_mb, "MB", reach="≤ 90")]


def _ratio(name: str, servers: tuple[Server, Server], *, sleeps: bool, reach: str = "") -> Figure:
    pairs = [tuple(_cpu_us(server, sleeps=sleeps) for server in servers) for _ in range(ROUNDS)]
    ours_us, raw_us = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(ours / raw for ours, raw in pairs)
    return Figure(name, ratio, "×", reach=reach, detail=f"{ours_us:.0f} µs against {raw_us:.0f} µs")


def _cpu_us(server: Server, *, sleeps: bool) -> float:
    before = server.cpu_s()
    pound(server.port, "/", clients=CLIENTS, requests=REQUESTS, sleeps=sleeps)
    return (server.cpu_s() - before) / REQUESTS * 1e6
