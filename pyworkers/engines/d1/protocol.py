"""What a D1 engine does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import NamedTuple, Protocol

from pyworkers.errors import EngineError

D1Value = str | int | float | bytes | None


class D1Statement(NamedTuple):
    """SQL text and the values of its parameters, by position.

    The text may hold several statements: they run in order, all but the last without parameters, and the last one's
    rows are the result.
    """

    sql: str
    params: tuple[D1Value, ...] = ()


class D1Meta(NamedTuple):
    """What a statement did. (A batch makes hundreds: this is the cheapest immutable there is.)

    Attributes:
        duration_ms: time spent in SQLite.
        changes: rows inserted, updated or deleted, triggers and cascades included.
        last_row_id: the rowid of the connection's most recent insert.
        changed_db: the statement changed rows, or the size of the database.
        size_after: bytes in use, free pages not counted.
        rows_read: an estimate: the rows returned of a statement that reads tables, and the rows it changed.
        rows_written: rows and index entries written.
    """

    duration_ms: float
    changes: int
    last_row_id: int
    changed_db: bool
    size_after: int
    rows_read: int
    rows_written: int


class D1Result(NamedTuple):
    """A statement's rows, each with a value for every one of ``columns``."""

    columns: list[str]
    rows: list[tuple[D1Value, ...]]
    meta: D1Meta


@dataclass(frozen=True, slots=True)
class D1Answer:
    """What one call gave.

    Attributes:
        bookmark: counts the calls that this database has answered, from 0.
    """

    results: list[D1Result]
    bookmark: int


class SqlError(EngineError):
    """SQLite refused a statement.

    Args:
        message: SQLite's own text.
        code: such as ``SQLITE_CONSTRAINT``.
        extended_code: such as ``SQLITE_CONSTRAINT_UNIQUE``; None where it says no more than ``code``.
        offset: where in the statement, in bytes of UTF-8; None where SQLite does not say.

    Attributes:
        statement: which of the call's statements it was, from 0; their number where it was the commit.
    """

    code = "sql"
    statement: int | None = None

    def __init__(self, message: str, *, code: str, extended_code: str | None = None, offset: int | None = None) -> None:
        super().__init__(message)
        self.sqlite_code = code
        self.extended_code = extended_code
        self.offset = offset


class Refusal(Enum):
    """Why the engine did not run a statement."""

    NO_STATEMENT = "a piece of SQL between two semicolons, or the whole, holds no statement"
    PARAMETER_COUNT = "the number of values is not the number of parameters"
    EARLY_PARAMETERS = "a statement that is not the last one has parameters"
    TRANSACTION = "transactions are the engine's own"


class StatementRefused(EngineError):
    """A statement that D1 does not run."""

    code = "sql-refused"

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


class D1Engine(Protocol):
    """One database.

    Laws, each with a test of the same words in tests/contract/engines/test_d1_engine.py:

    - a call is atomic: after an error none of its statements has happened
    - calls happen one after another, in the order in which they were made
    - a statement sees what the statements before it in the call did
    - values come back as SQLite stores them
    - the last of several statements gives the rows
    - SQLite's own message, code and offset are in SqlError
    - what D1 denies is denied: transactions, attaching, most pragmas, the engine's own tables
    - a query that overruns is interrupted, and the database stays usable
    - what was acknowledged is there after the engine is opened again
    - close is idempotent, and every use after it raises EngineClosed
    """

    async def run(self, statements: Sequence[D1Statement]) -> D1Answer:
        """Run statements in one transaction; a result for each.

        Raises:
            SqlError: SQLite refused one.
            StatementRefused: D1 does.
            EngineError: the storage failed.
        """
        ...

    async def close(self) -> None:
        """Give everything back; what was acknowledged stays."""
        ...

    async def __aenter__(self) -> D1Engine: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
