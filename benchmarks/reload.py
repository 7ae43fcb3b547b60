"""From saving a worker's file to the first response of the new code."""

from __future__ import annotations

import http.client
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.processes import free_port, pyworkers, serving
from benchmarks.report import Figure

ROUNDS = 15
CONFIG = """
name = "reload"
main = "entry.py"
compatibility_date = "2026-10-01"
compatibility_flags = ["python_workers"]
"""
CODE = 'from workers import Response\n\n\nasync def fetch(request, env):\n    return Response("version {}")\n'


def measure() -> list[Figure]:
    """Save new versions of a worker and poll for their answers."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "wrangler.toml").write_text(CONFIG)
        entry = root / "entry.py"
        entry.write_text(CODE.format(0))
        port = free_port()
        command = pyworkers("dev", "-c", str(root / "wrangler.toml"), "--port", str(port), "--memory")
        with serving(command, port, cwd=root):
            taken = [_change(entry, port, version) for version in range(1, ROUNDS + 1)]
    return [Figure("save → new response: median", statistics.median(taken) * 1000, "ms", reach="≤ 100")]


def _change(entry: Path, port: int, version: int) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    wanted = f"version {version}"
    time.sleep(0.1)  # the previous change has settled
    entry.write_text(CODE.format(version))
    saved = time.perf_counter()
    while True:
        connection.request("GET", "/")
        if connection.getresponse().read().decode() == wanted:
            connection.close()
            return time.perf_counter() - saved
