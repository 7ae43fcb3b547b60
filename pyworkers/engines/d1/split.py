"""Cuts SQL text into statements, as SQLite's own parser would."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from pyworkers.engines.d1.protocol import Refusal, StatementRefused

# What a semicolon may stand in without ending anything. An unterminated one runs to the end of the text.
_TOKEN: Final = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*(?:'|\Z)|\"(?:[^\"]|\"\")*(?:\"|\Z)|`(?:[^`]|``)*(?:`|\Z)|\[[^\]]*(?:\]|\Z)|;",
    re.DOTALL,
)
_EXPLAIN: Final = re.compile(
    r"(?>(?:[\s\ufeff]|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*)explain\b", re.DOTALL | re.IGNORECASE
)
_BLANK: Final = re.compile(r"(?>(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*);?\s*\Z", re.DOTALL)


@lru_cache(maxsize=512)
def split_statements(sql: str) -> tuple[str, ...]:
    """Return the statements, each with its semicolon and the comments before it.

    A piece without a statement is the empty text; only blanks at the very end are no piece. SQLite reads no further
    than the first NUL, and what follows it is a piece without a statement.
    """
    text, nul, _ = sql.partition("\0")
    pieces = tuple("" if _BLANK.match(piece) else piece for piece in _pieces(text))
    return (*pieces, "") if nul or not pieces else pieces


def _pieces(sql: str) -> Iterator[str]:
    start = 0
    for match in _TOKEN.finditer(sql):
        if match.group() != ";":
            continue
        piece = sql[start : match.end()]
        # A trigger holds semicolons of its own: SQLite knows when it is whole.
        if not _BLANK.match(piece) and not sqlite3.complete_statement(piece):
            continue
        yield piece
        start = match.end()
        while start < len(sql) and sql[start].isspace():
            start += 1
    if start < len(sql):
        yield sql[start:]


@lru_cache(maxsize=512)
def explains(sql: str) -> bool:
    """Tell whether a statement lists the instructions of another: such a one must not stay compiled.

    SQLite lists them without a look at the schema. When another connection has changed it meanwhile, they refer to
    tables in memory that is somebody else's by now, and reading a row may end the process.
    """
    return _EXPLAIN.match(sql) is not None


def checked(piece: str) -> str:
    """Return a piece of `split_statements` that holds a statement.

    Raises:
        StatementRefused: it holds none.
    """
    if not piece:
        raise StatementRefused(Refusal.NO_STATEMENT)
    return piece
