"""From the start of the process to the first 200, the application with both workers."""

from __future__ import annotations

import statistics
import tempfile
import time
import urllib.request

from benchmarks.processes import free_port, pyworkers, serving
from benchmarks.report import Figure

ROUNDS = 7


def measure() -> list[Figure]:
    """Start the application several times; the first start is not counted, it compiles."""
    with tempfile.TemporaryDirectory() as state:
        started = [_start(state) for _ in range(ROUNDS + 1)][1:]
    return [
        Figure("process start → first 200, both workers", statistics.median(s for s, _ in started), "s", "≤ 0.8"),
        Figure("application: resident memory, idle", statistics.median(mb for _, mb in started), "MB", "≤ 90"),
    ]


def _start(state: str) -> tuple[float, float]:
    port = free_port()
    begin = time.perf_counter()
    with serving(pyworkers("dev", "--port", str(port), "--persist-to", state), port) as server:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as response:
            response.read()
        took = time.perf_counter() - begin
        return took, server.rss_mb()
