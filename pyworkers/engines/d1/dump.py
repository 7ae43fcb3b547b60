"""A D1 database as SQL text: what `d1 export` writes and `d1 execute --file` reads.

Source: miniflare src/workers/d1/dumpSql.ts; recorded against wrangler 4.86 `d1 export`
Differs: text that holds line breaks and backslashes is written so that it comes back; a text with a NUL too.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from pathlib import Path
from typing import Final

import apsw

from pyworkers.engines.sqlite import open_database, sqlite_errors
from pyworkers.errors import EngineError

# The platform's own tables, which no other database needs.
_OWN_TABLES: Final = ("_cf_", "sqlite_")
_HEAD: Final = "PRAGMA defer_foreign_keys=TRUE;"
_TABLES: Final = (
    "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql NOT NULL"
    " ORDER BY tbl_name = 'sqlite_sequence', rowid"
)
_REST: Final = (
    "SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL AND type IN ('index', 'trigger', 'view')"
    " ORDER BY type COLLATE NOCASE"
)


class CannotDump(EngineError):
    """The database holds something that has no form as SQL text, or not what was asked for."""

    code = "dump"


def dump_sql(
    path: Path, *, tables: Collection[str] = (), with_schema: bool = True, with_data: bool = True
) -> Generator[str, None, None]:
    """Yield the statements that make a database again, of one moment, while others write it.

    Args:
        path: the file; where there is none, the database is empty.
        tables: only those; () is all.

    Raises:
        CannotDump: there is a virtual table; ``tables`` names one that there is not.
        EngineError: the file cannot be read.
    """
    if not path.exists():
        _check_names(tables, ())
        yield _HEAD
        return
    database = open_database(path)
    try:
        with sqlite_errors(path):
            database.execute("BEGIN")
            found = database.execute(_TABLES).fetchall()
            _check_names(tables, [str(name) for name, _ in (*found, *database.execute(_REST))])
            yield _HEAD
            for name, sql in found:
                if not tables or name in tables:
                    yield from _table(database, str(name), str(sql), with_schema=with_schema, with_data=with_data)
            if with_schema:
                for name, sql in database.execute(_REST):
                    if not tables or name in tables:
                        yield f"{sql};"
    finally:
        database.close()


def _check_names(wanted: Collection[str], known: Collection[str]) -> None:
    for name in wanted:
        if name not in known:
            tables = [one for one in known if not one.startswith(_OWN_TABLES)]
            hint = f"there are {', '.join(tables)}" if tables else "the database is empty"
            raise CannotDump(f'there is no table "{name}" to export', hint=hint)


def quoted(name: str) -> str:
    """Return a name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: apsw.SQLiteValue) -> str:
    """Return a value as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float):
        return _number(value)
    return f"X'{bytes(value).hex()}'"


def _table(database: apsw.Connection, name: str, sql: str, *, with_schema: bool, with_data: bool) -> Iterator[str]:
    if name == "sqlite_sequence":
        head = "DELETE FROM sqlite_sequence;"
    elif name.startswith("sqlite_stat"):
        head = "ANALYZE sqlite_schema;"
    elif sql.upper().startswith("CREATE VIRTUAL TABLE"):
        raise CannotDump(
            "D1 Export error: cannot export databases with Virtual Tables (fts5)", hint="name the others with --table"
        )
    elif name.startswith(_OWN_TABLES):
        return
    else:
        is_quoted = sql.startswith(("CREATE TABLE '", 'CREATE TABLE "'))
        head = f"CREATE TABLE IF NOT EXISTS {sql[13:]};" if is_quoted else f"{sql};"
    if with_schema:
        yield head
    if with_data:
        columns = ", ".join(quoted(row[1]) for row in database.execute(f"PRAGMA table_info({quoted(name)})"))
        for row in database.execute(f"SELECT {columns} FROM {quoted(name)}"):  # noqa: S608  # quoted
            yield f"INSERT INTO {quoted(name)} VALUES({','.join(map(literal, row))});"


def _number(value: float) -> str:
    if value in (float("inf"), float("-inf")):
        return "9e999" if value > 0 else "-9e999"
    text = repr(value)
    return text if isinstance(value, int) or "." in text or "e" in text else f"{text}.0"


def _text(value: str) -> str:
    if "\0" in value:
        return f"CAST(X'{value.encode().hex()}' AS TEXT)"
    text = "'" + value.replace("'", "''") + "'"
    if "\\n" in value or "\\r" in value:
        return text  # the escapes below would be taken for line breaks; SQL text may hold these as they are
    if "\r" in value:
        text = f"replace({text},'\\r',char(13))".replace("\r", "\\r")
    if "\n" in value:
        text = f"replace({text},'\\n',char(10))".replace("\n", "\\n")
    return text
