"""Queues: a send through the SDK against the bare write, and messages through one consumer, on SQLite."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import Figure
from pyworkers.clock import SystemClock
from pyworkers.config import load_project
from pyworkers.engines.queues import NewMessage
from pyworkers.engines.queues.sqlite_engine import SqliteQueueEngine
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.testing.worker import TestWorker

WORKER = Path(__file__).with_name("workers") / "queues"
SENDS = 500
ROUNDS = 7
MESSAGES = 20_000


def measure() -> list[Figure]:
    """Have a worker time its sends, in turn with bare ones; then let it consume a full queue."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Figure]:
    sends, bare = await _sends(folder / "sends")
    rate = await _rate(folder / "rate")
    # CPU time, the least of each: what another process takes of the machine is nobody's cost.
    over = min(sends) - min(bare)
    shown = f"{min(sends) * 1e6:.1f} µs in all, the write {min(bare) * 1e6:.1f} µs"
    return [
        Figure("queue send, over the write", over * 1e6, "µs", reach="≤ 40", detail=shown),
        Figure("queue, messages through one consumer", rate, "a second", reach="≥ 5000"),
    ]


async def _sends(folder: Path) -> tuple[list[float], list[float]]:
    sends, bare = [], []
    async with _running(folder) as runtime, SqliteQueueEngine(folder / "bare.sqlite") as engine:
        runtime.queues.queue("jobs").consumer.stop()  # type: ignore[union-attr]  # the worker is its consumer
        worker: Any = TestWorker(runtime, "queues")
        for _ in range(ROUNDS):
            sends.append(await worker.send(SENDS))
            bare.append(await _bare(engine))
    return sends, bare


async def _bare(engine: SqliteQueueEngine) -> float:
    started_s = time.thread_time()
    for number in range(SENDS):
        now_ms = int(time.time() * 1000)
        await engine.send((NewMessage(secrets.token_hex(16), b'{"number":%d}' % number, "json", now_ms, now_ms),))
    return (time.thread_time() - started_s) / SENDS


async def _rate(folder: Path) -> float:
    async with _running(folder) as runtime:
        worker: Any = TestWorker(runtime, "queues")
        started_s = time.perf_counter()
        await worker.fill(MESSAGES)
        while await worker.seen() < MESSAGES:  # noqa: ASYNC110  # the worker tells by RPC alone
            await asyncio.sleep(0.002)
        return MESSAGES / (time.perf_counter() - started_s)


def _running(folder: Path) -> Runtime:
    clock = SystemClock()
    project = load_project(WORKER, environ={})
    return Runtime(project, Stores(folder, project, clock), clock=clock)
