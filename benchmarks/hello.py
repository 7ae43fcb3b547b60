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
        pairs = [(_cpu_us(our_server), _cpu_us(raw_server)) for _ in range(ROUNDS)]
        idle_mb = our_server.rss_mb()
    ratio = statistics.median(ours_us / raw_us for ours_us, raw_us in pairs)
    detail = f"{statistics.median(p[0] for p in pairs):.0f} µs against {statistics.median(p[1] for p in pairs):.0f} µs"
    return [
        Figure("hello: server CPU per request / raw uvicorn", ratio, "×", reach="≤ 2.5", detail=detail),
        Figure("hello: resident memory after the load", idle_mb, "MB", reach="≤ 90"),
    ]


def _cpu_us(server: Server) -> float:
    before = server.cpu_s()
    pound(server.port, "/", clients=CLIENTS, requests=REQUESTS)
    return (server.cpu_s() - before) / REQUESTS * 1e6
