"""What an engine of Workflows does: one engine holds one workflow's instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

STATUSES: Final = (
    "queued", "running", "paused", "errored", "terminated", "complete", "waitingForPause", "waiting",
)  # fmt: skip
FINISHED: Final = frozenset(("complete", "errored", "terminated"))


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """One instance.

    Attributes:
        status: one of `STATUSES`.
        params: what it was created with, serialized.
        created_ms: milliseconds since the epoch, as every time here.
        paused_ms: since when it is paused; None where it is not.
    """

    instance_id: str
    status: str
    params: bytes
    created_ms: int
    modified_ms: int
    paused_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of an instance, as it stands.

    Attributes:
        key: tells it from the instance's other steps, the same in every run.
        state: ``open``, ``running`` (an attempt is under way), ``done`` or ``failed``.
        attempts: how many were begun.
        config: how it is tried again, as JSON; None for what is no attempt.
        due_ms: when a sleep ends, a wait times out or the next attempt begins; None where nothing is waited for.
        value: the result of a ``done`` step: serialized, or a stream's bytes; the error of a ``failed`` one as JSON.
        is_stream: whether the result was a stream.
    """

    key: str
    state: str = "open"
    attempts: int = 0
    config: str | None = None
    due_ms: int | None = None
    value: bytes | None = None
    is_stream: bool = False


@dataclass(frozen=True, slots=True)
class LogEntry:
    """Something that happened.

    Attributes:
        event: the platform's number for it.
        step_key: the step that it happened to; None for the instance.
        target: the step's name and its count, such as ``charge-1``.
        metadata: a JSON object.
    """

    event: int
    step_key: str | None = None
    target: str | None = None
    metadata: str = "{}"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A `LogEntry` and when it was made."""

    time_ms: int
    entry: LogEntry


@dataclass(frozen=True, slots=True)
class SentEvent:
    """An event that was sent to an instance and that no step has taken yet; ``payload`` is serialized."""

    number: int
    event_type: str
    payload: bytes
    time_ms: int


class WorkflowEngine(Protocol):
    """One workflow's instances. Every method is done, and its writes are durable, when it returns.

    Laws:
        An instance that exists is not created again.
        A step is stored together with what is logged of it.
        A step that takes an event takes it and is done in one transaction.
        Events are taken in the order in which they were sent.
        A reset leaves the instance and its params, and nothing else.
        What is logged is read in the order in which it happened.
    """

    def create(self, instance_id: str, params: bytes, *, logs: Sequence[LogEntry] = ()) -> bool:
        """Add a queued instance; False where it exists already."""
        ...

    def find(self, instance_id: str) -> InstanceRecord | None:
        """Return an instance."""
        ...

    def instances(
        self, *, status: str | None = None, limit: int = -1, offset: int = 0, newest_first: bool = True
    ) -> list[InstanceRecord]:
        """Return instances by the time of their creation.

        Args:
            limit: how many at most; a negative number is no limit.
        """
        ...

    def counts(self) -> Mapping[str, int]:
        """Return how many instances have each status that any has."""
        ...

    def unfinished(self) -> list[str]:
        """Return the ids of the instances that are to run, the oldest first: neither finished nor paused."""
        ...

    def set_status(
        self, instance_id: str, status: str, *, logs: Sequence[LogEntry] = (), paused_ms: int | None = None
    ) -> None:
        """Change an instance's status."""
        ...

    def resume(self, instance_id: str, *, by_ms: int) -> None:
        """Queue a paused instance, and put off by ``by_ms`` whatever it waits for."""
        ...

    def reset(self, instance_id: str, *, logs: Sequence[LogEntry] = ()) -> None:
        """Queue an instance as if it had just been created."""
        ...

    def delete(self, instance_id: str) -> None:
        """Forget an instance."""
        ...

    def step(self, instance_id: str, key: str) -> StepRecord | None:
        """Return a step, or None where it has not begun."""
        ...

    def save_step(
        self, instance_id: str, step: StepRecord, *, logs: Sequence[LogEntry] = (), event: SentEvent | None = None
    ) -> None:
        """Store a step as it stands now.

        Args:
            event: one that it takes.
        """
        ...

    def add_event(self, instance_id: str, event_type: str, payload: bytes) -> None:
        """Keep an event until a step takes it."""
        ...

    def next_event(self, instance_id: str, event_type: str) -> SentEvent | None:
        """Return the oldest event of a type that no step has taken."""
        ...

    def add_logs(self, instance_id: str, logs: Sequence[LogEntry]) -> None:
        """Log something."""
        ...

    def logs(self, instance_id: str) -> list[LogRecord]:
        """Return everything that was logged of an instance."""
        ...

    async def close(self) -> None:
        """Give everything back; idempotent."""
        ...
