"""One object's SQLite file."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from weakref import WeakSet

import apsw

from pyworkers.engines.d1.limits import FLOAT_DIGITS, LIMITS
from pyworkers.engines.durable.cursor import Cursor, Statements, sql_failure
from pyworkers.engines.durable.pool import Pool
from pyworkers.engines.durable.protocol import SqlValue
from pyworkers.engines.sqlite import BUSY_TIMEOUT_MS, engine_error, prefix_end
from pyworkers.errors import EngineClosed, EngineError

STATEMENTS_KEPT: Final = 32
_ALARM_KEY: Final = 1

# A compiled statement is kept under its text and not asked about again: a worker must not guess these texts.
_MARK: Final = f" /* {secrets.token_hex(16)} */"


def _marked(sql: str) -> str:
    return sql + _MARK


_KV_SCHEMA: Final = _marked("CREATE TABLE IF NOT EXISTS _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
_META_SCHEMA: Final = _marked("CREATE TABLE IF NOT EXISTS _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)")
_GET: Final = _marked("SELECT value FROM _cf_KV WHERE key = ?")
_PUT: Final = _marked("INSERT INTO _cf_KV VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
_DELETE: Final = _marked("DELETE FROM _cf_KV WHERE key = ?")
_GET_META: Final = _marked("SELECT value FROM _cf_METADATA WHERE key = ?")
_PUT_META: Final = _marked(
    "INSERT INTO _cf_METADATA VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
_DELETE_META: Final = _marked("DELETE FROM _cf_METADATA WHERE key = 1")
# What is not dropped with something else, in the order in which it can be.
_OBJECTS: Final = _marked(
    "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT IN ('sqlite_sequence')"
    " ORDER BY sql LIKE 'CREATE VIRTUAL%' DESC, name LIMIT 1"
)
_FORGET_SEQUENCES: Final = _marked("DELETE FROM sqlite_sequence")
_BEGIN: Final = "BEGIN IMMEDIATE" + _MARK
_COMMIT: Final = "COMMIT" + _MARK
_ROLLBACK: Final = "ROLLBACK" + _MARK
_PAGES: Final = "PRAGMA page_count" + _MARK
_FREE: Final = "PRAGMA freelist_count" + _MARK
_PAGE_SIZE: Final = "PRAGMA page_size" + _MARK


class AlarmIndex:
    """Told of an object's alarm; see `pyworkers.engines.durable.sqlite_engine`."""

    def expect(self, object_id: str, name: str | None, time_ms: int | None) -> None:
        """Note an alarm before the object's own transaction is durable, or its removal after that."""

    def note_object(self, object_id: str, name: str | None) -> None:
        """Note that the object has a file."""


class SqliteObjectStore:
    """One object's key-value pairs, tables and alarm.

    Args:
        path: its file, made when the object first writes.
        object_id, name: whose it is.
        pool: gives the file its place among the open ones.
        index: knows the alarms of all objects of the class.
        on_write: called when a transaction begins.
        is_durable: a commit is in the operating system's hands when it returns; without, it may be lost.
    """

    def __init__(
        self,
        path: Path,
        object_id: str,
        *,
        name: str | None,
        pool: Pool,
        index: AlarmIndex,
        on_write: Callable[[], None],
        is_durable: bool = True,
    ) -> None:
        self.path = path
        self.version = 0
        self._object_id = object_id
        self._name = name
        self._pool = pool
        self._index = index
        self._on_write = on_write
        self._is_durable = is_durable
        self._connection: apsw.Connection | None = None
        self._statements: Statements | None = None
        self._cursors: WeakSet[Cursor] = WeakSet()
        self._savepoints: list[SqliteSavepoint] = []
        self._in_transaction = False
        self._has_kv = self._has_metadata = False
        self._alarm: tuple[int | None] | None = None  # once known
        self._is_alarm_hidden = False
        self._alarm_changed = False
        self._is_unsynced = False  # until the first commit of a new file
        self._is_closed = False

    # ---- keys

    def get(self, key: str) -> bytes | None:
        """Return a value."""
        database = self._reading()
        if database is None or not self._has_kv:
            return None
        row = self._run(database, _GET, (key,)).fetchone()
        return None if row is None else row[0]

    def get_many(self, keys: Sequence[str]) -> list[tuple[str, bytes]]:
        """Return the pairs that exist, in the order of their keys."""
        found = ((key, self.get(key)) for key in sorted(set(keys), key=lambda key: key.encode("utf-8", "replace")))
        return [(key, value) for key, value in found if value is not None]

    def put_many(self, pairs: Iterable[tuple[str, bytes]]) -> None:
        """Store pairs, all or none."""
        pairs = list(pairs)
        database = self._writing()
        if not self._has_kv:
            self._run(database, _KV_SCHEMA)
            self._has_kv = True
        if len(pairs) == 1:
            self._run(database, _PUT, pairs[0])
            return
        part = self.savepoint()
        try:
            for pair in pairs:
                self._run(database, _PUT, pair)
        except EngineError:
            part.rollback()
            raise
        part.release()

    def delete_many(self, keys: Iterable[str]) -> int:
        """Remove keys; return how many there were."""
        database = self._reading()
        if database is None or not self._has_kv:
            return 0
        database = self._writing()
        removed = 0
        for key in keys:
            self._run(database, _DELETE, (key,))
            removed += database.changes()
        return removed

    def list_pairs(
        self,
        *,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        prefix: str | None = None,
        is_reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[tuple[str, bytes]]:
        """Yield pairs in order."""
        database = self._reading()
        if database is None or not self._has_kv:
            return iter(())
        bounds = [("key >= ?", start), ("key > ?", start_after), ("key < ?", end)]
        if prefix:
            bounds += [("key >= ?", prefix), ("key < ?", prefix_end(prefix))]
        used = [(condition, value) for condition, value in bounds if value is not None]
        where = " AND ".join(condition for condition, _ in used) or "1"
        sql = f"SELECT key, value FROM _cf_KV WHERE {where} ORDER BY key{' DESC' if is_reverse else ''}"  # noqa: S608
        values: list[SqlValue] = [value for _, value in used]
        if limit is not None:
            sql += " LIMIT ?"
            values.append(min(limit, 2**62))
        cursor = Cursor.of_rows(self._run(database, sql + _MARK, values), ("key", "value"))
        self._cursors.add(cursor)
        return cursor.pairs()

    def delete_all(self) -> None:
        """Remove every key, table and the alarm."""
        if self._savepoints:
            raise EngineError("everything cannot be deleted inside of a transaction")
        if self._reading() is None:
            return
        for cursor in list(self._cursors):
            cursor.cancel()
        had_alarm = self._read_alarm() is not None
        database = self._writing()
        database.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 0)
        try:
            self._drop_all(database)
        finally:
            database.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1)
        self._has_kv = self._has_metadata = self._is_alarm_hidden = False
        self._alarm, self._alarm_changed = (None,), self._alarm_changed or had_alarm

    def _drop_all(self, database: apsw.Connection) -> None:
        """Drop what there is: virtual tables first, for they take their own tables along."""
        while True:
            row = self._run(database, _OBJECTS).fetchone()
            if row is None:
                break
            name = str(row[1]).replace('"', '""')
            self._run(database, f'DROP {row[0]} "{name}"{_MARK}').close()
        if database.table_exists("main", "sqlite_sequence"):
            self._run(database, _FORGET_SEQUENCES)

    # ---- the alarm

    def alarm_ms(self) -> int | None:
        """Return the alarm's time; None while its handler runs."""
        return None if self._is_alarm_hidden else self._read_alarm()

    def set_alarm(self, time_ms: int | None) -> None:
        """Set or remove the alarm."""
        self._is_alarm_hidden = False
        if time_ms is None and self._read_alarm() is None:
            return
        database = self._writing()
        if time_ms is None:
            self._run(database, _DELETE_META)
        else:
            if not self._has_metadata:
                self._run(database, _META_SCHEMA)
                self._has_metadata = True
            self._run(database, _PUT_META, (_ALARM_KEY, time_ms))
        self._alarm, self._alarm_changed = (time_ms,), True

    def begin_alarm(self) -> int | None:
        """Hide the alarm while its handler runs; return its time. It is still there should the process die."""
        time_ms = self._read_alarm()
        self._is_alarm_hidden = time_ms is not None
        return time_ms

    def end_alarm(self, *, is_done: bool) -> bool:
        """Remove the alarm that was begun, or show it again; tells whether it was still that one."""
        if not self._is_alarm_hidden:
            return False
        self._is_alarm_hidden = False
        if is_done:
            self.set_alarm(None)
        return True

    def _read_alarm(self) -> int | None:
        if self._alarm is None:
            database = self._reading()
            is_there = database is not None and self._has_metadata
            found = self._run(database, _GET_META, (_ALARM_KEY,)).get if database is not None and is_there else None
            self._alarm = (found,)
        return self._alarm[0]

    # ---- SQL

    def execute(self, sql: str, params: Sequence[SqlValue]) -> Cursor:
        """Run every statement of the text; the last one's rows are the cursor's."""
        self._writing()
        assert self._statements is not None
        cursor = self._statements.run(sql, params)
        if not cursor.is_done:
            self._cursors.add(cursor)
        return cursor

    def database_size(self) -> int:
        """Return the bytes in use."""
        database = self._writing()
        pages, free, size = (int(self._run(database, sql).get) for sql in (_PAGES, _FREE, _PAGE_SIZE))
        return max(pages - free, 1) * size

    # ---- transactions

    def savepoint(self) -> SqliteSavepoint:
        """Begin a part that can be taken back."""
        return SqliteSavepoint(self, self._writing())

    @property
    def in_savepoint(self) -> bool:
        """Tell whether a part is open."""
        return bool(self._savepoints)

    def commit(self) -> None:
        """Make what was written durable."""
        if not self._in_transaction or self._savepoints:
            return
        database = self._connection
        assert database is not None
        alarm = self._alarm
        if self._alarm_changed and alarm is not None and alarm[0] is not None:
            # Before the commit: to look once too often does no harm, to forget would.
            self._index.expect(self._object_id, self._name, alarm[0])
        try:
            database.execute(_COMMIT)
        except apsw.Error as error:
            failure = self._failure(error)
            self.rollback()
            raise failure from error
        self._in_transaction = False
        self.version += 1
        if self._is_unsynced:
            self._is_unsynced = False
            database.execute("PRAGMA synchronous = NORMAL")
        is_removed = self._alarm_changed and alarm is not None and alarm[0] is None
        self._alarm_changed = False
        if is_removed:
            # What was written is durable, whatever becomes of the index: it then looks once too often.
            with suppress(EngineError):
                self._index.expect(self._object_id, self._name, None)

    def rollback(self) -> None:
        """Take back what was written since the last commit."""
        self._savepoints.clear()
        if not self._in_transaction:
            return
        self._in_transaction = False
        database = self._connection
        if database is not None and database.in_transaction:
            database.execute(_ROLLBACK)
        self.forget_what_was_read()

    def forget_what_was_read(self) -> None:
        """What was taken back may be the tables or the alarm."""
        if self._alarm_changed:
            self._alarm, self._alarm_changed = None, False
        if self._connection is not None:
            self._look_at_tables(self._connection)

    # ---- the file

    def close_if_idle(self) -> bool:
        """Close the file unless something goes on in it."""
        if self._in_transaction or any(not cursor.is_done for cursor in self._cursors):
            return False
        connection, self._connection, self._statements = self._connection, None, None
        self._is_unsynced = False
        if connection is not None:
            connection.close()
        return True

    def close(self) -> None:
        """Commit nothing more and give the file back; idempotent."""
        self._is_closed = True
        self.rollback()
        self._close()

    def _close(self) -> None:
        for cursor in list(self._cursors):
            cursor.close()
        connection, self._connection, self._statements = self._connection, None, None
        self._is_unsynced = False
        if connection is not None:
            self._pool.discard(self)
            connection.close()

    def _reading(self) -> apsw.Connection | None:
        """Return the connection, or None where there is no file and therefore nothing to read."""
        if self._connection is not None:
            self._pool.touch(self)
            return self._connection
        return self._open() if self.path.exists() else None

    def _writing(self) -> apsw.Connection:
        database = self._connection
        if database is None:
            is_new = not self.path.exists()
            database = self._open()
            if is_new:
                self._index.note_object(self._object_id, self._name)
            if is_new and self._is_durable:
                # SQLite syncs a log's first page, lest it be taken for that of an older log: here is none.
                database.execute("PRAGMA synchronous = OFF")
                self._is_unsynced = True
        else:
            self._pool.touch(self)
        if not self._in_transaction:
            self._run(database, _BEGIN)
            self._in_transaction = True
            self._on_write()
        return database

    def _open(self) -> apsw.Connection:
        if self._is_closed:
            raise EngineClosed("the Durable Object's storage is closed")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            database = apsw.Connection(str(self.path), statementcachesize=STATEMENTS_KEPT)
        except (OSError, apsw.Error) as error:
            if isinstance(error, apsw.Error):
                raise engine_error(error, self.path) from error
            raise EngineError(
                f"the folder {self.path.parent} cannot be made: {error.strerror}",
                hint="choose another --persist-to folder",
            ) from error
        try:
            database.set_busy_timeout(BUSY_TIMEOUT_MS)
            # The change to WAL is the file's first write: the disk need not be waited for.
            database.execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL")
            if self._is_durable:
                database.execute("PRAGMA synchronous = NORMAL")
            database.execute("PRAGMA foreign_keys = ON")
            database.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
            # Objects come and go by the thousand: to move the log into the file each time would wait for the disk.
            database.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            database.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
            if hasattr(apsw, "SQLITE_DBCONFIG_FP_DIGITS"):
                database.config(apsw.SQLITE_DBCONFIG_FP_DIGITS, FLOAT_DIGITS)
            for limit, value in LIMITS.items():
                database.limit(getattr(apsw, limit), value)
            self._look_at_tables(database)
            self._statements = Statements(database)
        except BaseException as error:
            database.close()
            if isinstance(error, apsw.Error):
                raise engine_error(error, self.path) from error
            raise
        self._connection = database
        self._pool.add(self)
        return database

    def _look_at_tables(self, database: apsw.Connection) -> None:
        self._has_kv = database.table_exists("main", "_cf_KV")
        self._has_metadata = database.table_exists("main", "_cf_METADATA")

    def _run(self, database: apsw.Connection, sql: str, params: Sequence[SqlValue] = ()) -> apsw.Cursor:
        try:
            return database.execute(sql, params)
        except apsw.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: apsw.Error) -> Exception:
        failure: Exception = sql_failure(error, None, None, self.path)
        return failure

    # ---- for savepoints

    def _open_savepoint(self, savepoint: SqliteSavepoint) -> int:
        self._savepoints.append(savepoint)
        return len(self._savepoints)

    def _end_savepoint(self, savepoint: SqliteSavepoint) -> bool:
        """Tell whether the savepoint is still there; those inside of it go with it."""
        if savepoint not in self._savepoints:
            return False
        del self._savepoints[self._savepoints.index(savepoint) :]
        return True


class SqliteSavepoint:
    """A part of a transaction."""

    def __init__(self, store: SqliteObjectStore, database: apsw.Connection) -> None:
        self._store = store
        self._database = database
        self._name = f"_cf_savepoint_{store._open_savepoint(self)}"
        self._alarm = (store._alarm, store._alarm_changed, store._is_alarm_hidden)
        store._run(database, f"SAVEPOINT {self._name}{_MARK}")

    def release(self) -> None:
        """Keep it."""
        if self._store._end_savepoint(self):
            self._database.execute(f"RELEASE {self._name}{_MARK}")

    def rollback(self) -> None:
        """Take it back."""
        store = self._store
        if store._end_savepoint(self):
            self._database.execute(f"ROLLBACK TO {self._name}{_MARK}")
            self._database.execute(f"RELEASE {self._name}{_MARK}")
            store._alarm, store._alarm_changed, store._is_alarm_hidden = self._alarm
            store._look_at_tables(self._database)


__all__ = ["AlarmIndex", "SqliteObjectStore", "SqliteSavepoint"]
