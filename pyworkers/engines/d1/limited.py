"""``UPDATE … LIMIT`` and ``DELETE … LIMIT``, which the platform's SQLite understands and most builds do not.

They become what SQLite itself makes of them: a statement about the rows whose keys a SELECT with the same WHERE, ORDER
BY and LIMIT finds.

Source: sqlite.org/lang_delete.html#optional_limit_and_order_by_clauses; recorded, own/d1, own.d1.updates.*
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pyworkers.engines.d1.connection import D1Connection
from pyworkers.engines.d1.protocol import SqlError

_MAY_BE_LIMITED: Final = re.compile(r"\s*(?:update|delete)\b.*\b(?:limit|order)\b", re.IGNORECASE | re.DOTALL)
_TOKEN: Final = re.compile(
    r"(?P<blank>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<name>\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]]*\]|[^\W\d]\w*)"
    r"|'(?:[^']|'')*'|[\w.]+|.",
    re.DOTALL,
)
_PRIMARY_KEY: Final = (
    "SELECT group_concat('\"' || replace(name, '\"', '\"\"') || '\"', ', ') FROM pragma_table_info(?1) WHERE pk > 0"
    " AND (SELECT wr FROM pragma_table_list(?1) WHERE schema = 'main')"
)


class Rewritten(NamedTuple):
    """A statement for SQLite, and where the texts of the statement it was made of lie in it.

    Attributes:
        at: in bytes of UTF-8, the place from which on everything lies `inserted` bytes later.
    """

    sql: str
    at: int = 0
    inserted: int = 0

    def original(self, error: SqlError) -> SqlError:
        """Return SQLite's error with the offset in the original statement."""
        offset = error.offset
        if offset is None or offset < self.at + self.inserted:
            return error
        return SqlError(
            error.message,
            code=error.sqlite_code,
            extended_code=error.extended_code,
            offset=offset - self.inserted,
        )


class Clause(NamedTuple):
    """A word outside of any parentheses that begins a clause."""

    word: str
    start: int


def rewrite_limited(sql: str, connection: D1Connection) -> Rewritten:
    """Return a statement that means the same and has no LIMIT of its own; any other statement as it is.

    Args:
        connection: asked for the table's key; its authorizer must be trusting.

    Raises:
        SqlError: ORDER BY without LIMIT.
    """
    if _MAY_BE_LIMITED.match(sql) is None:
        return Rewritten(sql)
    clauses = _clauses(sql)
    found = {clause.word: clause.start for clause in reversed(clauses)}
    table = _table(sql, clauses[0].word)
    if table is None or not ("limit" in found or "order" in found):
        return Rewritten(sql)
    if "limit" not in found:
        raise SqlError(f"ORDER BY without LIMIT on {clauses[0].word.upper()}", code="SQLITE_ERROR")
    end = len(sql.rstrip().rstrip(";"))
    tail = min(found.get("order", end), found["limit"])
    returning = found.get("returning", tail)
    where = found.get("where", returning)
    key = str(connection.own(_PRIMARY_KEY, (_unquoted(table.group()),)) or "rowid")
    source = sql[table.start() : found.get("set", where)]
    before = f" WHERE ({key}) IN (SELECT {key} FROM {source} "  # noqa: S608 - the worker's own SQL
    return Rewritten(
        f"{sql[:where]}{before}{sql[where:returning]}{sql[tail:end]}) {sql[returning:tail]}",
        len(sql[:where].encode()),
        len(before.encode()),
    )


def _clauses(sql: str) -> list[Clause]:
    depth, found = 0, []
    for match in _TOKEN.finditer(sql):
        word = match.group().lower()
        depth += (word == "(") - (word == ")")
        if depth == 0 and word in ("update", "delete", "set", "where", "returning", "order", "limit"):
            found.append(Clause(word, match.start()))
    return found


def _table(sql: str, verb: str) -> re.Match[str] | None:
    """Return where the table is named; None where a schema is named too."""
    words = [match for match in _TOKEN.finditer(sql) if match["blank"] is None]
    index = 2 if verb == "delete" else 1
    if len(words) > 2 and words[1].group().lower() == "or":
        index = 3
    following = [match.group() for match in words[index + 1 : index + 2]]
    return words[index] if len(words) > index and following != ["."] else None


def _unquoted(name: str) -> str:
    if name[:1] == "[":
        return name[1:-1]
    mark = name[:1]
    return name[1:-1].replace(mark * 2, mark) if mark in ('"', "`") else name
