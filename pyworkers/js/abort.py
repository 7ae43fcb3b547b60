"""``AbortController`` and ``AbortSignal``.

Source: dom.spec.whatwg.org, section 3; recorded, contracts/fetchapi, fetchapi.abort.basic
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from pyworkers.js.events import Event, EventTarget
from pyworkers.js.primitives import to_integer
from pyworkers.js.promise import as_exception
from pyworkers.js.values import JsException, JsProxy, dom_exception, js_method, type_error
from pyworkers.js.webidl import MISSING, argument_error


class AbortSignal(EventTarget, read_only="aborted reason"):
    """Tells that something should stop, and why.

    Attributes:
        aborted: it should.
        reason: any value; undefined until then.
    """

    on_handlers = ("onabort",)

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False
        self.reason: Any = None
        self._subscribers: dict[object, Callable[[], object]] = {}

    @classmethod
    def js_new(cls, *_args: Any) -> JsProxy:
        """Signals are made by controllers."""
        raise type_error("Illegal constructor")

    @js_method
    def throwIfAborted(self) -> None:
        """Raise the reason once the signal is aborted."""
        if self.aborted:
            raise self.error()

    def error(self) -> BaseException:
        """Return the reason as what Python can raise."""
        return as_exception(self.reason)

    def subscribe(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call the host back before the worker's listeners; returns what ends the subscription.

        On an aborted signal the call happens at once.
        """
        if self.aborted:
            callback()
            return lambda: None
        key = object()
        self._subscribers[key] = callback
        return lambda: self._subscribers.pop(key, None) and None

    def abort(self, reason: Any = None) -> None:
        """Abort with a reason, by default an AbortError; later calls do nothing."""
        if self.aborted:
            return
        self.aborted = True
        self.reason = abort_error() if reason is None else reason
        subscribers, self._subscribers = self._subscribers, {}
        for callback in subscribers.values():
            callback()
        self.dispatch(Event("abort"))

    @classmethod
    def static_abort(cls, reason: Any = None, *_: object) -> AbortSignal:
        """``AbortSignal.abort``: a signal that is aborted already."""
        signal = cls()
        signal.abort(reason)
        return signal

    @classmethod
    def static_timeout(cls, delay_ms: Any = MISSING, *_: object) -> AbortSignal:
        """``AbortSignal.timeout``: a signal that aborts with a TimeoutError after so many milliseconds."""
        if delay_ms is MISSING:
            raise argument_error("AbortSignal", "timeout", 1, "number")
        signal = cls()
        loop = asyncio.get_running_loop()
        delay = to_integer(delay_ms)
        if delay >= 0:  # a negative one wraps around, to where no clock goes
            loop.call_later(delay / 1000, lambda: signal.abort(timeout_error()))
        return signal

    @classmethod
    def static_any(cls, signals: Any = MISSING, *_: object) -> AbortSignal:
        """``AbortSignal.any``: a signal that follows the first of several to abort."""
        if signals is MISSING or isinstance(signals, str) or not isinstance(signals, Iterable):
            raise argument_error("AbortSignal", "any", 1, "Array")
        result = cls()
        sources = list(signals)
        for index, source in enumerate(sources):
            if not isinstance(source, AbortSignal):
                raise type_error(f"Incorrect type for array element {index}: the provided value is not of type "
                                 "'AbortSignal'.")  # fmt: skip
        for source in sources:
            if source.aborted:
                result.abort(source.reason)
                return result
        ends = [source.subscribe(_follower(result, source)) for source in sources]
        result.subscribe(lambda: [end() for end in ends])
        return result


class AbortController(JsProxy, read_only="signal"):
    """Owns a signal and aborts it."""

    def __init__(self) -> None:
        self.signal = AbortSignal()

    @classmethod
    def js_new(cls, *_args: Any) -> JsProxy:
        """``new AbortController()``."""
        return cls()

    @js_method
    def abort(self, reason: Any = None) -> None:
        """Abort the signal."""
        self.signal.abort(reason)


def abort_error() -> JsException:
    """Return the reason of an abort without one."""
    return _retryable("AbortError", "The operation was aborted")


def timeout_error() -> JsException:
    """Return the reason of a timeout."""
    return _retryable("TimeoutError", "The operation was aborted due to timeout")


def _retryable(name: str, message: str) -> JsException:
    error = dom_exception(name, message)
    error.retryable = True  # type: ignore[attr-defined]  # the platform's own field
    return error


def _follower(signal: AbortSignal, source: AbortSignal) -> Callable[[], None]:
    return lambda: signal.abort(source.reason)
