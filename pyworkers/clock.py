"""The only place that reads the time.

Everything that depends on time takes a `Clock` in its constructor, so that tests can move it.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections.abc import Callable, Generator
from itertools import count
from typing import Any, Final, Protocol

# How long a timer of the machine's clock sleeps at most: a machine that was suspended looks again.
_LONGEST_SLEEP_S: Final = 60.0


class Timer(Protocol):
    """Something that is to happen at a time."""

    def cancel(self) -> None:
        """Let it not happen; idempotent."""
        ...


class Clock(Protocol):
    """A source of wall-clock time."""

    def call_at(self, when_ms: int, callback: Callable[[], object]) -> Timer:
        """Call a function on the running event loop at a time, at once where it is past.

        Args:
            when_ms: milliseconds since the Unix epoch, UTC.
        """
        ...

    def now_s(self) -> float:
        """Return seconds since the Unix epoch, UTC."""
        ...

    def now_ms(self) -> int:
        """Return whole milliseconds since the Unix epoch, UTC, as JavaScript's ``Date.now()``."""
        ...


class SystemClock:
    """The machine's clock."""

    __slots__ = ()

    def call_at(self, when_ms: int, callback: Callable[[], object]) -> Timer:
        """Call a function on the running event loop at a time, at once where it is past."""
        return _SystemTimer(self, when_ms, callback)

    def now_s(self) -> float:
        """Return seconds since the Unix epoch, UTC."""
        return time.time()

    def now_ms(self) -> int:
        """Return whole milliseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000_000


class _SystemTimer:
    """Sleeps towards its time in stretches."""

    __slots__ = ("_callback", "_clock", "_handle", "_when_ms")

    def __init__(self, clock: SystemClock, when_ms: int, callback: Callable[[], object]) -> None:
        self._clock = clock
        self._when_ms = when_ms
        self._callback = callback
        self._handle: asyncio.Handle | None = None
        self._sleep()

    def cancel(self) -> None:
        """Let it not happen."""
        if self._handle is not None:
            self._handle.cancel()

    def _sleep(self) -> None:
        loop = asyncio.get_running_loop()
        left_s = (self._when_ms - self._clock.now_ms()) / 1000
        if left_s <= 0:
            self._handle = loop.call_soon(self._callback)
        else:
            self._handle = loop.call_later(min(left_s, _LONGEST_SLEEP_S), self._sleep)


class ManualClock:
    """A clock that stands still until it is moved.

    Args:
        start_s: seconds since the Unix epoch, UTC.
    """

    __slots__ = ("_now_s", "_order", "_target_s", "_timers", "_work")

    def __init__(self, start_s: float = 1_700_000_000.0) -> None:
        self._now_s = start_s
        self._target_s = start_s
        self._timers: list[_ManualTimer] = []
        self._order = count()
        self._work: set[asyncio.Future[Any]] = set()

    def now_s(self) -> float:
        """Return seconds since the Unix epoch, UTC."""
        return self._now_s

    def now_ms(self) -> int:
        """Return whole milliseconds since the Unix epoch, UTC."""
        return int(self._now_s * 1000)

    def call_at(self, when_ms: int, callback: Callable[[], object]) -> Timer:
        """Call a function when the clock is moved to a time or past it, at once where it is past.

        A future that the function returns is waited for by whoever awaits `advance`.
        """
        timer = _ManualTimer(when_ms, next(self._order), callback)
        heapq.heappush(self._timers, timer)
        if when_ms <= self.now_ms():
            asyncio.get_running_loop().call_soon(self._run_due)
        return timer

    def advance(self, seconds: float) -> Settling:
        """Move the clock forward, from one timer's time to the next, so that each happens at its own time.

        It stops at whatever is to be waited for, so that what this sets a timer for happens at its time too: await the
        result to wait until the clock is there and everything that became due is done. Where nothing is to be waited
        for, the clock is there at once.

        Raises:
            ValueError: ``seconds`` is negative; time does not run backwards.
        """
        if seconds < 0:
            raise ValueError(f"a clock moves forward only, not by {seconds} s")
        self._target_s += seconds
        self._run_due()
        return Settling(self)

    async def settle(self) -> None:
        """Wait until the clock is where it was moved to, and everything that is due is done."""
        while True:
            for _ in range(3):  # what has just begun may be about to set a timer
                await asyncio.sleep(0)
            self._run_due()
            if not self._work:
                return
            await asyncio.wait(set(self._work))

    def _run_due(self) -> None:
        """Run what is due; move on as long as there is nothing to wait for."""
        while True:
            timer = self._next_timer()
            if timer is not None and timer.when_ms <= self.now_ms():
                self._run(heapq.heappop(self._timers))
            elif self._work:
                return
            elif timer is not None and timer.when_ms <= int(self._target_s * 1000):
                self._move_to(timer.when_ms)
            else:
                self._now_s = self._target_s
                return

    def _next_timer(self) -> _ManualTimer | None:
        while self._timers and self._timers[0].is_cancelled:
            heapq.heappop(self._timers)
        return self._timers[0] if self._timers else None

    def _move_to(self, when_ms: int) -> None:
        self._now_s = when_ms / 1000
        while self.now_ms() < when_ms:  # what the division lost
            self._now_s = math.nextafter(self._now_s, math.inf)

    def _run(self, timer: _ManualTimer) -> None:
        started = timer.callback()
        if isinstance(started, asyncio.Future) and not started.done():
            self._work.add(started)
            started.add_done_callback(self._done)

    def _done(self, work: asyncio.Future[Any]) -> None:
        self._work.discard(work)
        if not self._work and self._now_s < self._target_s:
            # Nobody may await the move; what has just ended may be about to set a timer.
            asyncio.get_running_loop().call_soon(self._run_due)


class _ManualTimer:
    __slots__ = ("callback", "is_cancelled", "order", "when_ms")

    def __init__(self, when_ms: int, order: int, callback: Callable[[], object]) -> None:
        self.when_ms = when_ms
        self.order = order
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        """Let it not happen."""
        self.is_cancelled = True

    def __lt__(self, other: _ManualTimer) -> bool:
        return (self.when_ms, self.order) < (other.when_ms, other.order)


class Settling:
    """What `ManualClock.advance` returns: await it, or leave it."""

    __slots__ = ("_clock",)

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def __await__(self) -> Generator[Any, None, None]:
        return self._clock.settle().__await__()
