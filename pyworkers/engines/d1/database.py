"""A D1 database: calls as transactions, each statement's rows and what it did.

Source: recorded, contracts/d1
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from time import perf_counter, thread_time
from typing import Final

from pyworkers.engines.d1.authorizer import Authorizer
from pyworkers.engines.d1.connection import D1Connection, Rows
from pyworkers.engines.d1.counting import RowCounter
from pyworkers.engines.d1.deadline import Deadline
from pyworkers.engines.d1.known import (
    Known,
    KnownStatements,
    Pace,
    begins_as_reading,
    may_be_brief,
    params_of,
    sql_of,
)
from pyworkers.engines.d1.limited import Rewritten, rewrite_limited
from pyworkers.engines.d1.protocol import (
    D1Answer,
    D1Meta,
    D1Result,
    D1Statement,
    D1Value,
    Refusal,
    SqlError,
    StatementRefused,
)
from pyworkers.engines.d1.split import checked, split_statements
from pyworkers.errors import EngineBusy

# How long a call may take while the event loop waits for it.
AT_ONCE_S: Final = 0.002

# The platform keeps its own things in a table of this name, which listings show. Key 2 counts the calls.
_METADATA: Final = """CREATE TABLE IF NOT EXISTS _cf_METADATA (
        key INTEGER PRIMARY KEY,
        value BLOB
      )"""
_OWN_STATEMENTS: Final = {
    "read": "BEGIN",
    "write": "BEGIN IMMEDIATE",
    "commit": "COMMIT",
    "rollback": "ROLLBACK",
    "pages": "PRAGMA page_count",
    "free": "PRAGMA freelist_count",
    "count": "INSERT INTO _cf_METADATA VALUES (2, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
}


new_tuple: Final = tuple.__new__


class Database:
    """One database; everything but `interrupt` is used by one thread at a time.

    Args:
        connect: opens a connection; called by the first call.
        max_query_s: how long one call may run, in real time.
    """

    def __init__(self, connect: Callable[[], D1Connection], *, max_query_s: float) -> None:
        self._connect = connect
        self._max_query_s = max_query_s
        self._authorizer = Authorizer()
        self._deadline = Deadline(perf_counter)
        self._is_hurried = False
        self._bookmark = 0
        self._has_metadata = False
        self._size_bytes = 0
        self._changes = 0
        self._last_rowid = 0
        self._ended_s = 0.0
        self._paced_s = 0.0
        self._pace_clock: Callable[[], float] = thread_time
        self._connected: D1Connection | None = None
        self._counter: RowCounter
        self._known = KnownStatements()
        # A compiled statement is kept under its text and not asked about again: a worker must not guess the texts of
        # the engine's own statements.
        mark = f"/* {secrets.token_hex(16)} */"
        self._own = {name: f"{sql} {mark}" for name, sql in _OWN_STATEMENTS.items()}

    def interrupt(self) -> None:
        """End what runs, and whatever comes; from any thread."""
        self._deadline.interrupt()

    def close(self) -> None:
        """Give the file back; idempotent."""
        connection, self._connected = self._connected, None
        if connection is not None:
            connection.close()

    def run(self, statements: Sequence[D1Statement]) -> D1Answer:
        """Run statements in one transaction; a result for each."""
        connection = self._connection()
        self._hurry(connection, is_hurried=False)
        return self._run(connection, statements, self._max_query_s)

    def are_brief(self, statements: Sequence[D1Statement]) -> bool:
        """Tell whether statements took so little time before that the event loop may wait for them."""
        return self._connected is not None and self._has_metadata and self._known.are_brief(statements)

    def run_at_once(self, statements: Sequence[D1Statement]) -> D1Answer | None:
        """Run statements while the event loop waits, where they are brief.

        Returns:
            None: they may take long, and nothing of them has happened.
        """
        connection = self._connected
        if connection is None or not self.are_brief(statements):
            return None
        self._hurry(connection, is_hurried=True)
        try:
            return self._run(connection, statements, AT_ONCE_S)
        except EngineBusy:
            return None
        except SqlError:
            if not self._deadline.has_passed:
                raise
            self._known.note_overrun(statements)
            return None

    # ---- a call

    def _hurry(self, connection: D1Connection, *, is_hurried: bool) -> None:
        if self._is_hurried is not is_hurried:
            self._is_hurried = is_hurried
            # A thread waits for Python's lock, again and again: that is none of the statements' time.
            self._pace_clock = perf_counter if is_hurried else thread_time
            connection.hurry(is_hurried=is_hurried)

    def _run(self, connection: D1Connection, statements: Sequence[D1Statement], limit_s: float) -> D1Answer:
        self._deadline.begin(limit_s)
        is_reading = all(self._is_reading(statement.sql) for statement in statements)
        before, is_done = (self._size_bytes, self._bookmark, self._has_metadata), False
        results: list[D1Result] = []
        is_one_query = self._has_metadata and len(statements) == 1 and self._is_known_query(statements[0].sql)
        try:
            if not is_one_query:  # which is a transaction of its own
                connection.own(self._own["read" if is_reading else "write"], is_kept=True)
            self._changes = connection.total_changes()
            self._ended_s, self._paced_s = perf_counter(), self._pace_clock()
            self._authorizer.is_trusted = False
            self._execute_all(connection, statements, results)
            self._authorizer.is_trusted = True
            if not is_reading:
                self._note_size(connection, results)
            bookmark = self._count_call(connection, is_reading=is_reading)
            if not is_one_query:
                self._settle(connection, "commit")
            is_done = True
        except SqlError as error:
            explained = self._explained(error)
            if isinstance(explained, SqlError):
                explained.statement = len(results)
            raise explained from error
        finally:
            self._authorizer.is_trusted = True
            if not is_done:
                self._size_bytes, self._bookmark, self._has_metadata = before
                if connection.in_transaction:
                    self._settle(connection, "rollback")
        return D1Answer(results, bookmark)

    def _settle(self, connection: D1Connection, how: str) -> None:
        """End the transaction, however long it takes.

        SQLite looks at the time once more after a statement has ended, so that one that has committed could be said to
        have been interrupted.
        """
        self._deadline.lifted(lambda: connection.own(self._own[how], is_kept=True))

    def _connection(self) -> D1Connection:
        if self._connected is not None:
            return self._connected
        connection = self._connect()
        try:
            self._has_metadata = bool(connection.own("SELECT 1 FROM sqlite_master WHERE name = '_cf_METADATA'"))
            stored = connection.own("SELECT value FROM _cf_METADATA WHERE key = 2") if self._has_metadata else None
            self._bookmark = stored if isinstance(stored, int) else 0
            self._counter = RowCounter(connection, self._authorizer)
            self._page_bytes = _count(connection.own("PRAGMA page_size"))
            self._size_bytes = self._read_size(connection)
        except BaseException:
            connection.close()
            raise
        connection.restrict(self._authorizer, self._deadline.is_overdue)
        self._connected = connection
        return connection

    def _is_reading(self, sql: str) -> bool:
        known = self._known.get(sql)
        return begins_as_reading(sql) if known is None else not known.plan.writes

    def _is_known_query(self, sql: str) -> bool:
        return sql[:6].lower() == "select" and self._known.get(sql) is not None

    def _count_call(self, connection: D1Connection, *, is_reading: bool) -> int:
        bookmark, self._bookmark = self._bookmark, self._bookmark + 1
        is_new = not self._has_metadata
        if is_new:
            connection.own(_METADATA)
        if is_new or not is_reading:
            connection.own(self._own["count"], (self._bookmark,), is_kept=True)
        if is_new:
            self._has_metadata, self._size_bytes = True, self._read_size(connection)
            self._counter.note_schema()
        return bookmark

    def _explained(self, error: SqlError) -> Exception:
        authorizer = self._authorizer
        if authorizer.is_new:  # not asked about this statement
            return error
        if authorizer.refused_transaction:
            return StatementRefused(Refusal.TRANSACTION)
        return authorizer.explain(error)

    # ---- a statement

    def _execute_all(
        self, connection: D1Connection, statements: Sequence[D1Statement], results: list[D1Result]
    ) -> None:
        """Run statements and append their results."""
        for sql, alike in groupby(statements, sql_of):
            waiting = deque(map(params_of, alike))
            while waiting:
                known = self._known.use(sql)
                if known is None or not known.plan.is_simple:
                    results.append(self._execute(connection, sql, waiting.popleft()))
                else:
                    self._execute_alike(connection, sql, known, waiting, results)

    def _execute_alike(
        self,
        connection: D1Connection,
        sql: str,
        known: Known,
        waiting: deque[tuple[D1Value, ...]],
        results: list[D1Result],
    ) -> None:
        """Run a simple statement with one list of values after another, until it is compiled anew; append the results.

        A batch runs hundreds: this calls little.
        """
        run, columns, plan, pace = known
        authorizer, deadline = self._authorizer, self._deadline
        execute = connection.rows if columns else connection.change
        total_changes, last_insert_rowid = connection.total_changes, connection.last_insert_rowid
        total, rowid, ended_s, size_bytes = self._changes, self._last_rowid, self._ended_s, self._size_bytes
        writes, reads_tables, direct = plan.writes, plan.reads_tables, plan.direct
        before = len(results)
        try:
            while waiting:
                params = waiting.popleft()
                authorizer.is_new = True
                rows = execute(run, params)
                if not authorizer.is_new:
                    break
                was_total, was_s = total, ended_s
                total, rowid, ended_s = total_changes(), last_insert_rowid(), perf_counter()
                changed = total - was_total
                read = (changed if writes else len(rows)) if reads_tables else 0
                # tuple.__new__ is what their own constructors call.
                meta = new_tuple(
                    D1Meta, ((ended_s - was_s) * 1000, changed, rowid, changed != 0, size_bytes, read, changed * direct)
                )
                results.append(new_tuple(D1Result, (columns, rows, meta)))
                if ended_s > deadline.at_s:
                    deadline.has_passed = True
                    raise SqlError("interrupted", code="SQLITE_INTERRUPT")
        finally:
            self._changes, self._last_rowid, self._ended_s = total, rowid, ended_s
        self._note_pace(pace, len(results) - before)
        if not authorizer.is_new:  # the schema is another one than it was
            results.append(self._result(connection, self._learn_again(connection, sql, known, params), rows))

    def _execute(self, connection: D1Connection, sql: str, params: tuple[D1Value, ...]) -> D1Result:
        known = self._known.get(sql)
        if known is None:
            return self._execute_unknown(connection, sql, params)
        self._authorizer.is_new = True
        rows = connection.rows(known.sql, params)
        if not self._authorizer.is_new:
            known = self._learn_again(connection, sql, known, params)
        return self._result(connection, known, rows)

    def _learn_again(self, connection: D1Connection, sql: str, known: Known, params: tuple[D1Value, ...]) -> Known:
        columns = connection.columns(known.sql, params) if known.columns else []
        return self._learn(connection, sql, known.sql, params, columns)

    def _execute_unknown(self, connection: D1Connection, sql: str, params: tuple[D1Value, ...]) -> D1Result:
        *early, last = split_statements(sql)
        for piece in early:
            self._authorizer.is_new = True
            try:
                connection.step(checked(piece))
            except StatementRefused as error:
                is_count = error.refusal is Refusal.PARAMETER_COUNT
                raise StatementRefused(Refusal.EARLY_PARAMETERS) if is_count else error from error
        known = self._known.get(last)
        self._authorizer.is_trusted = True
        rewritten = rewrite_limited(checked(last), connection) if known is None else Rewritten(known.sql)
        self._authorizer.is_trusted = False
        self._authorizer.is_new = True
        try:
            columns, rows = connection.query(rewritten.sql, params)
        except SqlError as error:
            raise rewritten.original(error) from error
        if known is None or not self._authorizer.is_new:
            known = self._learn(connection, last, rewritten.sql, params, columns)
        return self._result(connection, known, rows, is_last_of_several=bool(early))

    def _learn(
        self, connection: D1Connection, sql: str, run: str, params: tuple[D1Value, ...], columns: list[str]
    ) -> Known:
        self._authorizer.is_trusted = True
        plan = self._counter.plan()
        if self._authorizer.counts and plan.is_steady and may_be_brief(run):
            instructions = {row[1] for row in connection.query(f"EXPLAIN {run}", params)[1]}
            plan = replace(plan, is_steady="Count" not in instructions)
        self._authorizer.is_trusted = False
        return self._known.learn(sql, run, columns, plan)

    def _result(
        self,
        connection: D1Connection,
        known: Known,
        rows: Rows,
        *,
        is_last_of_several: bool = False,
    ) -> D1Result:
        sql, columns, plan, pace = known
        total = connection.total_changes()
        changed = total - self._changes
        self._changes = total
        last_rowid = connection.last_insert_rowid()
        size_before, written = self._size_bytes, 0
        self._authorizer.is_trusted = True
        if plan.creations or is_last_of_several:
            self._size_bytes = self._read_size(connection)
        if plan.writes:
            direct = connection.changes() if changed else 0
            written = self._counter.rows_written(
                plan,
                sql,
                changed=direct if is_last_of_several else changed,
                direct=direct,
                has_new_rowid=last_rowid != self._last_rowid,
            )
        self._authorizer.is_trusted = False
        self._last_rowid = last_rowid
        read = (changed if plan.writes else len(rows)) if plan.reads_tables else 0
        started_s, self._ended_s = self._ended_s, perf_counter()
        self._note_pace(pace, 1)
        meta = D1Meta(
            (self._ended_s - started_s) * 1000,
            changed,
            last_rowid,
            changed != 0 or self._size_bytes != size_before,
            self._size_bytes,
            read,
            written,
        )
        return D1Result(columns, rows, meta)

    def _note_pace(self, pace: Pace | None, runs: int) -> None:
        """Take in what the runs of a statement took since the last one that was another."""
        was_s, self._paced_s = self._paced_s, self._pace_clock()
        if pace is not None and runs:
            pace.note((self._paced_s - was_s) / runs)

    def _note_size(self, connection: D1Connection, results: list[D1Result]) -> None:
        """Look at the size once a call, not once a statement: it takes longer than an insert."""
        size_bytes = self._read_size(connection)
        if size_bytes != self._size_bytes:
            self._size_bytes = size_bytes
            last = results[-1]
            results[-1] = last._replace(meta=last.meta._replace(size_after=size_bytes))

    def _read_size(self, connection: D1Connection) -> int:
        pages = _count(connection.own(self._own["pages"], is_kept=True))
        free = _count(connection.own(self._own["free"], is_kept=True))
        return max(pages - free, 1) * self._page_bytes


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
