"""``setTimeout`` and its like, ``queueMicrotask``, and ``scheduler``.

A callback runs in a task of the context that set it, so that it belongs to the same worker and event. It may be a
coroutine function. Its errors go to the console.

Source: html.spec.whatwg.org, section 8.7
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from pyworkers.js.events import report_error
from pyworkers.js.primitives import to_number
from pyworkers.js.promise import JsPromise, js_async, settle
from pyworkers.js.realm import Realm, current_realm
from pyworkers.js.scope_events import announce_error, announce_rejection
from pyworkers.js.values import JsException, JsProxy, call, dom_exception, get_property, js_function, type_error
from pyworkers.js.webidl import MISSING, argument_error, field_error

_MAX_DELAY_MS = 2**31 - 1
_ids = count(1)
_timers: WeakKeyDictionary[Realm, dict[int, _Timer]] = WeakKeyDictionary()
_running: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references


class _Timer:
    """A callback that waits for its time."""

    def __init__(self, callback: Callable[..., object], delay_ms: float, args: tuple[object, ...]) -> None:
        self.siblings = _timers.setdefault(current_realm(), {})
        self.id = next(_ids)
        self.callback = callback
        self.delay_s = delay_ms / 1000
        self.args = args
        self.context: Context = copy_context()
        self.repeats = False
        self.handle: asyncio.TimerHandle | None = None

    def start(self) -> int:
        """Wait; returns the timer's id."""
        self.siblings[self.id] = self
        self.handle = asyncio.get_running_loop().call_later(self.delay_s, self.fire)
        return self.id

    def cancel(self) -> None:
        """Do not fire."""
        self.siblings.pop(self.id, None)
        if self.handle is not None:
            self.handle.cancel()

    def fire(self) -> None:
        """Run the callback in a task; an interval waits on."""
        if self.repeats:
            self.start()
        else:
            self.siblings.pop(self.id, None)
        run_callback(self.callback, self.args, self.context.copy())


def run_callback(
    callback: Callable[..., object],
    args: tuple[object, ...],
    context: Context,
    *,
    on_error: Callable[[BaseException], None] = report_error,
) -> None:
    """Run a worker's callback in a task of the given context."""
    task = asyncio.get_running_loop().create_task(_run(callback, args, on_error), context=context)
    _running.add(task)
    task.add_done_callback(_running.discard)


async def _run(
    callback: Callable[..., object], args: tuple[object, ...], on_error: Callable[[BaseException], None]
) -> None:
    try:
        result = call(callback, *args)
    except Exception as error:
        on_error(error)
        return
    if isinstance(result, JsPromise):
        return  # it runs, and announces its rejection, itself
    try:
        await settle(result)
    except Exception as error:
        announce_rejection(result, error)


def setTimeout(callback: Any = None, delay_ms: object = None, *args: object) -> int:
    """Run a function once, so many milliseconds from now; returns the timer's id."""
    return _timer("setTimeout", callback, delay_ms, args).start()


def setImmediate(callback: Any = None, *args: object) -> int:
    """Run a function soon, with ``nodejs_compat``; returns an id for `clearTimeout`."""
    return _timer("setImmediate", callback, 0, args).start()


def setInterval(callback: Any = None, delay_ms: object = None, *args: object) -> int:
    """Run a function every so many milliseconds; returns the timer's id."""
    timer = _timer("setInterval", callback, delay_ms, args)
    timer.repeats = True
    timer.delay_s = max(timer.delay_s, 0.001)
    return timer.start()


@js_function
def clearTimeout(timer_id: object = None) -> None:
    """Cancel a timer; any other value is ignored."""
    timer = _timers.get(current_realm(), {}).get(timer_id) if isinstance(timer_id, int) else None
    if timer is not None:
        timer.cancel()


@js_function
def clearInterval(timer_id: object = None) -> None:
    """As `clearTimeout`: the two share their ids."""
    clearTimeout(timer_id)


@js_function
def clearImmediate(timer_id: object = None) -> None:
    """As `clearTimeout`."""
    clearTimeout(timer_id)


def cancel_timers(realm: Realm) -> None:
    """Cancel everything that an isolate has set, before it goes away."""
    for timer in list(_timers.pop(realm, {}).values()):
        timer.cancel()


@js_function
def queueMicrotask(callback: Any = None) -> None:
    """Run a function as soon as what runs now gives way."""
    if not callable(callback):
        raise type_error(
            "Failed to execute 'queueMicrotask' on 'ServiceWorkerGlobalScope': parameter 1 is not of type 'function'."
        )
    run_callback(callback, (), copy_context(), on_error=announce_error)


class Scheduler(JsProxy):
    """``scheduler``."""

    @js_async
    async def wait(self, delay_ms: object = MISSING, options: object = None) -> None:
        """Wait so many milliseconds; option ``signal`` ends the wait with its reason."""
        if delay_ms is MISSING:
            raise argument_error("Scheduler", "wait", 1, "number")
        seconds = _delay_ms(delay_ms) / 1000
        signal = get_property(options, "signal")
        if signal is None:
            await asyncio.sleep(seconds)
            return
        if getattr(signal, "js_name", None) != "AbortSignal":
            raise field_error("WaitOptions", "signal", "AbortSignal")
        if signal.aborted:
            raise _plain(signal.error())
        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def end() -> None:
            if not ended.done():
                if signal.aborted:
                    ended.set_exception(_plain(signal.error()))
                else:
                    ended.set_result(None)

        unsubscribe = signal.subscribe(end)
        timer = loop.call_later(seconds, end)
        try:
            await ended
        finally:
            timer.cancel()
            unsubscribe()


def _timer(name: str, callback: Any, delay_ms: object, args: tuple[object, ...]) -> _Timer:
    if not callable(callback):
        raise type_error(
            f"Failed to execute '{name}' on 'ServiceWorkerGlobalScope': parameter 1 is not of type 'function'."
        )
    return _Timer(callback, _delay_ms(delay_ms), args)


def _plain(error: BaseException) -> BaseException:
    """Return a signal's own AbortError without what only the signal's has."""
    if isinstance(error, JsException) and error.kind == "DOMException":
        return dom_exception(error.name, error.message)
    return error


def _delay_ms(value: object) -> float:
    delay = to_number(value)
    return min(delay, _MAX_DELAY_MS) if delay > 0 else 0
