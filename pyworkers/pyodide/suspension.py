"""``run_sync`` on the stock event loop.

Worker code runs inside a greenlet that a `Suspendable` drives from the outside. ``run_sync`` switches out to that
driver, at any depth of synchronous calls; the driver awaits on the event loop and switches back in. What the code sees
as its context variables are those of the driver's ``context``, on both sides of every switch.

Source: pyodide.org, ``pyodide.ffi.run_sync`` (JavaScript Promise Integration); facts measured for this project.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Protocol, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")


class Meter(Protocol):
    """Told when worker code starts and stops running on the thread."""

    def enter(self) -> None:
        """Worker code is about to run."""
        ...

    def leave(self) -> None:
        """Worker code has given the thread back."""
        ...


class NoMeter:
    """Measures nothing."""

    def enter(self) -> None:
        """Do nothing."""

    def leave(self) -> None:
        """Do nothing."""


NO_METER = NoMeter()


def run_sync(awaitable: Awaitable[T], /) -> T:
    """Wait for an awaitable from synchronous code, as Pyodide's ``run_sync``; other tasks go on running.

    Raises:
        RuntimeError: "No suspender", outside of a worker's handler.
    """
    worklet = getcurrent()
    if not isinstance(worklet, Worklet):
        raise RuntimeError("No suspender")
    value, error = worklet.parent.switch(Suspension(awaitable))
    if error is not None:
        raise error
    return value


def can_run_sync() -> bool:
    """Tell whether `run_sync` would work here."""
    return isinstance(getcurrent(), Worklet)


class Suspension:
    """What ``run_sync`` hands to its driver."""

    __slots__ = ("awaitable",)

    def __init__(self, awaitable: Awaitable[Any]) -> None:
        self.awaitable = awaitable


class Worklet(greenlet):  # type: ignore[misc]  # greenlet ships no usable stub for subclassing
    """The greenlet that worker code runs in."""


class Suspendable:
    """Awaitable that runs a coroutine inside a `Worklet`.

    Args:
        coroutine: the worker's code.
        context: the context variables it sees; those of the first awaiter where None.
        meter: told of every stretch that the code runs.
    """

    __slots__ = ("_context", "_coroutine", "_meter")

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], *, context: Context | None = None, meter: Meter = NO_METER
    ) -> None:
        self._coroutine = coroutine
        self._context = context
        self._meter = meter

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, meter = self._coroutine, self._meter
        worklet = Worklet(_run)
        worklet.gr_context = self._context if self._context is not None else getcurrent().gr_context
        message: Any = (coroutine.send, None)
        while True:
            driver = getcurrent()
            if worklet.parent is not driver:
                worklet.parent = driver
            meter.enter()
            try:
                result = worklet.switch(message)
            finally:
                meter.leave()
            if worklet.dead:
                return result
            if type(result) is Suspension:
                message = yield from _outcome(result.awaitable)
                continue
            try:
                sent = yield result
            except BaseException as error:
                message = (coroutine.throw, error)
            else:
                message = (coroutine.send, sent)


async def run_suspendable(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine so that ``run_sync`` works below it."""
    result: T = await Suspendable(coroutine)
    return result


def _run(message: tuple[Callable[[Any], Any], Any]) -> Any:
    """Step the coroutine to its end; runs inside the worklet."""
    worklet = getcurrent()
    step, argument = message
    while True:
        try:
            yielded = step(argument)
        except StopIteration as stop:
            return stop.value
        step, argument = worklet.parent.switch(yielded)  # the parent is whoever drives this step


def _outcome(awaitable: Awaitable[Any]) -> Generator[Any, Any, tuple[Any, BaseException | None]]:
    try:
        return (yield from _awaiting(awaitable).__await__()), None
    except BaseException as error:
        return None, error


async def _awaiting(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
