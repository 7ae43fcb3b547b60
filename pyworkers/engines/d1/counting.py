"""Counts the rows that a statement wrote, index entries included, as the platform bills them.

The platform counts inside SQLite. Here the count follows from what SQLite tells: which tables a statement writes (asked
of the authorizer while it is compiled), how many rows it changed, and how many indexes those tables have.

Source: recorded, contracts/d1, ``meta.rows_written`` of every case
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import Final

from pyworkers.engines.d1.authorizer import Authorizer
from pyworkers.engines.d1.connection import D1Connection
from pyworkers.engines.d1.protocol import D1Value

# Rows of the schema that a statement writes.
_SCHEMA_ROWS: Final = {
    sqlite3.SQLITE_CREATE_TABLE: 2,
    sqlite3.SQLITE_CREATE_VTABLE: 2,
    sqlite3.SQLITE_CREATE_VIEW: 2,
    sqlite3.SQLITE_CREATE_INDEX: 1,
    sqlite3.SQLITE_CREATE_TRIGGER: 1,
    sqlite3.SQLITE_ALTER_TABLE: 1,
}
# Functions that are called as tables.
_TABLES_OF_VALUES: Final = frozenset({"json_each", "json_tree"})
_RENAMES_TABLE: Final = re.compile(r"\brename\s+to\b", re.IGNORECASE)
_RENAMES_COLUMN: Final = re.compile(r"\brename\b", re.IGNORECASE)
_DROPS_COLUMN: Final = re.compile(r"\bdrop\b", re.IGNORECASE)
# The primary key of a table without rowid is the table itself.
_INDEXES: Final = (
    "SELECT count(*) FROM pragma_index_list(?1) AS i"
    " WHERE (origin <> 'pk' OR NOT (SELECT wr FROM pragma_table_list(?1)))"
)
_VIRTUAL: Final = "SELECT count(*) FROM sqlite_master WHERE name = ? AND type = 'table' AND rootpage = 0"
# How many rows of the schema each of the statements rewrites that ALTER TABLE consists of.
_NAMED: Final = "name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
_REWRITTEN: Final = f"SELECT count(*) FROM sqlite_master WHERE {_NAMED} AND (type <> 'index' OR tbl_name = ?1)"  # noqa: S608 - constant
_REQUOTED: Final = f"SELECT count(*) FROM sqlite_master WHERE {_NAMED} AND ?1 IS NOT NULL"  # noqa: S608 - constant
_OWNED: Final = "SELECT count(*) FROM sqlite_master WHERE tbl_name = ?1 AND type IN ('table', 'index', 'trigger')"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known of a statement.

    Attributes:
        reads_tables: it reads a table.
        writes: it writes one, or changes the schema.
        direct: rows and index entries for each row that it changes itself.
        indirect: the same for each row that a trigger or a foreign key changes.
        updated: the same for each row that an INSERT found and changed instead; None where it does not.
        each_run: rows written whatever it changes.
        is_virtual: the table is virtual: what it changes in tables of its own is not counted.
        creations: its changes of the schema, as the authorizer keeps them.
        is_simple: every row that it changes counts for `direct`, and nothing else does.
        is_steady: none of SQLite's instructions for it takes long, as far as its tables and functions tell.
        calls_functions: it calls some: how long their values are matters.
    """

    reads_tables: bool = False
    writes: bool = False
    direct: int = 1
    indirect: int = 1
    updated: int | None = None
    each_run: int = 0
    is_virtual: bool = False
    creations: tuple[tuple[int, str], ...] = ()
    is_simple: bool = False
    is_steady: bool = False
    calls_functions: bool = False


class RowCounter:
    """Makes plans of statements, and counts by them.

    Args:
        connection: its authorizer must be trusting while this object asks it.
        authorizer: the connection's.
    """

    def __init__(self, connection: D1Connection, authorizer: Authorizer) -> None:
        self._connection = connection
        self._authorizer = authorizer
        self.note_schema()

    def note_schema(self) -> None:
        """Take the schema as it is now: what comes is measured against it."""
        self._schema_version = self._one("PRAGMA schema_version")
        self._has_sequences = self._find_sequences()

    def plan(self) -> Plan:
        """Return the plan of the statement that was just compiled."""
        seen = self._authorizer
        calls_functions = seen.calls_functions or not _TABLES_OF_VALUES.isdisjoint(seen.tables)
        if seen.creations or not seen.writes:
            return Plan(
                bool(seen.tables),
                bool(seen.creations),
                creations=tuple(seen.creations),
                is_simple=not seen.creations,
                is_steady=not (seen.creations or seen.is_lengthy or any(map(self._is_virtual, seen.tables))),
                calls_functions=calls_functions,
            )
        action, table, _, _ = seen.writes[0]
        is_virtual = self._is_virtual(table)
        others = [write for write in seen.writes if write[1] != table]
        is_upsert = action == sqlite3.SQLITE_INSERT and any(
            write[0] == sqlite3.SQLITE_UPDATE and write[1] == table and write[3] for write in seen.writes
        )
        each_run = int(action == sqlite3.SQLITE_INSERT and self._counts_ids(table))
        return Plan(
            bool(seen.tables),
            writes=True,
            direct=self._weight(action, table),
            indirect=self._weight(others[0][0], others[0][1]) if others else 1,
            updated=self._weight(sqlite3.SQLITE_UPDATE, table) if is_upsert else None,
            each_run=each_run,
            is_virtual=is_virtual,
            is_simple=not (others or is_upsert or each_run or is_virtual),
            is_steady=not (others or is_virtual or seen.is_lengthy or any(map(self._is_virtual, seen.tables))),
            calls_functions=calls_functions,
        )

    def rows_written(self, plan: Plan, sql: str, *, changed: int, direct: int, has_new_rowid: bool) -> int:
        """Return the rows and index entries written.

        Args:
            changed: rows that the statement changed, triggers and cascades included.
            direct: without them.
            has_new_rowid: the rowid of the last insert is another one than before.
        """
        if plan.creations:
            return self._schema_rows(plan, sql)
        if plan.is_virtual:
            return direct if changed else 0
        if changed < direct:  # of an earlier statement
            return plan.each_run
        weight = plan.direct
        if plan.updated is not None and changed == 1 and not has_new_rowid:
            weight = plan.updated
        return direct * weight + (changed - direct) * plan.indirect + plan.each_run

    def _weight(self, action: int, table: str) -> int:
        """Return the entries that change with one row: the row, and its place in every index that is concerned."""
        if action == sqlite3.SQLITE_DELETE:
            return 1
        if action == sqlite3.SQLITE_INSERT:
            return 1 + self._one(_INDEXES, table)
        columns = [write[2] for write in self._authorizer.writes if write[0] == action and write[1] == table]
        marks = ", ".join("?" * len(columns))
        is_concerned = f"EXISTS (SELECT 1 FROM pragma_index_info(i.name) AS c WHERE c.name IN ({marks}))"  # noqa: S608
        return 1 + self._one(f"{_INDEXES} AND {is_concerned}", table, *columns)

    def _schema_rows(self, plan: Plan, sql: str) -> int:
        version = self._one("PRAGMA schema_version")
        if version == self._schema_version:
            return 0
        self._schema_version = version
        action, name = next(
            (item for item in plan.creations if item[0] != sqlite3.SQLITE_CREATE_INDEX), plan.creations[0]
        )
        rows = _SCHEMA_ROWS.get(action, 0)
        if action == sqlite3.SQLITE_CREATE_TABLE:
            rows += self._one(_INDEXES, name) + self._size(name)  # CREATE TABLE … AS SELECT
            had_sequences, self._has_sequences = self._has_sequences, self._find_sequences()
            rows += 2 * (self._has_sequences - had_sequences)
        elif action == sqlite3.SQLITE_CREATE_INDEX:
            rows += self._size(name)
        elif action == sqlite3.SQLITE_ALTER_TABLE:
            rows = self._altered_rows(name, sql)
        return rows

    def _altered_rows(self, table: str, sql: str) -> int:
        """Return the rows written by ALTER TABLE, which SQLite carries out as updates of the schema."""
        if _RENAMES_TABLE.search(sql):
            table = self._renamed(table, sql)
            return self._one(_REWRITTEN, table) + self._one(_OWNED, table)
        if _RENAMES_COLUMN.search(sql):
            return self._one(_REWRITTEN, table) + self._one(_REQUOTED, table)
        if _DROPS_COLUMN.search(sql):
            return self._one(_REQUOTED, table) + 1 + self._size(table)
        return 1

    def _renamed(self, table: str, sql: str) -> str:
        """Return the table's name of now."""
        name = sql[_RENAMES_TABLE.search(sql).end() :].strip(" \t\r\n;")  # type: ignore[union-attr]  # found before
        return name[1:-1] if name[:1] in ('"', "`", "[", "'") else name or table

    def _counts_ids(self, table: str) -> bool:
        return self._has_sequences and bool(
            self._one("SELECT sql LIKE '%AUTOINCREMENT%' FROM sqlite_master WHERE type = 'table' AND name = ?", table)
        )

    def _find_sequences(self) -> bool:
        return bool(self._one("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"))

    def _size(self, table: str) -> int:
        quoted = '"' + table.replace('"', '""') + '"'
        return self._one(f"SELECT count(*) FROM {quoted}")  # noqa: S608 - quoted

    def _is_virtual(self, table: str) -> bool:
        return bool(self._one(_VIRTUAL, table))

    def _one(self, sql: str, *params: D1Value) -> int:
        found = self._connection.own(sql, params)
        return found if isinstance(found, int) else 0
