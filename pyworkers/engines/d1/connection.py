"""What the engine asks of a connection to SQLite: apsw's and the standard library's answer alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from pyworkers.engines.d1.authorizer import Authorizer
from pyworkers.engines.d1.protocol import D1Value

STATEMENTS_KEPT: Final = 256
# How many of SQLite's instructions run between two looks at the time, each of which takes Python's lock: some 5 ms.
STEPS_BETWEEN_LOOKS: Final = 100_000
# The same while the event loop waits: some 0.1 ms.
STEPS_BETWEEN_QUICK_LOOKS: Final = 2_000

Rows = list[tuple[D1Value, ...]]


class D1Connection(Protocol):
    """A connection, used by one thread.

    Every method raises `SqlError` for what SQLite refuses, `StatementRefused` for a wrong number of values, and an
    `EngineError` for a file that cannot be used.
    """

    @property
    def in_transaction(self) -> bool:
        """Tell whether a transaction is open."""
        ...

    def restrict(self, authorizer: Authorizer, is_overdue: Callable[[], bool]) -> None:
        """Set the platform's limits; from now on the authorizer is asked, and what is overdue interrupted."""
        ...

    def hurry(self, *, is_hurried: bool) -> None:
        """Look at the time often and wait for no lock of another process; or as it was before."""
        ...

    def own(self, sql: str, params: tuple[D1Value, ...] = (), *, is_kept: bool = False) -> D1Value:
        """Run a statement of the engine's; return the first value of its first row, None where there is none.

        Args:
            is_kept: the statement may stay compiled, and is not asked about when it runs again.
        """
        ...

    def query(self, sql: str, params: tuple[D1Value, ...]) -> tuple[list[str], Rows]:
        """Run a statement; return the names of its columns, and its rows. An EXPLAIN does not stay compiled."""
        ...

    def rows(self, sql: str, params: tuple[D1Value, ...]) -> Rows:
        """Run a statement whose columns are known."""
        ...

    def change(self, sql: str, params: tuple[D1Value, ...]) -> Rows:
        """Run a statement that has no columns; returns no rows."""
        ...

    def columns(self, sql: str, params: tuple[D1Value, ...]) -> list[str]:
        """Return the names of the columns of a query that has just run."""
        ...

    def step(self, sql: str) -> None:
        """Run a statement without values whose rows nobody wants."""
        ...

    def total_changes(self) -> int:
        """Return the rows changed since the connection was opened, triggers and cascades included."""
        ...

    def changes(self) -> int:
        """Return the rows that the last INSERT, UPDATE or DELETE changed itself."""
        ...

    def last_insert_rowid(self) -> int:
        """Return the rowid of the last insert; 0 before the first."""
        ...

    def close(self) -> None:
        """Give the file back."""
        ...
