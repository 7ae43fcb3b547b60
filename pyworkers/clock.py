"""The only place that reads the time.

Everything that depends on time takes a `Clock` in its constructor, so that tests can move it.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of wall-clock time."""

    def now_s(self) -> float:
        """Return seconds since the Unix epoch, UTC."""
        ...

    def now_ms(self) -> int:
        """Return whole milliseconds since the Unix epoch, UTC, as JavaScript's ``Date.now()``."""
        ...


class SystemClock:
    """The machine's clock."""

    __slots__ = ()

    def now_s(self) -> float:
        """Return seconds since the Unix epoch, UTC."""
        return time.time()

    def now_ms(self) -> int:
        """Return whole milliseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is moved.

    Args:
        start_s: seconds since the Unix epoch, UTC.
    """

    __slots__ = ("_now_s",)

    def __init__(self, start_s: float = 1_700_000_000.0) -> None:
        self._now_s = start_s

    def now_s(self) -> float:
        """Return seconds since the Unix epoch, UTC."""
        return self._now_s

    def now_ms(self) -> int:
        """Return whole milliseconds since the Unix epoch, UTC."""
        return int(self._now_s * 1000)

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            ValueError: ``seconds`` is negative; time does not run backwards.
        """
        if seconds < 0:
            raise ValueError(f"a clock moves forward only, not by {seconds} s")
        self._now_s += seconds
