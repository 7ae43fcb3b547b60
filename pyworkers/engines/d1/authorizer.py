"""What SQL may do in a database: the rules that SQLite asks for while it compiles a statement.

Source: recorded, contracts/d1, d1.pragma.* and d1.tx.denied; developers.cloudflare.com/d1/sql-api/sql-statements
"""

from __future__ import annotations

from typing import Final

import apsw

# The engine's own tables; SQL may list them and no more.
RESERVED_PREFIX: Final = "_cf_"

_FLAGS: Final = frozenset({"1", "0", "true", "false", "yes", "no", "on", "off"})
_FLAG_PRAGMAS: Final = frozenset(
    {
        "case_sensitive_like",
        "defer_foreign_keys",
        "foreign_keys",
        "ignore_check_constraints",
        "legacy_alter_table",
        "recursive_triggers",
        "reverse_unordered_selects",
    }
)
_OBJECT_PRAGMAS: Final = frozenset(
    {"foreign_key_list", "index_info", "index_list", "index_xinfo", "table_info", "table_xinfo"}
)
_OPTIONAL_OBJECT_PRAGMAS: Final = frozenset({"foreign_key_check", "optimize", "quick_check", "table_list"})
# Schema changes, and which of SQLite's two names is the table or view.
_CREATIONS: Final = {
    apsw.SQLITE_CREATE_INDEX: 1,
    apsw.SQLITE_CREATE_TABLE: 0,
    apsw.SQLITE_CREATE_TRIGGER: 1,
    apsw.SQLITE_CREATE_VIEW: 0,
    apsw.SQLITE_CREATE_VTABLE: 0,
    apsw.SQLITE_DROP_INDEX: 1,
    apsw.SQLITE_DROP_TABLE: 0,
    apsw.SQLITE_DROP_TRIGGER: 1,
    apsw.SQLITE_DROP_VIEW: 0,
    apsw.SQLITE_DROP_VTABLE: 0,
    apsw.SQLITE_ALTER_TABLE: 1,
}
_WRITES: Final = frozenset({apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE})
_TEMPORARY: Final = frozenset(
    {
        apsw.SQLITE_CREATE_TEMP_INDEX,
        apsw.SQLITE_CREATE_TEMP_TABLE,
        apsw.SQLITE_CREATE_TEMP_TRIGGER,
        apsw.SQLITE_CREATE_TEMP_VIEW,
        apsw.SQLITE_DROP_TEMP_INDEX,
        apsw.SQLITE_DROP_TEMP_TABLE,
        apsw.SQLITE_DROP_TEMP_TRIGGER,
        apsw.SQLITE_DROP_TEMP_VIEW,
    }
)


class Authorizer:
    """Answers SQLite's questions, and keeps what a statement said about itself while it was compiled.

    Attributes:
        is_trusted: the engine's own statements are running: everything is allowed.
        asked: how many questions there have been.
        refused_transaction: a statement tried to control transactions.
        writes: the tables that the statement writes, as (action, table, column or None, depth is 0).
        creations: the schema changes of the statement, as (action, the table or view that they concern).
        reads_tables: the statement reads a table.
    """

    def __init__(self) -> None:
        self.is_trusted = True
        self.asked = 0
        self.forget()

    def forget(self) -> None:
        """Begin with another statement."""
        self.refused_transaction = False
        self.writes: list[tuple[int, str, str | None, bool]] = []
        self.creations: list[tuple[int, str]] = []
        self.reads_tables = False

    def __call__(
        self, action: int, first: str | None, second: str | None, _database: str | None, source: str | None
    ) -> int:
        """Allow or deny one action; called by SQLite."""
        self.asked += 1
        if self.is_trusted:
            return apsw.SQLITE_OK
        if action == apsw.SQLITE_READ:
            if _is_reserved(first):
                return apsw.SQLITE_DENY
            self.reads_tables = True
            return apsw.SQLITE_OK
        if action in (apsw.SQLITE_SELECT, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE):
            return apsw.SQLITE_OK
        if action in _WRITES:
            return self._write(action, first or "", second, source)
        if action in _CREATIONS:
            names = (first, second)
            if any(_is_reserved(name) for name in names):
                return apsw.SQLITE_DENY
            self.creations.append((action, names[_CREATIONS[action]] or ""))
            return apsw.SQLITE_OK
        if action in (apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT):
            self.refused_transaction = True
            return apsw.SQLITE_DENY
        if action == apsw.SQLITE_PRAGMA:
            return apsw.SQLITE_OK if _is_allowed_pragma(first or "", second) else apsw.SQLITE_DENY
        if action in _TEMPORARY or action in (apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH):
            return apsw.SQLITE_DENY
        return apsw.SQLITE_OK

    def _write(self, action: int, table: str, column: str | None, source: str | None) -> int:
        if _is_reserved(table):
            return apsw.SQLITE_DENY
        if not table.startswith("sqlite_"):
            self.writes.append((action, table, column, source is None))
        return apsw.SQLITE_OK


def _is_reserved(name: str | None) -> bool:
    return name is not None and name[:4].lower() == RESERVED_PREFIX


def _is_allowed_pragma(name: str, argument: str | None) -> bool:
    name = name.lower()
    if name == "data_version":  # FTS5 asks it of itself
        return argument is None
    if name in _FLAG_PRAGMAS:
        return argument is None or argument.lower() in _FLAGS
    if name in _OBJECT_PRAGMAS:
        return argument is not None and not _is_reserved(argument)
    return name in _OPTIONAL_OBJECT_PRAGMAS and not _is_reserved(argument)
