"""``run_sync`` on the stock event loop.

Worker code runs inside a greenlet that `suspendable` drives from the outside. ``run_sync`` switches out to that
driver, at any depth of synchronous calls; the driver awaits on the event loop and switches back in. What the code sees
as its context variables are those of the driver's ``context``, on both sides of every switch.

Source: pyodide.org, ``pyodide.ffi.run_sync`` (JavaScript Promise Integration); facts measured for this project.
"""

from __future__ import annotations

import threading
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Final, Protocol, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

T = TypeVar("T")

MAX_IDLE: Final = 64  # worklets that are kept to be used again


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
_ENDED: Final = object()  # what a worklet hands over when its coroutine has ended


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
    """The greenlet that worker code runs in.

    Attributes:
        value: what the coroutine that has just ended returned; taken at once.
        error: what it raised.
    """

    value: Any = None
    error: BaseException | None = None


def suspendable(
    coroutine: Coroutine[Any, Any, T],
    *,
    context: Context | None = None,
    meter: Meter = NO_METER,
    on_wait: Callable[[], object] | None = None,
) -> Coroutine[Any, Any, T]:
    """Return what runs a coroutine inside a `Worklet`: to be awaited, or stepped by who wants to hold it back.

    Args:
        coroutine: the worker's code.
        context: the context variables it sees; those of the first awaiter where None.
        meter: told of every stretch that the code runs.
        on_wait: called before the code waits for the first time, if it does; in the task that awaits this.
    """
    steps: Any = _steps(coroutine, context, meter, on_wait)
    return steps  # a coroutine, made of a generator


@types.coroutine
def _steps(
    coroutine: Coroutine[Any, Any, Any], context: Context | None, meter: Meter, on_wait: Callable[[], object] | None
) -> Generator[Any, Any, Any]:
    idle = _idle.worklets
    worklet = idle.pop() if idle else Worklet(_run)
    worklet.gr_context = context if context is not None else getcurrent().gr_context
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
        if result is _ENDED:
            value, error = worklet.value, worklet.error
            worklet.value = worklet.error = None
            if len(idle) < MAX_IDLE:
                worklet.gr_context = None
                idle.append(worklet)
            else:
                worklet.switch(None)  # ends it: one that is only forgotten is never freed
            if error is not None:
                raise error
            return value
        if type(result) is Suspension:
            # What is awaited may be the worker's code too: it runs in the same context, and may `run_sync` itself.
            awaited = suspendable(_awaiting(result.awaitable), context=worklet.gr_context, meter=meter, on_wait=on_wait)
            message = yield from _outcome(awaited)
            continue
        if on_wait is not None:
            on_wait()
            on_wait = None
        try:
            sent = yield result
        except BaseException as thrown:
            message = (coroutine.throw, thrown)
        else:
            message = (coroutine.send, sent)


async def run_suspendable(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine so that ``run_sync`` works below it."""
    return await suspendable(coroutine)


def _run(message: tuple[Callable[[Any], Any], Any] | None) -> None:
    """Step one coroutine after another to its end; runs inside a worklet, whose parent is whoever drives it.

    It ends at None. The garbage collector does not look into a suspended greenlet, so none is dropped before it ended.
    """
    worklet = getcurrent()
    while message is not None:
        step, argument = message
        yielded = None
        while True:
            try:
                yielded = step(argument)
            except StopIteration as stop:
                worklet.value = stop.value
                break
            except GreenletExit:
                raise  # the driver was dropped
            except BaseException as error:
                worklet.error = error
                break
            step, argument = worklet.parent.switch(yielded)
        del step, argument, message, yielded  # an idle worklet holds nothing of the worker's
        message = worklet.parent.switch(_ENDED)


class _Idle(threading.local):
    """Worklets that wait for a coroutine: a new one costs the system calls for its stack."""

    def __init__(self) -> None:
        self.worklets: list[Worklet] = []


_idle = _Idle()


@types.coroutine
def _outcome(awaited: Any) -> Generator[Any, Any, tuple[Any, BaseException | None]]:
    try:
        return (yield from awaited), None
    except BaseException as error:
        return None, error


async def _awaiting(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
