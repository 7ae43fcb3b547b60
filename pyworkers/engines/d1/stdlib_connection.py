"""A connection through Python's own sqlite3: the SQLite of the machine, whose errors do not tell where they are."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pyworkers.engines.d1.authorizer import Authorizer
from pyworkers.engines.d1.connection import STEPS_BETWEEN_LOOKS, STEPS_BETWEEN_QUICK_LOOKS, Rows
from pyworkers.engines.d1.limits import LIMITS
from pyworkers.engines.d1.protocol import D1Value, Refusal, SqlError, StatementRefused
from pyworkers.engines.d1.split import explains
from pyworkers.errors import EngineBusy, EngineCorrupt, EngineError

_CODES: Final = {
    getattr(sqlite3, f"SQLITE_{name}"): f"SQLITE_{name}"
    for name in (
        *("ERROR", "INTERNAL", "PERM", "ABORT", "BUSY", "LOCKED", "NOMEM", "READONLY", "INTERRUPT", "IOERR", "CORRUPT"),
        *("NOTFOUND", "FULL", "CANTOPEN", "PROTOCOL", "EMPTY", "SCHEMA", "TOOBIG", "CONSTRAINT", "MISMATCH", "MISUSE"),
        *("NOLFS", "AUTH", "FORMAT", "RANGE", "NOTADB"),
    )
}
# Names that the module does not know in every version of Python.
_EXTENDED: Final = {3_091: "SQLITE_CONSTRAINT_DATATYPE"}
# What a parameter is called in SQL, outside of texts, names in quotes and comments.
_PARAMETER: Final = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]]*\]"
    r"|(?P<name>\?\d*|[:@$][^\W]\w*(?:::\w+)*)",
    re.DOTALL,
)


class StdlibConnection:
    """A database file, or one in memory.

    Args:
        database: opened in autocommit mode (``isolation_level=None``).
        path: the file, for messages.
    """

    def __init__(self, database: sqlite3.Connection, path: Path | None) -> None:
        self._database = database
        self._path = path
        self._columns: list[str] = []
        self._explained = 0
        database.text_factory = _decode
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "trusted_schema = OFF"):
            self.own(f"PRAGMA {pragma}")

    @property
    def in_transaction(self) -> bool:
        """Tell whether a transaction is open."""
        return self._database.in_transaction

    def restrict(self, authorizer: Authorizer, is_overdue: Callable[[], bool]) -> None:
        """Set the platform's limits; from now on the authorizer is asked, and what is overdue interrupted."""
        for name, value in LIMITS.items():
            self._database.setlimit(getattr(sqlite3, name), value)
        self._database.set_authorizer(authorizer)
        self._is_overdue = is_overdue
        self.hurry(is_hurried=False)

    def hurry(self, *, is_hurried: bool) -> None:
        """Look at the time often, or as it was before; how long it waits for a lock was said when it was opened."""
        steps = STEPS_BETWEEN_QUICK_LOOKS if is_hurried else STEPS_BETWEEN_LOOKS
        self._database.set_progress_handler(self._is_overdue, steps)

    def own(self, sql: str, params: tuple[D1Value, ...] = (), *, is_kept: bool = False) -> D1Value:
        """Run a statement of the engine's; return the first value of its first row, None where there is none."""
        del is_kept  # what is compiled is always kept here
        try:
            row = self._database.execute(sql, _numbered(sql, params)).fetchone()
        except sqlite3.Error as error:
            raise self._failure(error) from error
        value: D1Value = None if row is None else row[0]
        return value

    def query(self, sql: str, params: tuple[D1Value, ...]) -> tuple[list[str], Rows]:
        """Run a statement; return the names of its columns, and its rows."""
        rows = self.rows(sql, params)
        return self._columns, rows

    def rows(self, sql: str, params: tuple[D1Value, ...]) -> Rows:
        """Run a statement whose columns are known."""
        if explains(sql):
            self._explained += 1
            sql = f"{sql}\n/* {self._explained} */"  # a text of its own, which is not compiled yet
        try:
            cursor = self._database.execute(sql, _numbered(sql, params))
            self._columns = [column[0] for column in cursor.description or ()]
            return cursor.fetchall()
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise self._failure(error) from error

    def change(self, sql: str, params: tuple[D1Value, ...]) -> Rows:
        """Run a statement that has no columns; returns no rows."""
        return self.rows(sql, params)

    def columns(self, sql: str, params: tuple[D1Value, ...]) -> list[str]:
        """Return the names of the columns of a query that has just run."""
        del sql, params
        return self._columns

    def step(self, sql: str) -> None:
        """Run a statement without values whose rows nobody wants."""
        self.rows(sql, ())

    def total_changes(self) -> int:
        """Return the rows changed since the connection was opened, triggers and cascades included."""
        return self._database.total_changes

    def changes(self) -> int:
        """Return the rows that the last INSERT, UPDATE or DELETE changed itself."""
        return self._database.execute("SELECT changes()").fetchone()[0]

    def last_insert_rowid(self) -> int:
        """Return the rowid of the last insert; 0 before the first."""
        return self._database.execute("SELECT last_insert_rowid()").fetchone()[0]

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    def _failure(self, error: Exception) -> Exception:
        return translated(error, self._path)


def translated(error: Exception, path: Path | None) -> Exception:
    """Return this project's error for one of sqlite3's."""
    extended: int | None = getattr(error, "sqlite_errorcode", None)
    if extended is None:  # of the module, not of SQLite
        if isinstance(error, sqlite3.DataError):
            return SqlError("statement too long", code="SQLITE_TOOBIG")
        is_count = "bind" in str(error)
        return StatementRefused(Refusal.PARAMETER_COUNT) if is_count else EngineError(str(error))
    code = _CODES.get(extended & 0xFF, "SQLITE_ERROR")
    name = _EXTENDED.get(extended, getattr(error, "sqlite_errorname", code))
    where = "the database in memory" if path is None else str(path)
    if code in ("SQLITE_BUSY", "SQLITE_LOCKED"):
        return EngineBusy(f"{where} is locked by another process", hint="end the program that writes to it")
    if code in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
        return EngineCorrupt(
            f"{where} cannot be read as a SQLite database: {error}", hint="move the file away, or restore a copy"
        )
    return SqlError(str(error), code=code, extended_code=name if name != code else None)


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _numbered(sql: str, params: tuple[D1Value, ...]) -> Any:
    """Return the values as sqlite3 wants them: those of parameters with names by name."""
    names = _parameters(sql)
    if not names:
        return params
    if len(names) != len(params):
        raise StatementRefused(Refusal.PARAMETER_COUNT)
    return dict(zip(names, params, strict=True))


@lru_cache(maxsize=1024)
def _parameters(sql: str) -> tuple[str, ...]:
    """Return the names of a statement's parameters in SQLite's order; () where they have none."""
    found = dict.fromkeys(match["name"] for match in _PARAMETER.finditer(sql) if match["name"])
    if not found or any(name[0] == "?" for name in found):
        return ()
    return tuple(name[1:] for name in found)
