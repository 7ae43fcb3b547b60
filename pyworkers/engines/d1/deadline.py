"""How long a call may run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Deadline:
    """The moment at which what runs is interrupted; one call after another has its own.

    Everything but `interrupt` is used by one thread at a time.

    Args:
        now: the time in seconds.

    Attributes:
        at_s: the moment.
        has_passed: the call has overrun it.
    """

    __slots__ = ("_is_interrupted", "_is_lifted", "_now", "at_s", "has_passed")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._is_interrupted = False
        self._is_lifted = False
        self.at_s = 0.0
        self.has_passed = False

    def begin(self, limit_s: float) -> None:
        """Another call begins, which may run for so many seconds."""
        self.has_passed = False
        self.at_s = 0.0 if self._is_interrupted else self._now() + limit_s

    def interrupt(self) -> None:
        """End what runs, and whatever comes; from any thread."""
        self._is_interrupted = True
        self.at_s = 0.0

    def is_overdue(self) -> bool:
        """Tell whether what runs is to end now; SQLite asks while it works."""
        if self._is_lifted:
            return False
        # An interruption comes from another thread: it may have come while the moment was being set.
        if self._is_interrupted or self._now() > self.at_s:
            self.has_passed = True
        return self.has_passed

    def lifted(self, work: Callable[[], T]) -> T:
        """Return what `work` does, however long it takes."""
        self._is_lifted = True
        try:
            return work()
        finally:
            self._is_lifted = False
