"""What SQL may do in a database: the rules that SQLite asks for while it compiles a statement.

Source: recorded, contracts/d1, d1.pragma.* and d1.tx.denied; developers.cloudflare.com/d1/sql-api/sql-statements
"""

from __future__ import annotations

import sqlite3
from typing import Final

from pyworkers.engines.d1 import allowed
from pyworkers.engines.d1.protocol import SqlError

# The engine's own tables; SQL may list them and no more.
RESERVED_PREFIX: Final = "_cf_"

# Schema changes, and which of SQLite's two names is the table or view.
_CREATIONS: Final = {
    sqlite3.SQLITE_CREATE_INDEX: 1,
    sqlite3.SQLITE_CREATE_TABLE: 0,
    sqlite3.SQLITE_CREATE_TRIGGER: 1,
    sqlite3.SQLITE_CREATE_VIEW: 0,
    sqlite3.SQLITE_CREATE_VTABLE: 0,
    sqlite3.SQLITE_DROP_INDEX: 1,
    sqlite3.SQLITE_DROP_TABLE: 0,
    sqlite3.SQLITE_DROP_TRIGGER: 1,
    sqlite3.SQLITE_DROP_VIEW: 0,
    sqlite3.SQLITE_DROP_VTABLE: 0,
    sqlite3.SQLITE_ALTER_TABLE: 1,
}
_WRITES: Final = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_TEMPORARY: Final = frozenset(
    {
        sqlite3.SQLITE_CREATE_TEMP_INDEX,
        sqlite3.SQLITE_CREATE_TEMP_TABLE,
        sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
        sqlite3.SQLITE_CREATE_TEMP_VIEW,
        sqlite3.SQLITE_DROP_TEMP_INDEX,
        sqlite3.SQLITE_DROP_TEMP_TABLE,
        sqlite3.SQLITE_DROP_TEMP_TRIGGER,
        sqlite3.SQLITE_DROP_TEMP_VIEW,
    }
)
_REFUSED_FUNCTION: Final = "not authorized to use function:"


class Authorizer:
    """Answers SQLite's questions, and keeps what a statement said about itself while it was compiled.

    Attributes:
        is_trusted: the engine's own statements are running: everything is allowed.
        is_new: set before a statement runs; still set after it where SQLite asked nothing, for it was compiled before.
        refused_transaction: the statement tried to control transactions.
        absent: the function or table that the statement uses and the platform does not have, as SQLite reports it.
        writes: the tables that the statement writes, as (action, table, column or None, depth is 0).
        creations: the schema changes of the statement, as (action, the table or view that they concern).
        tables: the tables that the statement reads.
        calls_functions: the statement calls a function.
        counts: the statement calls `count`.
        is_lengthy: the statement calls a function one call of which may take long.
    """

    def __init__(self) -> None:
        self.is_trusted = True
        self.is_new = False
        self._forget()

    def _forget(self) -> None:
        self.is_new = False
        self.refused_transaction = False
        self.absent: tuple[str, str] | None = None
        self.writes: list[tuple[int, str, str | None, bool]] = []
        self.creations: list[tuple[int, str]] = []
        self.tables: set[str] = set()
        self.calls_functions = False
        self.counts = False
        self.is_lengthy = False

    def explain(self, error: SqlError) -> SqlError:
        """Return SQLite's error about a refused statement as the platform's SQLite would have it."""
        if self.absent is None or error.sqlite_code not in ("SQLITE_AUTH", "SQLITE_ERROR"):
            return error
        kind, name = self.absent
        if kind == "table":
            return SqlError(f"no such table: {name}", code="SQLITE_ERROR")
        message = error.message.replace(_REFUSED_FUNCTION, "no such function:")
        return SqlError(message, code=error.sqlite_code, extended_code=error.extended_code, offset=error.offset)

    def __call__(
        self, action: int, first: str | None, second: str | None, database: str | None, source: str | None
    ) -> int:
        """Allow or deny one action; called by SQLite."""
        if self.is_trusted:
            return sqlite3.SQLITE_OK
        if self.is_new:
            self._forget()
        if action == sqlite3.SQLITE_READ:
            return self._read(first or "")
        if action == sqlite3.SQLITE_FUNCTION:
            return self._function(second or "")
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return sqlite3.SQLITE_OK
        if action in (sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT):
            self.refused_transaction = True
            return sqlite3.SQLITE_DENY
        if action in _TEMPORARY or action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH):
            return sqlite3.SQLITE_DENY
        if action in _WRITES:
            return self._write(action, first or "", second, source)
        if database == "temp":
            return sqlite3.SQLITE_DENY
        if action in _CREATIONS:
            return self._create(action, first or "", second or "")
        if action == sqlite3.SQLITE_PRAGMA:
            return sqlite3.SQLITE_OK if _is_allowed_pragma(first or "", second) else sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    def _read(self, table: str) -> int:
        if table in allowed.ABSENT_TABLES:
            self.absent = ("table", table)
            return sqlite3.SQLITE_DENY
        if table.startswith(RESERVED_PREFIX):
            return sqlite3.SQLITE_DENY
        self.tables.add(table)
        return sqlite3.SQLITE_OK

    def _function(self, name: str) -> int:
        # A column's default keeps its spelling: CURRENT_TIMESTAMP.
        self.calls_functions = True
        if name.lower() == allowed.COUNT:
            self.counts = True
        if name.lower() in allowed.LENGTHY_FUNCTIONS:
            self.is_lengthy = True
        if name.lower() in allowed.FUNCTIONS or name.startswith(allowed.INTERNAL_FUNCTIONS):
            return sqlite3.SQLITE_OK
        if name not in allowed.REFUSED_FUNCTIONS:
            self.absent = ("function", name)
        return sqlite3.SQLITE_DENY

    def _write(self, action: int, table: str, column: str | None, source: str | None) -> int:
        if table.startswith(RESERVED_PREFIX):
            return sqlite3.SQLITE_DENY
        if not table.startswith("sqlite_"):
            self.writes.append((action, table, column, source is None))
        return sqlite3.SQLITE_OK

    def _create(self, action: int, first: str, second: str) -> int:
        is_alter = action == sqlite3.SQLITE_ALTER_TABLE
        if second.startswith(RESERVED_PREFIX) or (first.startswith(RESERVED_PREFIX) and not is_alter):
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_CREATE_VTABLE and second.lower() not in allowed.VIRTUAL_TABLES:
            return sqlite3.SQLITE_DENY
        self.creations.append((action, (first, second)[_CREATIONS[action]]))
        return sqlite3.SQLITE_OK


def _is_allowed_pragma(name: str, argument: str | None) -> bool:
    """Tell whether a pragma may run; the platform compares its name as it is written."""
    if name == "data_version":  # FTS5 asks it of itself
        return argument is None
    if name in allowed.FLAG_PRAGMAS:
        return argument is None or argument.lower() in allowed.FLAGS
    is_reserved = argument is not None and argument.startswith(RESERVED_PREFIX)
    if name in allowed.OBJECT_PRAGMAS:
        return argument is not None and not is_reserved
    return name in allowed.OPTIONAL_OBJECT_PRAGMAS and not is_reserved
