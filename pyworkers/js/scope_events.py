"""Events of the global scope: ``error``, ``unhandledrejection``, and what a worker dispatches there itself.

Source: html.spec.whatwg.org, section 8.1.3; recorded, misc.globals.own-scope-events
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyworkers.js.events import ErrorEvent, Event, EventTarget, report_error, uncaught
from pyworkers.js.primitives import to_string
from pyworkers.js.promise import JsPromise, as_exception
from pyworkers.js.realm import current_realm
from pyworkers.js.values import JsException, JsProxy, js_function
from pyworkers.js.webidl import MISSING, argument_error


class ExtendableEvent(Event):
    """Base of the events of workers that are no modules; scripts make none."""

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new ExtendableEvent()``.

        Raises:
            JsException: TypeError.
        """
        return JsProxy.js_new(*args)


class FetchEvent(ExtendableEvent):
    """A request."""


class ScheduledEvent(ExtendableEvent):
    """A cron trigger."""


class TailEvent(ExtendableEvent):
    """What other workers did."""


class PromiseRejectionEvent(ExtendableEvent, read_only="promise reason"):
    """A promise was rejected and nobody looked, or somebody looked after all."""

    def __init__(self, type_: str, promise: JsPromise, reason: Any) -> None:
        super().__init__(type_)
        self.__dict__.update(promise=promise, reason=reason)


class WorkerGlobalScope(EventTarget):
    """Base of the global scope's class."""

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new WorkerGlobalScope()``.

        Raises:
            JsException: TypeError.
        """
        return JsProxy.js_new(*args)


class ServiceWorkerGlobalScope(WorkerGlobalScope):
    """The global scope as what dispatches events."""

    def _notify_all(self, event: Event, on_error: Callable[[BaseException], None] | None) -> None:
        from pyworkers.js.scope import module  # that module is written in terms of this one

        event.target = event.currentTarget = module
        super()._notify_all(event, on_error)


def scope_target() -> EventTarget:
    """Return what the global scope's functions listen to: the realm's own."""
    realm = current_realm()
    if realm.events is None:
        realm.events = ServiceWorkerGlobalScope()
    return realm.events


def addEventListener(*args: Any, **kwargs: Any) -> None:
    """``addEventListener`` of the global scope."""
    scope_target().addEventListener(*args, **kwargs)


def removeEventListener(*args: Any, **kwargs: Any) -> None:
    """``removeEventListener`` of the global scope."""
    scope_target().removeEventListener(*args, **kwargs)


def dispatchEvent(*args: Any) -> bool:
    """``dispatchEvent`` of the global scope."""
    return scope_target().dispatchEvent(*args)


@js_function
def reportError(error: Any = MISSING) -> None:
    """The global ``reportError``: the scope's ``error`` listeners hear of it, and the console."""
    if error is MISSING:
        raise argument_error("ServiceWorkerGlobalScope", "reportError", 1, "JsValue")
    announce_error(error)


def announce_error(error: Any) -> None:
    """Tell the ``error`` listeners of the global scope of something thrown, then the console."""
    events = current_realm().events
    if events is not None and events.has_listeners("error"):
        events.dispatch(ErrorEvent(message=_describe(error), error=error))
    report_error(as_exception(error))


def announce_rejection(rejected: object, reason: BaseException) -> None:
    """Tell the ``unhandledrejection`` listeners of the global scope, then the console.

    Args:
        rejected: the promise; or what Python has in its place, such as a coroutine.
    """
    promise = rejected if isinstance(rejected, JsPromise) else JsPromise.rejected(reason).mark_handled()
    _announce("unhandledrejection", promise, reason)
    current_realm().console("error", (f"Uncaught (in promise) {reason}",))


def announce_late_handling(promise: JsPromise) -> None:
    """Tell the ``rejectionhandled`` listeners that somebody has looked at a rejection that was announced."""
    _announce("rejectionhandled", promise, None)


def _announce(type_: str, promise: JsPromise, reason: BaseException | None) -> None:
    events = current_realm().events
    if events is not None and events.has_listeners(type_):
        events.dispatch(PromiseRejectionEvent(type_, promise, getattr(reason, "_thrown", reason)))


def _describe(error: Any) -> str:
    """Return what V8 says of something thrown that nobody caught."""
    if isinstance(error, JsException) and error.kind == "DOMException":
        return "Uncaught "  # it shows what has been read of the error, and nothing has
    if isinstance(error, BaseException):
        return uncaught(error)
    return f"Uncaught #<{error.js_name}>" if isinstance(error, JsProxy) else f"Uncaught {to_string(error)}"
