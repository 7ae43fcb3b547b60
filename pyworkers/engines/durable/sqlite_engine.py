"""Durable Objects in SQLite: a folder a class, a file an object, and an index of what is there.

The index (``index.sqlite``) holds the objects' names and when to look for their alarms, so that a start opens no file
of an object. An object's own file is the truth: the index may name a moment too early, never one too late.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import apsw

from pyworkers.clock import Clock
from pyworkers.engines.durable.pool import Pool
from pyworkers.engines.durable.protocol import ObjectRecord
from pyworkers.engines.durable.store import AlarmIndex, SqliteObjectStore
from pyworkers.engines.sqlite import open_database, sqlite_errors
from pyworkers.errors import EngineClosed

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS objects (
    id TEXT PRIMARY KEY, name TEXT, alarm_ms INTEGER, attempts INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alarms ON objects (alarm_ms) WHERE alarm_ms IS NOT NULL;
"""
_COLUMNS: Final = "id, name, alarm_ms, attempts"
_NOTE: Final = "INSERT INTO objects (id, name) VALUES (?, ?) ON CONFLICT DO NOTHING"
_EXPECT: Final = (
    "INSERT INTO objects (id, name, alarm_ms, attempts) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET alarm_ms = excluded.alarm_ms, attempts = excluded.attempts"
)


class SqliteDurableEngine(AlarmIndex):
    """The objects of one class.

    An acknowledged write survives the death of this process (see `pyworkers.engines.sqlite`).

    Args:
        path: the folder, made at first use.
        clock: unused; objects carry their own times.
        pool: the places for open files, which classes may share.
        is_durable: False where nothing is to outlive the process: the disk is never waited for.
    """

    def __init__(
        self, path: Path, *, clock: Clock | None = None, pool: Pool | None = None, is_durable: bool = True
    ) -> None:
        del clock
        self.path = path
        self.on_alarm: Callable[[ObjectRecord], None] = lambda _: None
        self._pool = pool or Pool()
        self._is_durable = is_durable
        self._index: apsw.Connection | None = None
        self._stores: dict[str, SqliteObjectStore] = {}
        self._is_closed = False

    def open(self, object_id: str, *, name: str | None, on_write: Callable[[], None]) -> SqliteObjectStore:
        """Return an object's store; nothing is opened before it is used."""
        if self._is_closed:
            raise EngineClosed("the Durable Objects' storage is closed")
        previous = self._stores.pop(object_id, None)
        if previous is not None:
            previous.close()
        store = self._stores[object_id] = SqliteObjectStore(
            self.path_of(object_id),
            object_id,
            name=name,
            pool=self._pool,
            index=self,
            on_write=on_write,
            is_durable=self._is_durable,
        )
        return store

    def release(self, object_id: str, store: SqliteObjectStore) -> None:
        """Close an object's store, whose owner has left the memory."""
        if self._stores.get(object_id) is store:
            del self._stores[object_id]
        store.close()

    def path_of(self, object_id: str) -> Path:
        """Return an object's file."""
        return self.path / f"{object_id}.sqlite"

    def record(self, object_id: str) -> ObjectRecord | None:
        """Return what is known of an object; None where it never stored anything."""
        if not self.path.exists():
            return None
        found = self._rows(f"SELECT {_COLUMNS} FROM objects WHERE id = ?", (object_id,))  # noqa: S608 - constant
        return found[0] if found else None

    def records(self) -> list[ObjectRecord]:
        """Return the objects that have stored something, by id."""
        return self._rows(f"SELECT {_COLUMNS} FROM objects ORDER BY id") if self.path.exists() else []  # noqa: S608

    def alarms(self, until_ms: int | None = None) -> list[ObjectRecord]:
        """Return the objects to look at for an alarm until a time, or all that have one; the next one first."""
        if not self.path.exists():
            return []
        last_ms = 2**62 if until_ms is None else until_ms
        return self._rows(f"SELECT {_COLUMNS} FROM objects WHERE alarm_ms <= ? ORDER BY alarm_ms, id", (last_ms,))  # noqa: S608

    def next_alarm_ms(self, after_ms: int) -> int | None:
        """Return the first moment after a time to look for an alarm."""
        if not self.path.exists():
            return None
        with sqlite_errors(self.path):
            found: int | None = (
                self._database().execute("SELECT min(alarm_ms) FROM objects WHERE alarm_ms > ?", (after_ms,)).get
            )
        return found

    def remove(self, object_id: str) -> None:
        """Delete everything that an object has stored."""
        store = self._stores.pop(object_id, None)
        if store is not None:
            store.close()
        for suffix in ("", "-wal", "-shm"):
            (self.path / f"{object_id}.sqlite{suffix}").unlink(missing_ok=True)
        self._write("DELETE FROM objects WHERE id = ?", (object_id,))

    async def close(self) -> None:
        """Give every file back; idempotent. What was not committed is lost."""
        self.close_now()

    def close_now(self) -> None:
        """Do what `close` does."""
        self._is_closed = True
        stores, self._stores = list(self._stores.values()), {}
        for store in stores:
            store.close()
        index, self._index = self._index, None
        if index is not None:
            index.close()

    async def __aenter__(self) -> SqliteDurableEngine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ---- the index

    def expect(self, object_id: str, name: str | None, time_ms: int | None) -> None:
        """Note when to look for an object's alarm."""
        self._write(_EXPECT, (object_id, name, time_ms, 0))
        self.on_alarm(ObjectRecord(object_id, name, time_ms))

    def retry_alarm(self, object_id: str, name: str | None, time_ms: int, attempts: int) -> None:
        """Note when to look for an alarm again that has failed so often."""
        self._write(_EXPECT, (object_id, name, time_ms, attempts))
        self.on_alarm(ObjectRecord(object_id, name, time_ms, attempts))

    def note_object(self, object_id: str, name: str | None) -> None:
        """Note that an object has a file."""
        self._write(_NOTE, (object_id, name))

    def _write(self, sql: str, params: tuple[str | int | None, ...]) -> None:
        with sqlite_errors(self.path):
            self._database().execute(sql, params)

    def _rows(self, sql: str, params: tuple[str | int, ...] = ()) -> list[ObjectRecord]:
        with sqlite_errors(self.path):
            rows: list[Any] = self._database().execute(sql, params).fetchall()
        return [ObjectRecord(*row) for row in rows]

    def _database(self) -> apsw.Connection:
        if self._index is None:
            if self._is_closed:
                raise EngineClosed("the Durable Objects' storage is closed")
            database = open_database(self.path / "index.sqlite")
            try:
                if not self._is_durable:
                    database.execute("PRAGMA synchronous = OFF")
                database.execute(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT")
            except BaseException:
                database.close()
                raise
            self._index = database
        return self._index
