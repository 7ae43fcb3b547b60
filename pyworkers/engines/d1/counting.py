"""Counts the rows that a statement wrote, index entries included, as the platform bills them.

The platform counts inside SQLite. Here the count follows from what SQLite tells: which tables a statement writes (asked
of the authorizer while it is compiled), how many rows it changed, and how many indexes those tables have.

Source: recorded, contracts/d1, ``meta.rows_written`` of every case
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import apsw

from pyworkers.engines.d1.authorizer import Authorizer

# More than statements that the connection keeps compiled: what is compiled has its plan.
PLANS_KEPT: Final = 1_024
# Rows of the schema that a statement writes.
_SCHEMA_ROWS: Final = {
    apsw.SQLITE_CREATE_TABLE: 2,
    apsw.SQLITE_CREATE_VTABLE: 2,
    apsw.SQLITE_CREATE_VIEW: 2,
    apsw.SQLITE_CREATE_INDEX: 1,
    apsw.SQLITE_CREATE_TRIGGER: 1,
    apsw.SQLITE_ALTER_TABLE: 1,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known of a statement.

    Attributes:
        reads_tables: it reads a table.
        direct: rows and index entries for each row that it changes itself.
        indirect: the same for each row that a trigger or a foreign key changes.
        is_virtual: the table is virtual: what it changes in tables of its own is not counted.
        creations: its changes of the schema, as the authorizer keeps them.
    """

    reads_tables: bool = False
    direct: int = 1
    indirect: int = 1
    is_virtual: bool = False
    creations: tuple[tuple[int, str], ...] = ()


class RowCounter:
    """Knows the plan of every statement that the connection keeps compiled.

    Args:
        database: the connection; its authorizer must be trusting while this object works.
        authorizer: the connection's.
    """

    def __init__(self, database: apsw.Connection, authorizer: Authorizer) -> None:
        self._database = database
        self._authorizer = authorizer
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self.note_schema()

    def note_schema(self) -> None:
        """Take the schema as it is now: what comes is measured against it."""
        self._schema_version = self._read_schema_version()

    def plan(self, sql: str) -> Plan:
        """Return the plan of the statement that just ran."""
        seen = self._authorizer
        if not (seen.writes or seen.creations or seen.reads_tables):
            return self._plans.get(sql) or Plan()
        plan = self._make_plan()
        self._plans[sql] = plan
        self._plans.move_to_end(sql)
        if len(self._plans) > PLANS_KEPT:
            self._plans.popitem(last=False)
        return plan

    def rows_written(self, plan: Plan, *, changed: int, changed_directly: int) -> int:
        """Return the rows and index entries written.

        Args:
            changed: rows that the statement changed, triggers and cascades included.
            changed_directly: without them.
        """
        if plan.creations:
            return self._schema_rows(plan)
        if plan.is_virtual:
            return changed_directly if changed else 0
        if changed < changed_directly:  # of an earlier statement
            return 0
        return changed_directly * plan.direct + (changed - changed_directly) * plan.indirect

    def _make_plan(self) -> Plan:
        seen = self._authorizer
        if seen.creations or not seen.writes:
            return Plan(seen.reads_tables, creations=tuple(seen.creations))
        action, table, _, _ = seen.writes[0]
        others = [write for write in seen.writes if write[1] != table]
        return Plan(
            seen.reads_tables,
            direct=self._weight(action, table),
            indirect=self._weight(others[0][0], others[0][1]) if others else 1,
            is_virtual=bool(self._one("SELECT 1 FROM pragma_table_list(?) WHERE type = 'virtual'", table)),
        )

    def _weight(self, action: int, table: str) -> int:
        """Return the entries that change with one row: the row, and its place in every index that is concerned."""
        if action == apsw.SQLITE_DELETE:
            return 1
        # The primary key of a table without rowid is the table itself.
        is_index = "(origin <> 'pk' OR NOT (SELECT wr FROM pragma_table_list(?1)))"
        if action == apsw.SQLITE_INSERT:
            return 1 + self._one(f"SELECT count(*) FROM pragma_index_list(?1) WHERE {is_index}", table)  # noqa: S608
        columns = [write[2] for write in self._authorizer.writes if write[0] == action and write[1] == table]
        marks = ", ".join("?" * len(columns))
        return 1 + self._one(
            f"SELECT count(*) FROM pragma_index_list(?1) AS i WHERE {is_index} AND EXISTS"  # noqa: S608 - marks only
            f" (SELECT 1 FROM pragma_index_info(i.name) AS c WHERE c.name IN ({marks}))",
            table,
            *columns,
        )

    def _schema_rows(self, plan: Plan) -> int:
        version = self._read_schema_version()
        if version == self._schema_version:
            return 0
        self._schema_version = version
        action, name = next((item for item in plan.creations if item[0] != apsw.SQLITE_CREATE_INDEX), plan.creations[0])
        rows = _SCHEMA_ROWS.get(action, 0)
        if action == apsw.SQLITE_CREATE_TABLE:
            rows += self._one("SELECT count(*) FROM pragma_index_list(?)", name)
            rows += self._one(f"SELECT count(*) FROM {_quoted(name)}")  # noqa: S608 - CREATE TABLE … AS SELECT
        elif action == apsw.SQLITE_CREATE_INDEX:
            rows += self._one(f"SELECT count(*) FROM {_quoted(name)}")  # noqa: S608 - quoted
        return rows

    def _one(self, sql: str, *params: str | None) -> int:
        # Never cached: a compiled statement is not asked of the authorizer again.
        return self._database.execute(sql, params, can_cache=False).get or 0

    def _read_schema_version(self) -> int:
        return self._one("PRAGMA schema_version")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
