"""SQL statements of an object, and the rows that are read as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw

from pyworkers.engines.d1.authorizer import Authorizer
from pyworkers.engines.d1.counting import Plan, RowCounter
from pyworkers.engines.d1.limits import MAX_SQL_BYTES
from pyworkers.engines.d1.protocol import Refusal, SqlError, StatementRefused
from pyworkers.engines.d1.split import explains, split_statements
from pyworkers.engines.durable.protocol import QueryCanceled, SqlValue
from pyworkers.engines.sqlite import engine_error

_UNUSABLE: Final = (apsw.BusyError, apsw.CorruptError, apsw.NotADBError)
_NO_PLAN: Final = Plan()
_PLANS_KEPT: Final = 64


class Cursor:
    """The rows of one statement.

    Attributes:
        columns: names, as often as the statement gives them.
        rows_read: an estimate: the rows given so far of a statement that reads tables.
        rows_written: rows and index entries written.
        is_canceled: everything was deleted while rows were left.
        is_done: nothing is left to read, and the file is free.
    """

    __slots__ = (
        "__weakref__", "_ahead", "_cursor", "_reads_tables", "columns", "is_canceled", "is_done", "rows_read",
        "rows_written",
    )  # fmt: skip

    def __init__(self, cursor: Any, columns: tuple[str, ...], *, reads_tables: bool, rows_written: int) -> None:
        self._cursor = cursor
        self.columns = columns
        self._reads_tables = reads_tables
        self.rows_read = 0
        self.rows_written = rows_written
        self.is_done = self.is_canceled = False
        self._ahead: tuple[SqlValue, ...] | None = None
        self._look_ahead()

    @classmethod
    def of_rows(cls, cursor: Any, columns: tuple[str, ...]) -> Cursor:
        """Return the rows of one of the engine's own statements."""
        return cls(cursor, columns, reads_tables=False, rows_written=0)

    def fetch(self) -> tuple[SqlValue, ...] | None:
        """Return the next row, or None at the end.

        Raises:
            QueryCanceled: everything was deleted meanwhile.
        """
        if self.is_canceled:
            raise QueryCanceled("the query was canceled because the database was deleted")
        row, self._ahead = self._ahead, None
        if row is not None:
            self._look_ahead()  # as the platform: a row is read before it is asked for
        return row

    def pairs(self) -> Iterator[tuple[str, bytes]]:
        """Yield rows of two columns, none read before it is asked for."""
        while self._ahead is not None or not self.is_done:
            if self._ahead is None:
                self._look_ahead()
            row, self._ahead = self._ahead, None
            if row is not None:
                yield row  # type: ignore[misc]  # a key and its value

    def note_plan(self, *, reads_tables: bool) -> None:
        """Begin to count: the first row is here already."""
        self._reads_tables = reads_tables
        self.rows_read = int(reads_tables and self._ahead is not None)

    def close(self) -> None:
        """Read no more; idempotent."""
        cursor, self._cursor = self._cursor, None
        self.is_done = True
        if cursor is not None:
            cursor.close(True)  # noqa: FBT003 - positional only

    def cancel(self) -> None:
        """Read no more: everything was deleted."""
        if not self.is_done or self._ahead is not None:
            self.is_canceled = True
        self.close()

    def _look_ahead(self) -> None:
        """Take the row that SQLite has stepped to."""
        if self.is_done:
            return
        try:
            self._ahead = self._cursor.fetchone()
        except apsw.Error as error:
            self.close()
            raise sql_failure(error, None, None) from error
        if self._ahead is None:
            self.close()
        elif self._reads_tables:
            self.rows_read += 1


class Known(NamedTuple):
    """What is known of a statement that stays compiled: SQLite is not asked about it again."""

    columns: tuple[str, ...]
    is_readonly: bool
    plan: Plan


class Statements:
    """Runs an object's SQL on a connection.

    Args:
        database: the connection; from now on the platform's rules are in force on it.
    """

    def __init__(self, database: apsw.Connection) -> None:
        self._database = database
        self.authorizer = Authorizer()
        self._counter = RowCounter(_OwnStatements(database), self.authorizer)  # type: ignore[arg-type]  # `own` is all it uses
        self._known: dict[str, Known] = {}
        self._seen: tuple[bool, tuple[str, ...]] = (True, ())
        database.authorizer = self.authorizer

    def run(self, sql: str, params: Sequence[SqlValue]) -> Cursor:
        """Run every statement of a text; the last one's rows are the cursor's.

        The rows of one that writes (``RETURNING``) are all read: SQLite commits nothing while one is left. So are those
        of an ``EXPLAIN``.

        Raises:
            SqlError: SQLite refused one; those before it stay.
            StatementRefused: the platform does.
        """
        if len(sql) > MAX_SQL_BYTES // 4 and len(sql.encode("utf-8", "replace")) > MAX_SQL_BYTES:
            raise SqlError("statement too long", code="SQLITE_TOOBIG", extended_code=None, offset=None)
        *early, last = split_statements(sql)
        database, authorizer = self._database, self.authorizer
        changes_before, rowid_before = database.total_changes(), database.last_insert_rowid()
        authorizer.is_trusted = False
        try:
            for piece in early:
                self._step(piece)
            if not last:
                raise StatementRefused(Refusal.NO_STATEMENT)
            cursor = database.cursor()
            cursor.exec_trace = self._look
            authorizer.is_new = True
            try:
                cursor.execute(last, tuple(params), can_cache=not explains(last))
            except apsw.BindingsError as error:
                raise StatementRefused(Refusal.PARAMETER_COUNT) from error
            source = cursor if self._seen[0] and not explains(last) else _Rows(cursor.fetchall())
            rows = Cursor(source, self._seen[1], reads_tables=False, rows_written=0)
        except apsw.Error as error:
            raise sql_failure(error, authorizer, sql) from error
        except UnicodeDecodeError:
            rows = self._decoded(last, params)
        finally:
            authorizer.is_trusted = True
        known = self._know(last)
        rows.note_plan(reads_tables=known.plan.reads_tables)
        if not known.is_readonly or early:
            changed = database.total_changes() - changes_before
            direct = database.changes() if changed else 0
            rows.rows_written = self._counter.rows_written(
                known.plan,
                last,
                changed=direct if early else changed,
                direct=direct,
                has_new_rowid=database.last_insert_rowid() != rowid_before,
            )
        return rows

    def _step(self, piece: str) -> None:
        if not piece:
            raise StatementRefused(Refusal.NO_STATEMENT)
        self.authorizer.is_new = True
        try:
            self._database.execute(piece, (), can_cache=not explains(piece)).close(True)  # noqa: FBT003 - positional only
        except apsw.BindingsError as error:
            raise StatementRefused(Refusal.EARLY_PARAMETERS) from error

    def _look(self, cursor: apsw.Cursor, _sql: str, _params: object) -> bool:
        """Keep what only a statement that has not run yet tells; called by SQLite."""
        self._seen = (cursor.is_readonly, tuple(column[0] for column in cursor.get_description()))
        return True

    def _know(self, sql: str) -> Known:
        known = self._known.get(sql)
        if known is not None and self.authorizer.is_new:  # SQLite asked nothing
            return known
        is_readonly, columns = self._seen
        plan = _NO_PLAN if self.authorizer.is_new else self._counter.plan()
        if len(self._known) >= _PLANS_KEPT:
            self._known.clear()
        known = self._known[sql] = Known(columns, is_readonly, plan)
        return known

    def _decoded(self, sql: str, params: Sequence[SqlValue]) -> Cursor:
        """Return a query's rows, its text not UTF-8: what is wrong in it becomes U+FFFD."""
        names = [f"c{index}" for index in range(len(self._seen[1]))]
        columns = ", ".join(f"typeof({name}), CAST({name} AS BLOB), {name} + 0" for name in names)
        query = f"WITH q({', '.join(names)}) AS ({sql.rstrip().rstrip(';')}) SELECT {columns} FROM q"  # noqa: S608
        columns_seen = self._seen[1]
        rows = self._database.execute(query, tuple(params), can_cache=False).fetchall()
        self._seen = (True, columns_seen)
        decoded = [tuple(map(_decode, row[0::3], row[1::3], row[2::3])) for row in rows]
        return Cursor(_Rows(decoded), columns_seen, reads_tables=False, rows_written=0)


class _OwnStatements:
    """What counts rows asks of a connection."""

    def __init__(self, database: apsw.Connection) -> None:
        self._database = database

    def own(self, sql: str, params: tuple[SqlValue, ...] = ()) -> SqlValue:
        """Return the first value of the first row; never kept compiled, for SQL may be asked about again."""
        found: SqlValue = self._database.execute(sql, params, can_cache=False).get
        return found


class _Rows:
    """Rows that are in memory, as apsw's cursor gives them."""

    def __init__(self, rows: list[tuple[SqlValue, ...]]) -> None:
        self._rows = iter(rows)

    def fetchone(self) -> tuple[SqlValue, ...] | None:
        return next(self._rows, None)

    def close(self, _force: bool) -> None:  # noqa: FBT001 - apsw's signature
        self._rows = iter(())


def _decode(kind: Any, data: Any, number: Any) -> SqlValue:
    if kind == "text":
        return bytes(data or b"").decode("utf-8", "replace")
    found: SqlValue = data if kind == "blob" else number
    return found


def sql_failure(error: apsw.Error, authorizer: Authorizer | None, sql: str | None, path: Path | None = None) -> Any:
    """Return this project's error for one of SQLite's."""
    if isinstance(error, _UNUSABLE):
        return engine_error(error, path)
    if authorizer is not None and authorizer.refused_transaction and not authorizer.is_new:
        return StatementRefused(Refusal.TRANSACTION)
    message = str(error)
    if sql is not None and isinstance(error, apsw.TooBigError) and len(sql.encode("utf-8", "replace")) > MAX_SQL_BYTES:
        message = "statement too long"
    result, extended_result = getattr(error, "result", 1), getattr(error, "extendedresult", 1)
    extended = apsw.mapping_extended_result_codes.get(extended_result)
    offset = getattr(error, "error_offset", -1)
    failure = SqlError(
        message,
        code=str(apsw.mapping_result_codes.get(result & 0xFF, "SQLITE_ERROR")),
        extended_code=None if extended is None else str(extended),
        offset=offset if offset >= 0 else None,
    )
    return failure if authorizer is None or authorizer.is_new else authorizer.explain(failure)
