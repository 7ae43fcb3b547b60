"""A connection through apsw: a current SQLite on every machine, whose errors tell where in the statement they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from pyworkers.engines.d1.authorizer import Authorizer
from pyworkers.engines.d1.connection import (
    STATEMENTS_KEPT,
    STEPS_BETWEEN_LOOKS,
    STEPS_BETWEEN_QUICK_LOOKS,
    Rows,
)
from pyworkers.engines.d1.limits import FLOAT_DIGITS, LIMITS, MAX_SQL_BYTES
from pyworkers.engines.d1.protocol import D1Value, Refusal, SqlError, StatementRefused
from pyworkers.engines.d1.split import explains
from pyworkers.engines.sqlite import BUSY_TIMEOUT_MS, LogMover, engine_error, open_database

_UNUSABLE: Final = (apsw.BusyError, apsw.LockedError, apsw.CorruptError, apsw.NotADBError)


class ApswConnection:
    """A database file, or one in memory.

    Args:
        path: the file; None keeps everything in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._database = open_database(path, statements_kept=STATEMENTS_KEPT)
        try:
            self._database.execute("PRAGMA foreign_keys = ON", can_cache=False)
            self._database.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
            self._database.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
            # A statement's plan is not to depend on the values bound to it: SQLite would compile it anew for each.
            self._database.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
            if hasattr(apsw, "SQLITE_DBCONFIG_FP_DIGITS"):
                self._database.config(apsw.SQLITE_DBCONFIG_FP_DIGITS, FLOAT_DIGITS)
        except BaseException as error:
            self._database.close()
            if isinstance(error, apsw.Error):
                raise engine_error(error, path) from error
            raise
        self._log = LogMover(path, "d1-checkpoint")
        self._log.watch(self._database)
        self.total_changes = self._database.total_changes
        self.changes = self._database.changes
        self.last_insert_rowid = self._database.last_insert_rowid
        self._cursor = self._database.cursor()
        self._tracing = self._database.cursor()
        self._tracing.exec_trace = self._look
        self._columns: list[str] = []
        self._is_look_only = False

    @property
    def in_transaction(self) -> bool:
        """Tell whether a transaction is open."""
        return self._database.in_transaction

    def restrict(self, authorizer: Authorizer, is_overdue: Callable[[], bool]) -> None:
        """Set the platform's limits; from now on the authorizer is asked, and what is overdue interrupted."""
        for name, value in LIMITS.items():
            self._database.limit(getattr(apsw, name), value)
        self._database.authorizer = authorizer
        self._is_overdue = is_overdue
        self.hurry(is_hurried=False)

    def hurry(self, *, is_hurried: bool) -> None:
        """Look at the time often and wait for no lock of another process; or as it was before."""
        steps = STEPS_BETWEEN_QUICK_LOOKS if is_hurried else STEPS_BETWEEN_LOOKS
        self._database.set_progress_handler(self._is_overdue, steps)
        self._database.set_busy_timeout(0 if is_hurried else BUSY_TIMEOUT_MS)

    def own(self, sql: str, params: tuple[D1Value, ...] = (), *, is_kept: bool = False) -> D1Value:
        """Run a statement of the engine's; return the first value of its first row, None where there is none."""
        try:
            found: D1Value = self._database.execute(sql, params, can_cache=is_kept).get
        except apsw.Error as error:
            raise self._failure(error, sql) from error
        return found

    def query(self, sql: str, params: tuple[D1Value, ...]) -> tuple[list[str], Rows]:
        """Run a statement; return the names of its columns, and its rows."""
        cursor = self._tracing
        try:
            cursor.execute(sql, params, can_cache=not explains(sql))
            self._look_again(cursor)
            return self._columns, cursor.fetchall()
        except UnicodeDecodeError:
            return self._columns, self._lossy_rows(sql, params)
        except apsw.Error as error:
            raise self._failure(error, sql) from error

    def rows(self, sql: str, params: tuple[D1Value, ...]) -> Rows:
        """Run a statement whose columns are known."""
        try:
            return self._cursor.execute(sql, params).fetchall()
        except UnicodeDecodeError:
            return self._lossy_rows(sql, params)
        except apsw.Error as error:
            raise self._failure(error, sql) from error

    def change(self, sql: str, params: tuple[D1Value, ...]) -> Rows:
        """Run a statement that has no columns; returns no rows."""
        try:
            self._cursor.execute(sql, params)
        except apsw.Error as error:
            raise self._failure(error, sql) from error
        return []

    def columns(self, sql: str, params: tuple[D1Value, ...]) -> list[str]:
        """Return the names of the columns of a query that has just run."""
        self._is_look_only = True
        try:
            self._tracing.execute(sql, params)
        except apsw.ExecTraceAbort:
            return self._columns
        finally:
            self._is_look_only = False
        return self._columns

    def step(self, sql: str) -> None:
        """Run a statement without values whose rows nobody wants."""
        try:
            self._database.execute(sql, (), can_cache=not explains(sql)).close(True)  # noqa: FBT003 - positional only
        except apsw.Error as error:
            raise self._failure(error, sql) from error

    def close(self) -> None:
        """Give the file back."""
        self._log.join()
        self._database.close()

    def _look(self, cursor: apsw.Cursor, _sql: str, _params: object) -> bool:
        """Keep what only a statement that has not run yet tells; called by SQLite. False ends it before it runs."""
        self._columns = [column[0] for column in cursor.get_description()]
        return not self._is_look_only

    def _look_again(self, cursor: apsw.Cursor) -> None:
        """Another program may have changed the schema: the statement was compiled anew, with other columns perhaps."""
        try:
            # Not get_description(): that one keeps what it said before.
            self._columns = [column[0] for column in cursor.description]
        except apsw.ExecutionCompleteError:
            return  # no rows: what the columns were called before will do

    def _lossy_rows(self, sql: str, params: tuple[D1Value, ...]) -> Rows:
        """Run a query again whose text is not UTF-8, which apsw refuses: texts as digits, wrong bytes as U+FFFD."""
        names = [f"c{index}" for index in range(len(self.columns(sql, params)))]
        digits = ", ".join(
            f"CASE typeof({name}) WHEN 'text' THEN 't' || hex(CAST({name} AS BLOB)) ELSE {name} END" for name in names
        )
        query = f"WITH found ({', '.join(names)}) AS ({sql.rstrip().rstrip(';')}\n) SELECT {digits} FROM found"  # noqa: S608
        try:
            rows: Rows = self._database.execute(query, params, can_cache=False).fetchall()
        except apsw.Error as error:  # what changes rows cannot be run again
            raise SqlError("text in the result is not UTF-8", code="SQLITE_ERROR") from error
        return [tuple(_from_digits(value) if isinstance(value, str) else value for value in row) for row in rows]

    def _failure(self, error: apsw.Error, sql: str) -> Exception:
        if isinstance(error, apsw.BindingsError):
            return StatementRefused(Refusal.PARAMETER_COUNT)
        if isinstance(error, _UNUSABLE):
            return engine_error(error, self._path)
        message = str(error)
        if isinstance(error, apsw.TooBigError) and len(sql.encode()) > MAX_SQL_BYTES:
            message = "statement too long"
        result, extended_result = getattr(error, "result", 1), getattr(error, "extendedresult", 1)
        extended = apsw.mapping_extended_result_codes.get(extended_result)
        offset = getattr(error, "error_offset", -1)
        return SqlError(
            message,
            code=str(apsw.mapping_result_codes.get(result & 0xFF, "SQLITE_ERROR")),
            extended_code=None if extended is None else str(extended),
            offset=offset if offset >= 0 else None,
        )


def _from_digits(value: str) -> str:
    return bytes.fromhex(value[1:]).decode("utf-8", "replace")
