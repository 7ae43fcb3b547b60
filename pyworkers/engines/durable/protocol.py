"""What a Durable Object engine does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pyworkers.errors import EngineError

SqlValue = str | int | float | bytes | None


class QueryCanceled(EngineError):
    """A cursor that has rows left was read after everything was deleted."""


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """What the engine knows of an object without opening it.

    Attributes:
        object_id: 64 hexadecimal digits.
        name: what the id was made from; None for a unique id.
        alarm_ms: when to look for its alarm, in milliseconds since the epoch; never later than the alarm itself.
        attempts: how often that alarm has failed.
    """

    object_id: str
    name: str | None = None
    alarm_ms: int | None = None
    attempts: int = 0


class SqlCursor(Protocol):
    """The rows of one statement, read as they are asked for.

    Attributes:
        columns: the columns' names; empty for a statement without rows.
        rows_read: an estimate: the rows given so far of a statement that reads tables.
        rows_written: rows and index entries written.
    """

    columns: tuple[str, ...]
    rows_read: int
    rows_written: int

    def fetch(self) -> tuple[SqlValue, ...] | None:
        """Return the next row, or None at the end.

        Raises:
            SqlError: SQLite refused to go on.
        """
        ...


class ObjectStore(Protocol):
    """One object's key-value pairs, its SQL database and its alarm: one SQLite file.

    Calls do not wait for anything but the disk. Writes gather in a transaction that `commit` ends.

    Laws, each with a test of the same words in tests/contract/engines/test_durable_engine.py:

    - what was committed is there after the engine is opened again
    - what was not committed is gone after a rollback
    - keys are in the order of their UTF-8 bytes
    - a savepoint takes back keys, rows and the alarm alike
    - deleting all leaves no key, table or alarm
    - an object that stores nothing has no file
    - a cursor goes on while rows are written
    - what SQL may not do is denied: transactions, attaching, most pragmas, the engine's own tables
    """

    def get(self, key: str) -> bytes | None:
        """Return a value."""
        ...

    def get_many(self, keys: Sequence[str]) -> list[tuple[str, bytes]]:
        """Return the pairs that exist, in the order of their keys."""
        ...

    def put_many(self, pairs: Iterable[tuple[str, bytes]]) -> None:
        """Store pairs.

        Raises:
            SqlError: a key or value is too long.
        """
        ...

    def delete_many(self, keys: Iterable[str]) -> int:
        """Remove keys; return how many there were."""
        ...

    def list_pairs(
        self,
        *,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        prefix: str | None = None,
        is_reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[tuple[str, bytes]]:
        """Yield pairs in order, ``end`` left out; the file is read as the iterator is."""
        ...

    def delete_all(self) -> None:
        """Remove every key, table and the alarm."""
        ...

    def alarm_ms(self) -> int | None:
        """Return the alarm's time in milliseconds since the epoch; None while its handler runs."""
        ...

    def set_alarm(self, time_ms: int | None) -> None:
        """Set or remove the alarm."""
        ...

    def begin_alarm(self) -> int | None:
        """Hide the alarm while its handler runs; return its time. It is still there should the process die."""
        ...

    def end_alarm(self, *, is_done: bool) -> bool:
        """Remove the alarm that was begun, or show it again; tells whether it was still that one."""
        ...

    def execute(self, sql: str, params: Sequence[SqlValue]) -> SqlCursor:
        """Run every statement of the text; the last one's rows are the cursor's.

        Raises:
            SqlError: SQLite refused one; those before it stay.
            StatementRefused: the platform does.
        """
        ...

    def database_size(self) -> int:
        """Return the bytes in use, free pages not counted."""
        ...

    def savepoint(self) -> Savepoint:
        """Begin a part that can be taken back."""
        ...

    @property
    def version(self) -> int:
        """How many commits the object has seen."""
        ...

    def commit(self) -> None:
        """Make what was written durable; nothing happens inside of a savepoint.

        Raises:
            SqlError: a deferred constraint does not hold; everything since the last commit is taken back.
        """
        ...

    def rollback(self) -> None:
        """Take back what was written since the last commit."""
        ...

    def close(self) -> None:
        """Give the file back; what is not committed is lost. Idempotent."""
        ...


class Savepoint(Protocol):
    """A part of a transaction."""

    def release(self) -> None:
        """Keep it."""
        ...

    def rollback(self) -> None:
        """Take it back."""
        ...


class DurableEngine(Protocol):
    """The objects of one class.

    Attributes:
        on_alarm: told whenever the moment to look for an alarm is another one.
    """

    on_alarm: Callable[[ObjectRecord], None]

    def open(self, object_id: str, *, name: str | None, on_write: Callable[[], None]) -> ObjectStore:
        """Return an object's store; nothing is opened before it is used.

        Args:
            on_write: called when a transaction begins, to arrange for its `commit`.
        """
        ...

    def records(self) -> list[ObjectRecord]:
        """Return the objects that have stored something."""
        ...

    def alarms(self, until_ms: int | None = None) -> list[ObjectRecord]:
        """Return the objects to look at for an alarm until a time, or all that have one; the next one first."""
        ...

    def next_alarm_ms(self, after_ms: int) -> int | None:
        """Return the first moment after a time to look for an alarm."""
        ...

    def expect(self, object_id: str, name: str | None, time_ms: int | None) -> None:
        """Note when to look for an object's alarm; None for not at all."""
        ...

    def record(self, object_id: str) -> ObjectRecord | None:
        """Return what is known of an object; None where it never stored anything."""
        ...

    def retry_alarm(self, object_id: str, name: str | None, time_ms: int, attempts: int) -> None:
        """Note when to look for an alarm again that has failed so often."""
        ...

    def release(self, object_id: str, store: ObjectStore) -> None:
        """Close an object's store, whose owner has left the memory."""
        ...

    def remove(self, object_id: str) -> None:
        """Delete everything that an object has stored."""
        ...

    async def close(self) -> None:
        """Give every file back; idempotent."""
        ...
