"""D1 in SQLite through apsw: one file and one thread a database.

A call, whatever it holds, is one hop to the thread and one transaction there. SQLite runs without Python's lock, so a
slow query delays nothing else. Compiled statements are kept.

Source: recorded, contracts/d1; developers.cloudflare.com/d1/platform/limits
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import apsw

from pyworkers.clock import Clock
from pyworkers.engines.d1.authorizer import Authorizer
from pyworkers.engines.d1.counting import RowCounter
from pyworkers.engines.d1.protocol import (
    D1Answer,
    D1Meta,
    D1Result,
    D1Statement,
    Refusal,
    SqlError,
    StatementRefused,
)
from pyworkers.engines.d1.split import split_statements
from pyworkers.engines.sqlite import engine_error, open_database
from pyworkers.engines.work_thread import WorkThread
from pyworkers.errors import EngineClosed

MAX_QUERY_S: Final = 30.0
STATEMENTS_KEPT: Final = 256
# How many of SQLite's instructions run between two looks at the time: about a millisecond.
_STEPS_BETWEEN_LOOKS: Final = 20_000

_LIMITS: Final = {
    apsw.SQLITE_LIMIT_LENGTH: 2_200_000,
    apsw.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    apsw.SQLITE_LIMIT_COLUMN: 100,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 100,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 5,
    apsw.SQLITE_LIMIT_VDBE_OP: 25_000,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 50,
    apsw.SQLITE_LIMIT_VARIABLE_NUMBER: 100,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
    apsw.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_READING: Final = ("select", "pragma", "explain", "values")
# The platform keeps its own things in a table of this name, which listings show. Key 2 counts the calls.
_METADATA: Final = "CREATE TABLE IF NOT EXISTS _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)"
_OWN_STATEMENTS: Final = {
    "read": "BEGIN",
    "write": "BEGIN IMMEDIATE",
    "commit": "COMMIT",
    "rollback": "ROLLBACK",
    "pages": "PRAGMA page_count",
    "free": "PRAGMA freelist_count",
    "count": "INSERT INTO _cf_METADATA VALUES (2, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
}


class SqliteD1Engine:
    """A database in one SQLite file, or in memory.

    An acknowledged call survives the death of this process (see `pyworkers.engines.sqlite`).

    Args:
        path: the file, made at first use; None keeps everything in memory.
        clock: unused; queries are limited in real time.
        max_query_s: how long one call may run.
    """

    def __init__(
        self, path: Path | None = None, *, clock: Clock | None = None, max_query_s: float = MAX_QUERY_S
    ) -> None:
        del clock
        self.path = path
        self._max_query_s = max_query_s
        self._thread = WorkThread(f"d1-{path.stem if path else 'memory'}")
        self._authorizer = Authorizer()
        self._deadline = 0.0
        self._is_closed = False
        self._bookmark = 0
        self._has_metadata = False
        self._size_bytes = 0
        self._cached: apsw.Connection | None = None
        self._cursor: apsw.Cursor
        self._counter: RowCounter
        self._shape: tuple[bool, tuple[Any, ...]] = (True, ())
        self._asked_at_look = 0
        # A compiled statement is kept under its text and not asked about again: a worker must not guess the texts of
        # the engine's own statements.
        mark = f"/* {secrets.token_hex(16)} */"
        self._own = {name: f"{sql} {mark}" for name, sql in _OWN_STATEMENTS.items()}

    async def run(self, statements: Sequence[D1Statement]) -> D1Answer:
        """Run statements in one transaction; a result for each."""
        if self._is_closed:
            raise EngineClosed("the D1 database is closed")
        return await self._thread.run(lambda: self._run(statements))

    async def close(self) -> None:
        """Interrupt what runs and give the file back; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._deadline = 0.0
        if self._cached is not None:
            await self._thread.run(self._close_database)
        await self._thread.close()

    async def __aenter__(self) -> SqliteD1Engine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ---- on the thread

    def _close_database(self) -> None:
        database, self._cached = self._cached, None
        if database is not None:
            database.close()

    def _database(self) -> apsw.Connection:
        if self._cached is not None:
            return self._cached
        database = open_database(self.path, statements_kept=STATEMENTS_KEPT)
        try:
            database.execute("PRAGMA foreign_keys = ON", can_cache=False)
            database.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
            database.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
            self._has_metadata = database.table_exists("main", "_cf_METADATA")
            if self._has_metadata:
                stored = database.execute("SELECT value FROM _cf_METADATA WHERE key = 2", can_cache=False).get
                self._bookmark = stored if isinstance(stored, int) else 0
            self._counter = RowCounter(database, self._authorizer)
            self._page_bytes = int(database.execute("PRAGMA page_size", can_cache=False).get)
            self._size_bytes = self._read_size(database)
        except BaseException as error:
            database.close()
            if isinstance(error, apsw.Error):
                raise engine_error(error, self.path) from error
            raise
        for limit, value in _LIMITS.items():
            database.limit(limit, value)
        database.authorizer = self._authorizer
        database.set_progress_handler(self._is_overdue, _STEPS_BETWEEN_LOOKS)
        self._cursor = database.cursor()
        self._cursor.exec_trace = self._look
        self._cached = database
        return database

    def _look(self, cursor: apsw.Cursor, _sql: str, _params: object) -> bool:
        """Keep what only a statement that has not run yet tells; called by SQLite."""
        self._shape = (cursor.is_readonly, cursor.get_description())
        self._asked_at_look = self._authorizer.asked
        return True

    def _is_overdue(self) -> bool:
        return time.monotonic() > self._deadline

    def _look_again(self, cursor: apsw.Cursor) -> None:
        """Another program changed the schema: the statement was compiled anew, with other columns perhaps."""
        try:
            # Not get_description(): that one keeps what it said before.
            self._shape = (cursor.is_readonly, cursor.description)
        except apsw.ExecutionCompleteError:
            return  # no rows: what the columns were called before will do

    def _run(self, statements: Sequence[D1Statement]) -> D1Answer:
        database = self._database()
        self._deadline = 0.0 if self._is_closed else time.monotonic() + self._max_query_s
        is_reading = all(statement.sql.lstrip()[:7].lower().startswith(_READING) for statement in statements)
        size_before = self._size_bytes
        results: list[D1Result] = []
        try:
            database.execute(self._own["read" if is_reading else "write"])
            results.extend(self._execute(database, statement) for statement in statements)
            if not is_reading:
                results = self._with_size(database, results)
            bookmark = self._count_call(database, is_reading=is_reading)
            database.execute(self._own["commit"])
        except apsw.Error as error:
            raise self._failure(error, len(results)) from error
        except UnicodeDecodeError as error:
            raise SqlError("text in the result is not UTF-8", code="SQLITE_ERROR") from error
        finally:
            self._authorizer.is_trusted = True
            if database.in_transaction:
                self._size_bytes = size_before
                self._deadline = float("inf")
                database.execute(self._own["rollback"])
        return D1Answer(results, bookmark)

    def _count_call(self, database: apsw.Connection, *, is_reading: bool) -> int:
        bookmark, self._bookmark = self._bookmark, self._bookmark + 1
        is_new = not self._has_metadata
        if is_new:
            database.execute(_METADATA, can_cache=False)
        if is_new or not is_reading:
            database.execute(self._own["count"], (self._bookmark,))
        if is_new:
            self._has_metadata, self._size_bytes = True, self._read_size(database)
            self._counter.note_schema()
        return bookmark

    def _execute(self, database: apsw.Connection, statement: D1Statement) -> D1Result:
        started = time.perf_counter()
        changes_before, size_before = database.total_changes(), self._size_bytes
        *early, last = split_statements(statement.sql)
        authorizer = self._authorizer
        authorizer.is_trusted = False
        for piece in early:
            self._step(database, piece)
        cursor = self._cursor
        authorizer.forget()
        try:
            cursor.execute(_statement(last), statement.params)
            if authorizer.asked != self._asked_at_look:
                self._look_again(cursor)
            rows = cursor.fetchall()
        except apsw.BindingsError as error:
            raise StatementRefused(Refusal.PARAMETER_COUNT) from error
        authorizer.is_trusted = True
        is_readonly, description = self._shape
        changed = database.total_changes() - changes_before
        plan = self._counter.plan(last)
        written = 0
        if not is_readonly or early:
            if plan.creations or early:
                self._size_bytes = self._read_size(database)
            direct = database.changes() if changed else 0
            written = self._counter.rows_written(plan, changed=direct if early else changed, changed_directly=direct)
        return D1Result(
            [column[0] for column in description],
            rows,
            D1Meta(
                duration_ms=(time.perf_counter() - started) * 1000,
                changes=changed,
                last_row_id=database.last_insert_rowid(),
                changed_db=changed != 0 or self._size_bytes != size_before,
                size_after=self._size_bytes,
                rows_read=(len(rows) if is_readonly else changed) if plan.reads_tables else 0,
                rows_written=written,
            ),
        )

    def _with_size(self, database: apsw.Connection, results: list[D1Result]) -> list[D1Result]:
        """Look at the size once a call, not once a statement: it takes longer than an insert."""
        size_bytes = self._read_size(database)
        if size_bytes == self._size_bytes:
            return results
        self._size_bytes = size_bytes
        last = results.pop()
        return [*results, last._replace(meta=last.meta._replace(size_after=size_bytes))]

    def _read_size(self, database: apsw.Connection) -> int:
        pages = database.execute(self._own["pages"]).get - database.execute(self._own["free"]).get
        return max(int(pages), 1) * self._page_bytes

    def _step(self, database: apsw.Connection, sql: str) -> None:
        """Run a statement that is not the last: its rows are not looked at."""
        try:
            database.execute(_statement(sql), ()).close(True)  # noqa: FBT003 - positional only
        except apsw.BindingsError as error:
            raise StatementRefused(Refusal.EARLY_PARAMETERS) from error

    def _failure(self, error: apsw.Error, statement: int) -> Exception:
        if isinstance(error, apsw.BusyError | apsw.LockedError | apsw.CorruptError | apsw.NotADBError):
            return engine_error(error, self.path)
        if self._authorizer.refused_transaction:
            return StatementRefused(Refusal.TRANSACTION)
        result, extended_result = getattr(error, "result", 1), getattr(error, "extendedresult", 1)
        code = apsw.mapping_result_codes.get(result & 0xFF, "SQLITE_ERROR")
        extended = apsw.mapping_extended_result_codes.get(extended_result)
        offset = getattr(error, "error_offset", -1)
        failure = SqlError(
            str(error),
            code=str(code),
            extended_code=None if extended is None else str(extended),
            offset=offset if offset >= 0 else None,
        )
        failure.statement = statement
        return failure


def _statement(piece: str) -> str:
    if not piece:
        raise StatementRefused(Refusal.NO_STATEMENT)
    return piece
