"""R2 through a worker's binding: a large object, a listing in a large bucket, small objects.

    python -m benchmarks.r2        # the measurements as JSON, in this process

They run in a process of their own, whose memory tells what a large object costs.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.miniflare import compared
from benchmarks.processes import ROOT
from benchmarks.report import Figure
from pyworkers.clock import SystemClock
from pyworkers.config import load_project
from pyworkers.engines.r2 import R2Attributes
from pyworkers.engines.r2.blobs import StoredBody
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.testing.worker import TestWorker

CONFIG = ROOT / "benchmarks" / "workers" / "objects" / "wrangler.toml"
LARGE_BYTES = 100_000_000
KEYS = 100_000
PIECE = bytes(1_000_000)
_ROUNDS = 7


def measure() -> list[Figure]:
    """Return the figures."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.r2"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return [
        Figure(
            "R2 get of 100 MB, of a file copy's speed",
            found["copy"] / found["read"] * 100,
            "%",
            "≥ 70",
            _compared("read", found),
        ),
        Figure("R2 get of 100 MB, memory", found["read_growth_mb"], "MB", "≤ 32"),
        Figure("R2 put of 100 MB, memory", found["write_growth_mb"], "MB", "≤ 32"),
        Figure("R2 list of 1,000 of 100,000", found["list"] * 1000, "ms", "≤ 20", _compared("list", found)),
        Figure("R2 get of 1 kB", found["get"] * 1e6, "µs", detail=_compared("get", found)),
        Figure("R2 put of 1 kB", found["put"] * 1e6, "µs", detail=_compared("put", found)),
    ]


def _compared(name: str, found: dict[str, float]) -> str:
    return compared(name, found[name], "miniflare_r2.mjs")


# ---- in the process that is measured


async def _measure(folder: Path) -> dict[str, float]:
    project = load_project(ROOT, [CONFIG])
    clock = SystemClock()
    async with Runtime(project, Stores(folder, project, clock), clock=clock) as runtime:
        engine: Any = runtime.stores.engine("r2", "bench")
        worker = TestWorker(runtime, "objects")
        await engine.put("large", _body(2 * len(PIECE)), attributes=R2Attributes())
        await worker.read(1)
        before = _peak_mb()
        await engine.put("large", _body(LARGE_BYTES), attributes=R2Attributes())
        written = _peak_mb()
        await worker.read(1)
        read = _peak_mb()
        await asyncio.to_thread(_fill, await engine.store())
        times: dict[str, list[float]] = {"read": [], "copy": [], "list": []}
        blob = _largest_blob(folder)
        for _ in range(_ROUNDS):  # one after the other, so that both meet the same noise
            times["read"].append(await worker.read(1))
            times["copy"].append(await asyncio.to_thread(_copy, blob, folder / "copy"))
            times["list"].append(await worker.list(3))
        figures = {name: median(found) for name, found in times.items()}
        figures |= {"get": await worker.get(2000), "put": await worker.put(1000)}
        return {**figures, "write_growth_mb": written - before, "read_growth_mb": read - written}


async def _body(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // len(PIECE)):
        yield PIECE


def _fill(store: Any) -> None:
    body = StoredBody(1000, {"md5": bytes(16)}, data=bytes(1000))
    with store.writing() as database:
        for number in range(KEYS):
            store.write_object(database, store.new_object(f"key-{number:06}", 1000, "0" * 32, R2Attributes()), body)


def _largest_blob(folder: Path) -> Path:
    return max(folder.glob("r2/*/blobs/*/*"), key=lambda file: file.stat().st_size)


def _copy(source: Path, target: Path) -> float:
    started = perf_counter()
    shutil.copyfile(source, target)
    return perf_counter() - started


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) / 1024


def main() -> None:
    """Print the measurements."""
    import uvloop

    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_measure(Path(folder)))))


if __name__ == "__main__":
    main()
