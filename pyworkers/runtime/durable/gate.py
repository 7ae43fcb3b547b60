"""The input gate of one object: when an event may begin, or go on after it waited for something.

An event is kept out while another uses the storage, and while an async function runs exclusively
(``blockConcurrencyWhile``, ``transaction``). Storage itself never waits here, but what awaits it may take a few turns
of the event loop to go on (``asyncio.gather`` does): the gate stays shut that long.

Source: developers.cloudflare.com/durable-objects/concepts/durable-objects-lifecycle, "Input gates"
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any, Final

from pyworkers.runtime.events import Event

# Turns of the event loop from an answer of the storage until what awaited it has gone on.
_TURNS: Final = 4


class InputGate:
    """The gate of one object.

    Attributes:
        user: the event that used the storage last, while the gate may be shut for it.
        error: what broke the object; nothing passes any more.
        is_running: the code of one of the object's events is on the thread.
    """

    __slots__ = ("_is_pumping", "_lock_waiters", "_locks", "_turns", "_waiting", "error", "is_running", "runs", "user")

    def __init__(self) -> None:
        self.user: Event | None = None
        self.error: Exception | None = None
        self.runs: set[GatedRun] = set()
        self.is_running = False
        self._locks = 0
        self._lock_waiters: deque[asyncio.Future[None]] = deque()
        self._waiting: deque[tuple[Event, Callable[[], None]]] = deque()
        self._is_pumping = False
        self._turns = 0

    # ---- passing

    def is_open_for(self, event: Event) -> bool:
        """Tell whether an event may go on at once."""
        if self._locks:
            return False
        return event is self.user or (self.user is None and not self._waiting)

    def shut_for(self, event: Event | None) -> None:
        """An event has used the storage: let no other pass before it has gone on."""
        self.user, self._turns = event, _TURNS

    async def enter(self, event: Event) -> None:
        """Wait until an event may begin; those that wait begin in order.

        Raises:
            Exception: the object is broken.
        """
        if self.error is None and not self.is_open_for(event):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.call_when_open(event, lambda: None if future.done() else future.set_result(None))
            await future
        if self.error is not None:
            raise self.error

    def call_when_open(self, event: Event, callback: Callable[[], None]) -> None:
        """Call a function when an event may go on."""
        self._waiting.append((event, callback))
        self._pump_soon()

    # ---- exclusive parts

    def lock_at_once(self) -> bool:
        """Shut the gate for an exclusive part, unless there is one; tells whether it did."""
        if self._locks:
            return False
        self._locks = 1
        return True

    def lock(self) -> asyncio.Future[None] | None:
        """Shut the gate for an exclusive part; return what to wait for where others are before it, in order."""
        if self.lock_at_once():
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lock_waiters.append(future)  # whoever unlocks hands its lock on
        return future

    def lock_within(self) -> asyncio.Future[None] | None:
        """Shut the gate for a part of the exclusive part that goes on, which may end before it; as `lock` else."""
        if self._locks == 1:
            self._locks = 2
            return None
        return self.lock()

    def unlock(self, *, is_outer: bool = False) -> None:
        """End an exclusive part.

        Args:
            is_outer: it is one that may have others within, which go on.
        """
        while self._lock_waiters and not (is_outer and self._locks > 1):
            waiter = self._lock_waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._locks = max(self._locks - 1, 0)
        if not self._locks:
            self._pump_soon()

    def break_(self, error: Exception) -> None:
        """Let nothing pass any more: what waits and what runs fails with the error."""
        self.error = error
        self._locks = 0
        while self._lock_waiters:
            waiter = self._lock_waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
        waiting, self._waiting = self._waiting, deque()
        for _, callback in waiting:
            callback()
        for run in list(self.runs):
            run.interrupt(error)

    # ---- letting those who wait pass, one after another

    def _pump_soon(self) -> None:
        if self._waiting and not self._is_pumping:
            self._is_pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._is_pumping = False
        if not self._waiting or self._locks:
            return
        if self._turns:
            self._turns -= 1
        else:
            self.user = None
            _, callback = self._waiting.popleft()
            self._turns = _TURNS  # it begins, and may use the storage, before the next one does
            callback()
        self._pump_soon()


class GatedRun:
    """Awaitable that runs one event of an object: each time it has waited for something, it passes the gate.

    Args:
        has_lock: it is the exclusive part that the gate is shut for, and passes always.
    """

    __slots__ = ("_event", "_gate", "_has_lock", "_inner", "_outer")

    def __init__(
        self, inner: Coroutine[Any, Any, Any], gate: InputGate, event: Event, *, has_lock: bool = False
    ) -> None:
        self._inner = inner
        self._gate = gate
        self._event = event
        self._has_lock = has_lock
        self._outer: asyncio.Future[Any] | None = None

    def interrupt(self, error: Exception) -> None:
        """End the event's wait with an error."""
        if self._outer is not None and not self._outer.done():
            self._outer.set_exception(error)

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._inner
        gate = self._gate
        gate.runs.add(self)
        try:
            yielded = self._step(steps.send, None)
            while True:
                if gate.error is not None:  # it reset itself
                    raise gate.error
                try:
                    yield from self._wait_for(yielded)
                except asyncio.CancelledError as error:
                    if asyncio.isfuture(yielded):
                        yielded.cancel()
                    yielded = self._step(steps.throw, error)
                else:
                    if gate.error is not None:
                        raise gate.error
                    yielded = self._step(steps.send, None)
        except StopIteration as stop:
            return stop.value
        finally:
            gate.runs.discard(self)
            if gate.user is self._event:
                gate.user = None
            with suppress(RuntimeError):  # what was cut off would wait for something once more
                steps.close()

    def _step(self, step: Callable[[Any], Any], argument: Any) -> Any:
        gate = self._gate
        was_running, gate.is_running = gate.is_running, True
        try:
            return step(argument)
        finally:
            gate.is_running = was_running

    def _wait_for(self, yielded: Any) -> Generator[Any, Any, None]:
        """Wait for what the event's code waits for, and then for the gate, in one future of this run's own."""
        loop = asyncio.get_running_loop()
        outer = self._outer = loop.create_future()
        if asyncio.isfuture(yielded):
            yielded._asyncio_future_blocking = False
            yielded.add_done_callback(self._came)
        else:
            loop.call_soon(self._came, None)  # a bare yield: one turn of the loop
        try:
            yield from outer.__await__()
        finally:
            self._outer = None
            if asyncio.isfuture(yielded):
                yielded.remove_done_callback(self._came)

    def _came(self, _: object) -> None:
        if self._has_lock or self._gate.is_open_for(self._event):
            self._open()
        else:
            self._gate.call_when_open(self._event, self._open)

    def _open(self) -> None:
        if self._outer is not None and not self._outer.done():
            self._outer.set_result(None)
