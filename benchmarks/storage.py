"""What the measurements of storage share: a loaded worker in this process, and bare SQLite beside it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from pyworkers.clock import SystemClock
from pyworkers.config import load_project
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.testing.worker import TestWorker

T = TypeVar("T")
KEYS = 1_000  # as the worker has them
ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "benchmarks" / "workers" / "storage" / "wrangler.toml"


def with_worker(work: Callable[[Any, Path], Awaitable[T]]) -> T:
    """Run ``work`` with the storage worker and the folder of its data, on the event loop that `pyworkers dev` uses."""
    import uvloop

    async def main() -> T:
        with tempfile.TemporaryDirectory() as folder:
            project = load_project(ROOT, [CONFIG])
            clock = SystemClock()
            async with Runtime(project, Stores(Path(folder), project, clock), clock=clock) as runtime:
                return await work(TestWorker(runtime, "storage"), Path(folder))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())
