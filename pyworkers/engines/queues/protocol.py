"""What a queue engine does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol

# What stands for one delivery of one message; text that only the engine reads.
Lease = str


class NewMessage(NamedTuple):
    """A message to keep.

    Attributes:
        content_type: ``json``, ``text``, ``bytes`` or ``v8``.
        sent_at_ms: milliseconds since the Unix epoch; what the consumer sees as its timestamp.
        visible_at_ms: when it may be taken first.
    """

    id: str
    body: bytes
    content_type: str
    sent_at_ms: int
    visible_at_ms: int


class TakenMessage(NamedTuple):
    """A message that was taken.

    Attributes:
        attempts: how often it was taken, this time included.
    """

    id: str
    body: bytes
    content_type: str
    sent_at_ms: int
    attempts: int
    lease: Lease


class QueueState(NamedTuple):
    """What could be taken.

    Attributes:
        ready: how many messages, counted up to the limit that was asked for.
        oldest_ms: since when the oldest of them could be taken; None where there is none.
        next_ms: when another one becomes ready; None where none will.
    """

    ready: int
    oldest_ms: int | None
    next_ms: int | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """The messages that could be taken: how many, the size of their bodies, and when the next of them was sent."""

    count: int
    size_bytes: int
    oldest_sent_at_ms: int | None


class QueueEngine(Protocol):
    """One queue.

    Laws, each with a test of the same words in tests/contract/engines/test_queue_engine.py:

    - a sent message is taken with body, type, id and time of sending as they were
    - send is atomic
    - messages are taken in the order in which they became visible, then in which they were sent
    - a message is not taken before it becomes visible
    - a taken message is not taken again until its lease ends
    - a lease that ended makes the message ready again, its attempts counted
    - an owner never takes what it holds itself, however long
    - what was released can be taken at once by everybody
    - an acknowledged message is gone
    - a retried message comes after those that are ready, with its attempts counted
    - a lease that is over acknowledges and retries nothing
    - the backlog is what could be taken
    - what was acknowledged as sent is there after the engine is opened again
    - close is idempotent, and every use after it raises EngineClosed

    An owner is any text: a process that consumes, or a kind of client. Any failure of the storage is an `EngineError`.
    """

    @property
    def is_shared(self) -> bool:
        """Whether another process may send and take, so that one must look now and then."""
        ...

    async def send(self, messages: Sequence[NewMessage]) -> None:
        """Keep all or nothing; they are durable on return."""
        ...

    async def take(self, limit: int, *, owner: str, lease_ms: int) -> list[TakenMessage]:
        """Take the messages that are ready, at most ``limit``; nobody else gets them for ``lease_ms``."""
        ...

    async def settle(
        self, acknowledged: Sequence[Lease] = (), retried: Sequence[tuple[Lease, int]] = ()
    ) -> tuple[int, int]:
        """End leases: forget messages, or give them back; all or nothing.

        Args:
            retried: a lease and when the message may be taken again.

        Returns:
            How many were forgotten and how many given back; the others' leases were over.
        """
        ...

    async def extend(self, leases: Sequence[Lease], *, lease_ms: int) -> None:
        """Let leases last from now on for ``lease_ms``."""
        ...

    async def release(self, owner_prefix: str = "") -> int:
        """Make ready at once what owners hold whose names start so; returns how many messages that are."""
        ...

    async def look(self, limit: int, *, owner: str) -> QueueState:
        """Tell what ``take`` would find; ``limit`` is 1 or more."""
        ...

    async def backlog(self) -> Backlog:
        """Count what could be taken."""
        ...

    async def purge(self) -> int:
        """Forget every message, also those that are taken; returns how many."""
        ...

    async def close(self) -> None:
        """Give everything back; what was acknowledged stays."""
        ...

    async def __aenter__(self) -> QueueEngine: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
