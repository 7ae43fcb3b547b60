"""KV in SQLite: one file a namespace, read and written on the event loop.

A get takes about 10 µs and a put 20 µs, less than a hop to another thread costs. What may take long does not happen
here: the log is moved into the file by a thread of its own, and a lock that another process holds is waited for with
the loop running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

import apsw

from pyworkers.clock import Clock, SystemClock
from pyworkers.engines.kv.protocol import KVEntry, KVKey, KVPage, KVWrite
from pyworkers.engines.sqlite import LogMover, engine_error, open_database, prefix_end
from pyworkers.errors import EngineBusy, EngineClosed

R = TypeVar("R")
new_tuple: Final = tuple.__new__  # what KVEntry's own constructor calls

# Larger values live in a table of their own, so that a listing reads few pages.
INLINE_BYTES: Final = 1_024
# One call in 64 lets others have a turn on the loop; a worker that makes one after another never waits otherwise.
TURN: Final = 0b111111
SWEEP_INTERVAL_S: Final = 60
# How long a lock of another process is waited for, and how long each look at it blocks the loop.
LOCK_WAIT_S: Final = 5.0
LOCK_LOOK_MS: Final = 2

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
    key TEXT PRIMARY KEY, value BLOB, metadata TEXT, expires_at_s INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_expiry ON entries (expires_at_s) WHERE expires_at_s IS NOT NULL;
CREATE TABLE IF NOT EXISTS large_values (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TRIGGER IF NOT EXISTS entry_deleted AFTER DELETE ON entries WHEN old.value IS NULL
    BEGIN DELETE FROM large_values WHERE key = old.key; END;
CREATE TRIGGER IF NOT EXISTS entry_shrunk AFTER UPDATE ON entries WHEN old.value IS NULL AND new.value IS NOT NULL
    BEGIN DELETE FROM large_values WHERE key = old.key; END;
"""
_GET: Final = (
    "SELECT ifnull(value, (SELECT value FROM large_values WHERE key = ?1)), metadata, expires_at_s"
    " FROM entries WHERE key = ?1"
)
_PUT: Final = (
    "INSERT INTO entries VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
    " SET value = excluded.value, metadata = excluded.metadata, expires_at_s = excluded.expires_at_s"
)
_PUT_LARGE: Final = "INSERT OR REPLACE INTO large_values VALUES (?, ?)"
_DELETE: Final = "DELETE FROM entries WHERE key = ?"
_LIST: Final = (
    "SELECT key, metadata, expires_at_s FROM entries"
    " WHERE {conditions} AND (expires_at_s IS NULL OR expires_at_s > :now) ORDER BY key LIMIT :limit"
)
_SWEEP: Final = "DELETE FROM entries WHERE expires_at_s <= ?"


class SqliteKVEngine:
    """A namespace in one SQLite file, or in memory.

    An acknowledged write survives the death of this process (see `pyworkers.engines.sqlite`).

    Args:
        path: the file, made at first use; None keeps everything in memory.
        clock: decides what has expired.
    """

    def __init__(self, path: Path | None = None, *, clock: Clock | None = None) -> None:
        self.path = path
        self._clock = clock or SystemClock()
        self._connection: apsw.Connection | None = None
        self._log = LogMover(path, "kv-checkpoint")
        self._is_closed = False
        self._swept_at_s = 0.0
        self._calls = 0

    async def get(self, key: str) -> KVEntry | None:
        """Return what is stored under a key."""
        try:
            # As `_read`, without a call more: a get is the call that is made most.
            row = (self._connection or self._database()).execute(_GET, (key,)).get
            self._calls += 1
            if not self._calls & TURN:
                await asyncio.sleep(0)
            if row is None or (row[2] is not None and row[2] <= self._clock.now_s()):
                return None
            return new_tuple(KVEntry, row)
        except apsw.Error:
            return await self._retry(lambda: self._read(self._database(), key))

    async def get_many(self, keys: Sequence[str]) -> list[KVEntry | None]:
        """Return what is stored under each key, of one moment."""

        def read(database: apsw.Connection) -> list[KVEntry | None]:
            return [self._read(database, key) for key in keys]

        return await self._retry(lambda: self._transact(read, "BEGIN"))

    async def put(
        self, key: str, value: bytes, *, metadata: str | None = None, expires_at_s: int | None = None
    ) -> None:
        """Store a value; it is durable on return."""
        write = KVWrite(key, value, metadata, expires_at_s)
        if len(value) > INLINE_BYTES or self._is_sweep_due():
            await self.put_many((write,))
            return
        try:
            self._write(self._database(), write)
        except apsw.Error:
            await self.put_many((write,))
        self._calls += 1
        if not self._calls & TURN:
            await asyncio.sleep(0)

    async def put_many(self, writes: Iterable[KVWrite]) -> None:
        """Store all or nothing."""
        writes = tuple(writes)

        def store(database: apsw.Connection) -> None:
            if self._is_sweep_due():
                database.execute(_SWEEP, (int(self._clock.now_s()),))
                self._swept_at_s = self._clock.now_s()
            for write in writes:
                self._write(database, write)

        await self._retry(lambda: self._transact(store, "BEGIN IMMEDIATE"))

    async def delete(self, key: str) -> None:
        """Remove a key."""
        await self._retry(lambda: self._database().execute(_DELETE, (key,)))

    async def delete_many(self, keys: Iterable[str]) -> None:
        """Remove several keys, all or nothing."""
        rows = [(key,) for key in keys]
        await self._retry(
            lambda: self._transact(lambda database: database.executemany(_DELETE, rows), "BEGIN IMMEDIATE")
        )

    async def list_keys(self, *, prefix: str = "", after: str | None = None, limit: int = 1000) -> KVPage:
        """Return keys in order; see the protocol."""
        conditions, values = ["1"], {"now": int(self._clock.now_s()), "limit": limit + 1}
        bounds: dict[str, Any] = {}
        if prefix:
            conditions.append("key >= :prefix")
            bounds["prefix"] = prefix
            end = prefix_end(prefix)
            if end is not None:
                conditions.append("key < :end")
                bounds["end"] = end
        if after is not None:
            conditions.append("key > :after")
            bounds["after"] = after
        sql = _LIST.format(conditions=" AND ".join(conditions))
        rows: list[Any] = await self._retry(lambda: self._database().execute(sql, {**values, **bounds}).fetchall())
        return KVPage([KVKey(*row) for row in rows[:limit]], len(rows) <= limit)

    async def close(self) -> None:
        """Give the file back; idempotent."""
        self._is_closed = True
        await asyncio.to_thread(self._log.join)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def __aenter__(self) -> SqliteKVEngine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _database(self) -> apsw.Connection:
        if self._connection is not None:
            return self._connection
        if self._is_closed:
            raise EngineClosed("the KV namespace is closed")
        database = open_database(self.path, busy_timeout_ms=LOCK_LOOK_MS)
        try:
            if database.pragma("user_version") == 0:
                # In one transaction: another process may make the same file at the same time.
                database.execute(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = 1; COMMIT")
        except BaseException:
            database.close()
            raise
        self._log.watch(database)
        self._connection = database
        return database

    def _read(self, database: apsw.Connection, key: str) -> KVEntry | None:
        row: tuple[bytes, str | None, int | None] | None = database.execute(_GET, (key,)).get
        if row is None or (row[2] is not None and row[2] <= self._clock.now_s()):
            return None
        return KVEntry(*row)

    def _write(self, database: apsw.Connection, write: KVWrite) -> None:
        is_large = len(write.value) > INLINE_BYTES
        database.execute(_PUT, (write.key, None if is_large else write.value, write.metadata, write.expires_at_s))
        if is_large:
            database.execute(_PUT_LARGE, (write.key, write.value))

    def _is_sweep_due(self) -> bool:
        return self._clock.now_s() - self._swept_at_s >= SWEEP_INTERVAL_S

    def _transact(self, work: Callable[[apsw.Connection], R], begin: str) -> R:
        database = self._database()
        database.execute(begin)
        try:
            result = work(database)
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        return result

    async def _retry(self, work: Callable[[], R]) -> R:
        """Run `work`; while another process holds the lock, let the loop run and try again."""
        deadline = asyncio.get_running_loop().time() + LOCK_WAIT_S
        while True:
            try:
                return work()
            except (apsw.BusyError, apsw.LockedError, EngineBusy) as error:
                if asyncio.get_running_loop().time() >= deadline:
                    if isinstance(error, EngineBusy):
                        raise
                    raise engine_error(error, self.path) from error
            except apsw.Error as error:
                raise engine_error(error, self.path) from error
            await asyncio.sleep(0.005)
