"""What a run waits at: the clock, events, and a pause.

Source: the local engine's ``gracePeriodSemaphore.ts`` (miniflare 4.20260426)
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final

from pyworkers.bindings.workflows.failures import PAUSED
from pyworkers.clock import Clock, Timer
from pyworkers.js.primitives import MAX_SAFE_INTEGER
from pyworkers.js.values import JsException

# Turns of the loop in which what was woken gets to wait again, and how long work that waits for nothing of the
# clock's keeps a test that moves the clock.
_TURNS: Final = 12
_PATIENCE_S: Final = 2.0


class Gate:
    """Where the steps of one run wait.

    Args:
        clock: what they wait for.
        on_paused: called when a pause that was asked for has come.
    """

    def __init__(self, clock: Clock, on_paused: Callable[[], None]) -> None:
        self._clock = clock
        self._on_paused = on_paused
        self._waiters: set[asyncio.Future[None]] = set()
        self._held: set[asyncio.Future[None]] = set()
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.steps_open = 0
        self._attempts = 0
        self._is_pausing = False
        self.is_paused = False
        self.is_over = False
        self._on_blocked: Callable[[], object] | None = None

    # ---- waiting

    def due_ms(self, duration_ms: float) -> int:
        """Return when a duration that begins now is over."""
        return math.ceil(min(self._clock.now_ms() + duration_ms, MAX_SAFE_INTEGER))

    def call_at(self, when_ms: int, callback: Callable[[], None]) -> Timer:
        """Call a function at a time; who moves the clock waits for what comes of it."""

        def fire() -> asyncio.Task[None]:
            callback()
            return self.settling()

        return self._clock.call_at(when_ms, fire)

    async def wait(self, due_ms: int, waiter: asyncio.Future[None] | None = None) -> None:
        """Wait until a time, or until ``waiter`` is done.

        Raises:
            JsException: the run is paused.
        """
        if self.is_paused:
            self.check()
        waiter = waiter or asyncio.get_running_loop().create_future()
        timer = self.call_at(due_ms, lambda: set_done(waiter))
        self._waiters.add(waiter)
        self._news.set()
        self._tell_blocked()
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiters.discard(waiter)
        self.check()

    # ---- attempts and the pause

    async def enter(self) -> None:
        """Begin an attempt; while a pause is coming, none begins.

        Raises:
            JsException: the run is paused.
        """
        while self._is_pausing and not self.is_paused:
            held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._held.add(held)
            try:
                await held
            finally:
                self._held.discard(held)
        self.check()
        self._attempts += 1

    def leave(self) -> None:
        """End an attempt."""
        self._attempts -= 1
        if self._is_pausing and not self._attempts:
            self._pause()

    def pause(self) -> None:
        """Pause as soon as no attempt runs."""
        self._is_pausing = True
        if not self._attempts:
            self._pause()

    def cancel_pause(self) -> None:
        """Go on: the pause has not come yet."""
        self._is_pausing = False
        for held in self._held:
            set_done(held)

    def check(self) -> None:
        """Stop here where the run is to pause.

        Raises:
            JsException: it is.
        """
        if self._is_pausing:
            raise JsException("Error", PAUSED)

    def check_after_step(self) -> None:
        """Stop after a step, where no other one runs any more.

        Raises:
            JsException: the run is paused.
        """
        if not self._attempts:
            self.check()

    def _pause(self) -> None:
        self.is_paused = True
        self._on_paused()
        for waiter in self._waiters | self._held:
            if not waiter.done():
                waiter.set_exception(JsException("Error", PAUSED))

    # ---- for who moves the clock, and who changes the code

    def when_blocked(self, callback: Callable[[], object]) -> None:
        """Call a function as soon as the run does nothing but wait."""
        self._on_blocked = callback
        self._tell_blocked()

    def _tell_blocked(self) -> None:
        if self._on_blocked is not None and self.is_blocked and not self.is_over:
            asyncio.get_running_loop().call_soon(self._on_blocked)
            self._on_blocked = None

    @property
    def is_blocked(self) -> bool:
        """Tell whether every step that has begun waits for the clock or for an event."""
        return bool(self._waiters) and len(self._waiters) >= self.steps_open

    def end(self) -> None:
        """The run is over."""
        self.is_over = True
        self._news.set()

    def settling(self) -> asyncio.Task[None]:
        """Return what is done when the run waits again, or is over."""
        task = asyncio.get_running_loop().create_task(self._settle(), context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _settle(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while not (self.is_blocked or self.is_over):
                    self._news.clear()
                    await self._news.wait()
                    for _ in range(_TURNS):
                        await asyncio.sleep(0)
        except TimeoutError:
            pass  # a step that waits for something else, perhaps for the test itself

    def close(self) -> list[asyncio.Task[Any]]:
        """Cancel what waits here; returns it."""
        for task in self._tasks:
            task.cancel()
        return list(self._tasks)


def spawn(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Run a coroutine as a task of the worker's event; one that is cancelled before it began leaves no warning."""
    task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(coroutine)
    task.add_done_callback(lambda _: coroutine.close())
    return task


def set_done(future: asyncio.Future[None]) -> None:
    """Let go on whoever waits for a future."""
    if not future.done():
        future.set_result(None)
