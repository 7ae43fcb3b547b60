"""Promises.

A host function that works asynchronously is an ``async def`` under `js_async`: calling it runs it up to its first
suspension at once, as JavaScript runs an async function, and gives a promise. Awaiting that promise straight away
continues the coroutine inside the awaiting task, so that a call which never suspends costs no trip through the event
loop. A promise that nobody awaits is continued by a task of its own.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from functools import wraps
from typing import Any, TypeVar

from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, to_string
from pyworkers.js.values import JsException, JsObject, JsProxy, call, iterate, type_error

R = TypeVar("R")

_FULFILLED, _REJECTED, _SUSPENDED, _RUNNING = range(4)


class JsPromise(JsProxy, js_name="Promise"):
    """A promise. Await it, or use ``then``, ``catch`` and ``finally_``."""

    _was_announced = False  # listeners of the global scope have heard that nobody looks at the rejection

    def __init__(self) -> None:
        self._state = _RUNNING
        self._value: Any = None
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._yielded: Any = None
        self._waiters: list[Callable[[], None]] = []
        self._handled = False

    # ---- making one

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new Promise((resolve, reject) => …)``."""
        if not args or not callable(args[0]):
            raise type_error("Promise resolver undefined is not a function")
        promise = cls()
        try:
            call(args[0], promise.resolve, promise.reject)
        except Exception as error:
            promise.reject(error)
        return promise

    @classmethod
    def resolved(cls, value: Any = None) -> JsPromise:
        """Return a promise that is already fulfilled."""
        promise = cls()
        promise._state, promise._value = _FULFILLED, value
        return promise

    @classmethod
    def rejected(cls, error: BaseException) -> JsPromise:
        """Return a promise that is already rejected."""
        promise = cls()
        promise._settle(_REJECTED, error)
        return promise

    @classmethod
    def run(cls, coroutine: Coroutine[Any, Any, Any]) -> JsPromise:
        """Start a host coroutine now and return the promise of its result."""
        promise = cls()
        try:
            promise._yielded = yielded = coroutine.send(None)
            if asyncio.isfuture(yielded):
                yielded._asyncio_future_blocking = False  # others may await it until a task waits for this coroutine
        except StopIteration as stop:
            promise._state, promise._value = _FULFILLED, stop.value
        except asyncio.CancelledError:
            raise
        except Exception as error:
            promise._settle(_REJECTED, error)
        else:
            promise._suspend(coroutine)
        return promise

    @classmethod
    def defer(cls, coroutine: Coroutine[Any, Any, Any]) -> JsPromise:
        """Return the promise of a coroutine that starts when it is awaited, at the latest in the loop's next turn."""
        promise = cls()
        promise._yielded = _NOT_STARTED
        promise._suspend(coroutine)
        return promise

    # ---- settling one made with __init__

    def resolve(self, value: Any = None) -> None:
        """Fulfil the promise, or follow ``value`` where it is awaitable; later calls do nothing."""
        if self._state != _RUNNING or self._coroutine is not None:
            return
        if is_thenable(value):
            self._coroutine = _follow(value)
            asyncio.get_running_loop().create_task(self._drive(self._coroutine))
            return
        self._settle(_FULFILLED, value)

    def reject(self, reason: Any = None) -> None:
        """Reject the promise; a reason that is no exception is wrapped in an Error, as Pyodide does."""
        if self._state == _RUNNING and self._coroutine is None:
            self._settle(_REJECTED, as_exception(reason))

    # ---- using one

    def __await__(self) -> Generator[Any, Any, Any]:
        self._handled = True
        if self._state == _SUSPENDED:
            yield from self._continue()
        elif self._state == _RUNNING:
            yield from self._wait()
        if self._state == _REJECTED:
            if self._was_announced:
                self._was_announced = False
                from pyworkers.js.scope_events import announce_late_handling

                announce_late_handling(self)
            raise self._value
        return self._value

    def then(self, on_fulfilled: Any = None, on_rejected: Any = None, *_: object) -> JsPromise:
        """``Promise.prototype.then``; a callback may be a coroutine function."""
        return JsPromise.defer(self._then(on_fulfilled, on_rejected))

    def catch(self, on_rejected: Any = None, *_: object) -> JsPromise:
        """``Promise.prototype.catch``."""
        return self.then(None, on_rejected)

    def finally_(self, on_settled: Any = None, *_: object) -> JsPromise:
        """``Promise.prototype.finally``."""
        return JsPromise.defer(self._finally(on_settled))

    @property
    def is_settled(self) -> bool:
        """Tell whether the promise is fulfilled or rejected."""
        return self._state in (_FULFILLED, _REJECTED)

    def mark_handled(self) -> JsPromise:
        """Keep a rejection that nobody looks at off the console; returns the promise."""
        self._handled = True
        return self

    # ---- how it runs

    def _suspend(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._state, self._coroutine = _SUSPENDED, coroutine
        asyncio.get_running_loop().call_soon(self._adopt)

    def _adopt(self) -> None:
        """Nobody awaited in this turn of the loop: run on as a task."""
        if self._state == _SUSPENDED:
            asyncio.get_running_loop().create_task(self._drive(self._resumed()))

    def _resumed(self) -> Resumed:
        assert self._coroutine is not None
        self._state = _RUNNING  # whoever else awaits from now on waits for this one
        return Resumed(self._coroutine, self._yielded)

    async def _drive(self, awaitable: Awaitable[Any]) -> None:
        try:
            value = await awaitable
        except (asyncio.CancelledError, KeyboardInterrupt) as error:
            self._settle(_REJECTED, error)
            raise
        except GeneratorExit:  # the loop has ended
            raise
        except BaseException as error:  # whatever it is, somebody may wait
            self._settle(_REJECTED, error)
        else:
            self._settle(_FULFILLED, value)

    def _continue(self) -> Generator[Any, Any, None]:
        """Run the suspended coroutine on inside the awaiting task."""
        try:
            value = yield from self._resumed().__await__()
        except Exception as error:
            self._settle(_REJECTED, error)
        except BaseException as error:
            self._settle(_REJECTED, error)
            raise
        else:
            self._settle(_FULFILLED, value)

    def _wait(self) -> Generator[Any, Any, None]:
        # A future of this awaiter's own: when the awaiting task is cancelled, the promise itself is not.
        future = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        self._waiters.append(wake)
        try:
            yield from future.__await__()
        finally:
            if not future.done() or future.cancelled():
                self._waiters.remove(wake)

    def _settle(self, state: int, value: Any) -> None:
        self._state, self._value, self._coroutine, self._yielded = state, value, None, None
        waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()
        if state == _REJECTED and not self._handled and not isinstance(value, asyncio.CancelledError):
            asyncio.get_running_loop().call_soon(self._report_unhandled)

    def _report_unhandled(self) -> None:
        if self._handled:
            return
        from pyworkers.js.scope_events import announce_rejection  # that module is written in terms of this one

        self._was_announced = True
        announce_rejection(self, self._value)

    async def _then(self, on_fulfilled: Any, on_rejected: Any) -> Any:
        try:
            value = await self
        except Exception as error:
            if not callable(on_rejected):
                raise
            return await settle(call(on_rejected, error))
        return value if not callable(on_fulfilled) else await settle(call(on_fulfilled, value))

    async def _finally(self, on_settled: Any) -> Any:
        try:
            return await self
        finally:
            if callable(on_settled):
                await settle(call(on_settled))


class _NotStarted:
    """Marks a deferred coroutine that has not run yet."""


_NOT_STARTED = _NotStarted()


class Resumed:
    """Awaitable that carries a coroutine on, which was stepped by hand and has yielded.

    Args:
        yielded: what the last step gave.
    """

    __slots__ = ("_coroutine", "_yielded")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], yielded: Any) -> None:
        self._coroutine = coroutine
        self._yielded = yielded

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, yielded = self._coroutine, self._yielded
        if yielded is _NOT_STARTED:
            return (yield from coroutine.__await__())
        if asyncio.isfuture(yielded):
            yielded._asyncio_future_blocking = True  # how a task knows that it was awaited
        while True:
            try:
                sent = yield yielded
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:
                thrown: BaseException | None = error
            else:
                thrown = None
            try:
                yielded = coroutine.send(sent) if thrown is None else coroutine.throw(thrown)
            except StopIteration as stop:
                return stop.value


class PromiseFunctions:
    """Members of the ``Promise`` constructor."""

    @staticmethod
    def static_resolve(value: Any = None, *_: object) -> JsPromise:
        """``Promise.resolve``."""
        if isinstance(value, JsPromise):
            return value
        return JsPromise.run(_follow(value)) if is_thenable(value) else JsPromise.resolved(value)

    @staticmethod
    def static_reject(reason: Any = None, *_: object) -> JsPromise:
        """``Promise.reject``."""
        return JsPromise.rejected(as_exception(reason))

    @staticmethod
    def static_all(values: Any = (), *_: object) -> JsPromise:
        """``Promise.all``: an array of the results, or the first rejection."""
        return JsPromise.run(_all(values))

    @staticmethod
    def static_allSettled(values: Any = (), *_: object) -> JsPromise:
        """``Promise.allSettled``."""
        return JsPromise.run(_all_settled(values))

    @staticmethod
    def static_race(values: Any = (), *_: object) -> JsPromise:
        """``Promise.race``: the first to settle."""
        return JsPromise.run(_race(values))

    @staticmethod
    def static_any(values: Any = (), *_: object) -> JsPromise:
        """``Promise.any``: the first to fulfil, or an AggregateError."""
        return JsPromise.run(_any(values))

    @staticmethod
    def static_try(function: Any = None, *args: object) -> JsPromise:
        """``Promise.try``: what the function returns, or raises."""
        try:
            return PromiseFunctions.static_resolve(call(function, *args))
        except Exception as error:
            return JsPromise.rejected(error)

    @staticmethod
    def static_withResolvers(*_: object) -> JsObject:
        """``Promise.withResolvers``."""
        promise = JsPromise()
        return JsObject({"promise": promise, "resolve": promise.resolve, "reject": promise.reject})


JsPromise.constructor.statics = PromiseFunctions


def js_async(function: Callable[..., Coroutine[Any, Any, R]]) -> Callable[..., JsPromise]:
    """Make an ``async def`` method callable as a JavaScript method that returns a promise.

    Extra arguments are dropped, keyword arguments become one trailing options object. Errors never escape the call:
    they reject the promise.
    """
    code = function.__code__
    limit = None if code.co_flags & 0x04 else code.co_argcount - 1

    @wraps(function)
    def start(self: Any, *args: Any, **kwargs: Any) -> JsPromise:
        if kwargs:
            args = (*args, JsObject(kwargs))
        return JsPromise.run(function(self, *args[:limit]))

    return start


def is_thenable(value: object) -> bool:
    """Tell whether JavaScript would follow the value: a promise, or a Python awaitable."""
    return isinstance(value, JsPromise) or inspect.isawaitable(value)


async def settle(value: Any) -> Any:
    """Await the value as long as it is thenable."""
    while is_thenable(value):
        value = await value
    return value


def as_exception(reason: Any) -> BaseException:
    """Return what Python sees when ``reason`` is thrown: a non-Error is wrapped, its text the message."""
    if isinstance(reason, BaseException):
        return reason
    error = JsException("Error", "null" if is_nullish(reason) and reason is not None else to_string(reason))
    error._thrown = reason  # type: ignore[attr-defined]  # what was thrown, for who describes it otherwise
    return error


async def _follow(value: Awaitable[Any]) -> Any:
    return await settle(value)


async def _all(values: Iterable[Any]) -> JsArray:
    return JsArray(await asyncio.gather(*[settle(value) for value in iterate(values)]))


async def _all_settled(values: Iterable[Any]) -> JsArray:
    async def one(value: Any) -> JsObject:
        try:
            return JsObject({"status": "fulfilled", "value": await settle(value)})
        except Exception as error:
            return JsObject({"status": "rejected", "reason": error})

    return JsArray(await asyncio.gather(*[one(value) for value in iterate(values)]))


async def _race(values: Iterable[Any]) -> Any:
    tasks = [asyncio.ensure_future(settle(value)) for value in iterate(values)]
    if not tasks:
        return await asyncio.get_running_loop().create_future()
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return next(task for task in tasks if task in done).result()


async def _any(values: Iterable[Any]) -> Any:
    pending = [asyncio.ensure_future(settle(value)) for value in iterate(values)]
    errors = []
    for task in asyncio.as_completed(pending):
        try:
            return await task
        except Exception as error:
            errors.append(error)
    failure = JsException("AggregateError", "All promises were rejected")
    failure.errors = JsArray(errors)  # type: ignore[attr-defined]  # JavaScript's own field
    raise failure
