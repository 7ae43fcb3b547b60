"""The n-th call into the file system fails, for every n.

The engine raises EngineError and nothing else, and what it acknowledged is there afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import Protocol

import apsw
import pytest
from failing_vfs import FailingVfs
from stored_files import check_files

from pyworkers.engines.d1 import D1Statement
from pyworkers.engines.d1.sqlite_engine import SqliteD1Engine
from pyworkers.engines.kv.sqlite_engine import SqliteKVEngine
from pyworkers.engines.r2 import R2Attributes
from pyworkers.engines.r2.moto_engine import MotoR2Engine
from pyworkers.errors import EngineError

SMALL, LARGE = b"small", bytes(range(256)) * 90
# What is stored one after another; None deletes.
WRITES: tuple[tuple[str, bytes | None], ...] = (
    ("a", SMALL), ("b", LARGE), ("a", LARGE), ("c", SMALL), ("b", SMALL), ("c", None), ("c", LARGE), ("a", None),
)  # fmt: skip


class Stored(Protocol):
    """One engine, as a map of keys to bytes."""

    async def put(self, key: str, value: bytes) -> None: ...
    async def get(self, key: str) -> bytes | None: ...
    async def delete(self, key: str) -> None: ...
    async def close(self) -> None: ...


class KV:
    def __init__(self, folder: Path) -> None:
        self._engine = SqliteKVEngine(folder / "kv.sqlite")
        self.delete, self.close = self._engine.delete, self._engine.close

    async def put(self, key: str, value: bytes) -> None:
        await self._engine.put(key, value)

    async def get(self, key: str) -> bytes | None:
        entry = await self._engine.get(key)
        return None if entry is None else entry.value


class D1:
    """A value is stored in two halves, by one call: both are there or neither is."""

    def __init__(self, folder: Path) -> None:
        self._engine = SqliteD1Engine(folder / "d1.sqlite")
        self.close = self._engine.close

    async def _run(self, *statements: tuple[str, tuple[str | bytes, ...]]) -> list[tuple[object, ...]]:
        table = D1Statement("CREATE TABLE IF NOT EXISTS halves (key TEXT, half INTEGER, value BLOB)")
        answer = await self._engine.run([table, *(D1Statement(sql, params) for sql, params in statements)])
        return list(answer.results[-1].rows)

    async def put(self, key: str, value: bytes) -> None:
        middle = len(value) // 2
        await self._run(
            ("DELETE FROM halves WHERE key = ?", (key,)),
            ("INSERT INTO halves VALUES (?, 0, ?)", (key, value[:middle])),
            ("INSERT INTO halves VALUES (?, 1, ?)", (key, value[middle:])),
        )

    async def get(self, key: str) -> bytes | None:
        rows = await self._run(("SELECT value FROM halves WHERE key = ? ORDER BY half", (key,)))
        assert len(rows) in (0, 2)
        return b"".join(bytes(value) for (value,) in rows) if rows else None  # type: ignore[call-overload]  # blobs

    async def delete(self, key: str) -> None:
        await self._run(("DELETE FROM halves WHERE key = ?", (key,)))


class R2:
    def __init__(self, folder: Path) -> None:
        self._engine = MotoR2Engine(folder / "r2")
        self.close = self._engine.close

    async def put(self, key: str, value: bytes) -> None:
        await self._engine.put(key, value, attributes=R2Attributes())

    async def get(self, key: str) -> bytes | None:
        reading = await self._engine.get(key)
        if reading is None:
            return None
        pieces: AsyncIterator[bytes] = reading.chunks(0, reading.object.size)
        return b"".join([piece async for piece in pieces])

    async def delete(self, key: str) -> None:
        await self._engine.delete([key])


async def write_all(stored: Stored) -> dict[str, set[bytes | None]]:
    """Write, whatever fails; return what may be stored under each key."""
    possible: dict[str, set[bytes | None]] = {key: {None} for key, _ in WRITES}
    for key, value in WRITES:
        try:
            if value is None:
                await stored.delete(key)
            else:
                await stored.put(key, value)
        except EngineError:
            possible[key].add(value)
        else:
            possible[key] = {value}
    return possible


async def read_all(stored: Stored) -> dict[str, bytes | None]:
    return {key: await stored.get(key) for key in dict(WRITES)}


async def one_run(make: Callable[[Path], Stored], folder: Path, vfs: FailingVfs) -> int:
    """Write with failures, read the same data without; return how many calls failed."""
    stored = make(folder)
    try:
        possible = await write_all(stored)
    finally:
        failures, vfs.fails_at = vfs.failures, 0
        await stored.close()
    again = make(folder)
    try:
        found = await read_all(again)
        assert [key for key, value in found.items() if value not in possible[key]] == []
        if not failures:
            assert found == {"a": None, "b": SMALL, "c": LARGE}
        # It is whole, and takes writes again.
        await again.put("after", LARGE)
        assert await again.get("after") == LARGE
    finally:
        await again.close()
    return failures


# SQLite goes on after some of the failures, of which apsw tells the interpreter then.
@pytest.mark.filterwarnings("ignore:Exception ignored in. None:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("error", "is_lasting"),
    [(apsw.FullError, True), (apsw.IOError, False)],
    ids=["the disk stays full", "an I/O error happens once"],
)
@pytest.mark.parametrize("make", [KV, D1, R2])
def test_what_was_acknowledged_outlives_the_nth_failing_call(
    make: Callable[[Path], Stored], error: type[apsw.Error], is_lasting: bool, tmp_path: Path
) -> None:
    for number in count(1):
        folder = tmp_path / str(number)
        folder.mkdir()
        with FailingVfs(number, is_lasting=is_lasting, error=error) as vfs:
            try:
                failures = asyncio.run(one_run(make, folder, vfs))
            except BaseException as problem:
                problem.add_note(f"call {number} failed")
                raise
        check_files(folder)
        if not failures:
            assert number > 20
            return
