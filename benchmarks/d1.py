"""D1 through the SDK and in the engine, against bare SQLite on the same file, and against miniflare."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path
from typing import Any

import apsw

from benchmarks.miniflare import compared
from benchmarks.report import Figure
from benchmarks.storage import KEYS, with_worker
from pyworkers.engines.d1 import D1Statement
from pyworkers.engines.d1.sqlite_engine import SqliteD1Engine

ROUNDS = 9
SELECTS = 300
BATCHES = 20
SELECT = "SELECT id, name, score FROM users WHERE id = ?"
INSERT = "INSERT INTO users (name, score) VALUES (?, ?)"
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
ROWS = [(f"user-{number}", float(number)) for number in range(100)]


def measure() -> list[Figure]:
    """Have a worker time its own calls, in turn with bare ones."""
    return with_worker(_measure)


async def _measure(worker: Any, folder: Path) -> list[Figure]:
    await worker.d1_fill()
    path = folder / "d1" / "bench.sqlite"
    selects, bare_selects, batches, engine_batches, bare_batches = [], [], [], [], []
    async with SqliteD1Engine(path) as engine:
        for _ in range(ROUNDS):
            selects.append(await worker.d1_select(SELECTS))
            bare_selects.append(_bare_select(path))
            batches.append(await worker.d1_batch(BATCHES))
            engine_batches.append(await _engine_batch(engine))
            bare_batches.append(_bare_batch(path))
        waits_ms = sorted(wait_s * 1000 for wait_s in await _waits(worker, engine))
    over_us = (statistics.median(selects) - statistics.median(bare_selects)) * 1e6
    ratio = statistics.median(own / floor for own, floor in zip(engine_batches, bare_batches, strict=True))
    select_s, batch_s, bare_s = map(statistics.median, (selects, batches, bare_batches))
    shown = f"{statistics.median(engine_batches) * 1e6:.0f} µs against {bare_s * 1e6:.0f} µs"
    return [
        Figure("D1 point select over the bare query, SDK path", over_us, "µs", reach="≤ 60"),
        Figure("D1 batch of 100 inserts, engine, against bare", ratio, "×", reach="≤ 2", detail=shown),
        Figure("D1 point select, SDK path", select_s * 1e6, "µs", detail=compared("d1_select", select_s)),
        Figure("D1 batch of 100 inserts, SDK path", batch_s * 1e6, "µs", detail=compared("d1_batch", batch_s)),
        Figure(
            "KV get while a D1 query overruns: 99.9th percentile",
            waits_ms[int(len(waits_ms) * 0.999)],
            "ms",
            reach="≤ 10",
            detail=f"the longest of {len(waits_ms)}: {waits_ms[-1]:.1f} ms",
        ),
    ]


async def _engine_batch(engine: SqliteD1Engine) -> float:
    statements = [D1Statement(INSERT, row) for row in ROWS]
    started_s = time.perf_counter()
    for _ in range(BATCHES):
        await engine.run(statements)
    return (time.perf_counter() - started_s) / BATCHES


async def _waits(worker: Any, engine: SqliteD1Engine) -> list[float]:
    """Return what a worker's calls take, in seconds, while the database of another one is busy for half a second."""
    slow = SqliteD1Engine(engine.path, max_query_s=0.5)
    running = asyncio.ensure_future(slow.run([D1Statement(ENDLESS)]))
    await asyncio.sleep(0.01)
    taken_s = []
    while not running.done():
        await asyncio.sleep(0)  # a get alone never lets the loop run
        taken_s.append(await worker.kv_get(1))
    await asyncio.wait([running])
    assert running.exception() is not None
    await slow.close()
    return taken_s


def _bare_select(path: Path) -> float:
    database = apsw.Connection(str(path))
    started_s = time.perf_counter()
    for number in range(SELECTS):
        database.execute(SELECT, (number % KEYS + 1,)).fetchall()
    taken_s = time.perf_counter() - started_s
    database.close()
    return taken_s / SELECTS


def _bare_batch(path: Path) -> float:
    database = apsw.Connection(str(path))
    database.execute("PRAGMA synchronous = NORMAL")
    started_s = time.perf_counter()
    for _ in range(BATCHES):
        database.execute("BEGIN IMMEDIATE")
        for row in ROWS:
            database.execute(INSERT, row)
        database.execute("COMMIT")
    taken_s = time.perf_counter() - started_s
    database.close()
    return taken_s / BATCHES
