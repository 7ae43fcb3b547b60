"""Durable Objects: a call of an object that is in memory, what an object in memory takes, and what an idle one does."""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

from benchmarks.report import Figure
from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.pyodide.suspension import suspendable
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

T = TypeVar("T")
CONFIG = Path(__file__).parent / "workers" / "durable" / "wrangler.toml"
CALLS = 2_000
OBJECTS = 10_000


def measure() -> list[Figure]:
    """Run a project with durable state, and time calls from its own worker."""
    return inside_worker(_measure)


def inside_worker(work: Callable[[Runtime, ManualClock, Path], Coroutine[Any, Any, T]]) -> T:
    """Run ``work`` as code of the project's own worker; it gets the runtime, its clock and the folder of its data."""

    async def main() -> T:
        with tempfile.TemporaryDirectory() as folder:
            clock = ManualClock()
            project = load_project(CONFIG.parent, [CONFIG])
            async with Runtime(project, Stores(Path(folder), project, clock), clock=clock) as runtime:
                inside = work(runtime, clock, Path(folder))
                result: T = await suspendable(inside, context=runtime.primary.context.copy())
                return result

    return asyncio.run(main())


async def _measure(runtime: Runtime, clock: ManualClock, _folder: Path) -> list[Figure]:
    return [*await _calls(runtime), *await _memory(runtime, clock)]


async def _calls(runtime: Runtime) -> list[Figure]:
    stub = runtime.primary.sdk._EnvWrapper(runtime.primary.env).COUNTER.getByName("one")
    return [
        Figure("Durable Object: RPC, median a call", await _median_us(lambda: stub.add(1, 2)), "µs", reach="≤ 80"),
        Figure("Durable Object: RPC that reads", await _median_us(stub.read), "µs"),
        Figure("Durable Object: RPC that reads and writes", await _median_us(stub.increment), "µs"),
    ]


async def _median_us(call: Callable[[], Awaitable[Any]]) -> float:
    for _ in range(100):
        await call()
    taken = []
    for _ in range(CALLS):
        started = perf_counter()
        await call()
        taken.append((perf_counter() - started) * 1e6)
    return statistics.median(taken)


async def _memory(runtime: Runtime, clock: ManualClock) -> list[Figure]:
    namespace = runtime.primary.sdk._EnvWrapper(runtime.primary.env).COUNTER
    gc.collect()
    before = resident_bytes()
    for number in range(OBJECTS):
        await namespace.getByName(f"object {number}").increment()
    gc.collect()
    assert runtime.durable_objects.live_count >= OBJECTS
    live_mb = (resident_bytes() - before) / 1e6
    await clock.advance(11)
    gc.collect()
    assert runtime.durable_objects.live_count == 0
    return [
        Figure(f"Durable Object: {OBJECTS:,} in memory, all of which stored", live_mb, "MB", reach="≤ 200"),
        Figure(f"Durable Object: {OBJECTS:,} after 10 idle seconds", (resident_bytes() - before) / 1e6, "MB"),
    ]


def resident_bytes() -> int:
    """Return the memory that the process has at this moment."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
