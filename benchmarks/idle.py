"""100,000 idle Durable Objects: what they cost in memory and on the disk, and what it takes to wake one.

Not among the measurements that run by default: it makes 100,000 databases.
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.durable import inside_worker, resident_bytes
from benchmarks.report import Figure
from pyworkers.clock import ManualClock
from pyworkers.runtime.runtime import Runtime

OBJECTS = 100_000
# So many are made before the clock is moved on by more than an object stays in memory.
AT_ONCE = 10_000
WOKEN = 200


def measure() -> list[Figure]:
    """Make objects that store something, let them be evicted, and wake some of them."""
    return inside_worker(_measure)


async def _measure(runtime: Runtime, clock: ManualClock, folder: Path) -> list[Figure]:
    namespace = runtime.primary.sdk._EnvWrapper(runtime.primary.env).COUNTER
    # What a full memory needs once stays with the process: idle ones are counted from there.
    await _make(runtime, namespace, clock, range(AT_ONCE))
    before = resident_bytes()
    started = perf_counter()
    for first in range(AT_ONCE, OBJECTS, AT_ONCE):
        await _make(runtime, namespace, clock, range(first, min(first + AT_ONCE, OBJECTS)))
        print(f"  {first + AT_ONCE:,} objects, {resident_bytes() / 1e6:.0f} MB", file=sys.stderr, flush=True)
    taken_s = perf_counter() - started
    grown_mb = (resident_bytes() - before) / 1e6
    files, disk_bytes = _disk(folder)
    woken = await _wake(namespace)
    each = disk_bytes / OBJECTS / 1000
    return [
        Figure(
            f"Durable Object: {OBJECTS:,} idle, resident memory over that of {AT_ONCE:,}",
            grown_mb,
            "MB",
            detail=f"{before / 1e6:.0f} MB before; {(OBJECTS - AT_ONCE) / taken_s:,.0f} made a second",
        ),
        Figure(
            f"Durable Object: {OBJECTS:,} idle, disk",
            disk_bytes / 1e6,
            "MB",
            detail=f"{each:.1f} KB each, {files:,} files",
        ),
        Figure("Durable Object: an idle one is woken and answers, median", woken, "µs"),
    ]


async def _make(runtime: Runtime, namespace: Any, clock: ManualClock, numbers: range) -> None:
    for number in numbers:
        await namespace.getByName(f"object {number}").increment()
    await clock.advance(11)
    gc.collect()
    assert runtime.durable_objects.live_count == 0


async def _wake(namespace: Any) -> float:
    """Return the median time of a call, in µs; each of the objects knows what it has stored."""
    taken = []
    for number in range(0, OBJECTS, OBJECTS // WOKEN):
        started = perf_counter()
        assert await namespace.getByName(f"object {number}").increment() == 2
        taken.append((perf_counter() - started) * 1e6)
    return statistics.median(taken)


def _disk(folder: Path) -> tuple[int, int]:
    """Return how many files there are, and what they take of the disk, in bytes."""
    files = taken = 0
    for root, _, names in os.walk(folder):
        for name in names:
            files += 1
            taken += (Path(root) / name).stat().st_blocks * 512
    return files, taken
