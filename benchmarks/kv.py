"""KV through the SDK, against a bare SQLite get on the same file, and against miniflare."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import apsw

from benchmarks.miniflare import compared
from benchmarks.report import Figure
from benchmarks.storage import KEYS, with_worker

ROUNDS = 9
GETS = 2_000


def measure() -> list[Figure]:
    """Have a worker time its own calls, in turn with bare ones."""
    return with_worker(_measure)


async def _measure(worker: Any, folder: Path) -> list[Figure]:
    await worker.kv_fill(256)
    gets, bare = [], []
    for _ in range(ROUNDS):
        gets.append(await worker.kv_get(GETS))
        bare.append(_bare_get(folder / "kv" / "bench.sqlite"))
    ratio = statistics.median(own / floor for own, floor in zip(gets, bare, strict=True))
    get_s = statistics.median(gets)
    put_s = statistics.median([await worker.kv_put(300) for _ in range(ROUNDS)])
    list_s = statistics.median([await worker.kv_list(10) for _ in range(ROUNDS)])
    shown = f"{get_s * 1e6:.1f} µs against {statistics.median(bare) * 1e6:.1f} µs"
    return [
        Figure("KV get, SDK path, against bare SQLite", ratio, "×", reach="≤ 4", detail=shown),
        Figure("KV get, SDK path", get_s * 1e6, "µs", detail=compared("kv_get", get_s)),
        Figure("KV put, SDK path", put_s * 1e6, "µs", detail=compared("kv_put", put_s)),
        Figure("KV list of 1,000, SDK path", list_s * 1e6, "µs", detail=compared("kv_list", list_s)),
    ]


def _bare_get(path: Path) -> float:
    database = apsw.Connection(str(path))
    started_s = time.perf_counter()
    for number in range(GETS):
        database.execute("SELECT value FROM entries WHERE key = ?", (f"key-{number % KEYS}",)).fetchall()
    taken_s = time.perf_counter() - started_s
    database.close()
    return taken_s / GETS
