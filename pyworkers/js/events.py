"""``EventTarget`` and the event classes.

A listener is a function, a coroutine function (its coroutine runs as a task), or an object with ``handleEvent``. An
error of a listener ends ``dispatchEvent``; of an event that the host dispatches it goes to the console and does not
stop the others.

Source: dom.spec.whatwg.org, section 2
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, jsnull, to_boolean, to_integer, to_string
from pyworkers.js.promise import JsPromise, is_thenable, settle
from pyworkers.js.realm import current_realm
from pyworkers.js.values import JsProxy, call, dom_exception, get_property, js_method, type_error
from pyworkers.js.webidl import MISSING, argument_error, constructor_error, is_object

_background: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references


class Event(
    JsProxy,
    read_only="bubbles cancelable composed currentTarget defaultPrevented eventPhase isTrusted target timeStamp type",
):
    """Something that happened, as its listeners see it."""

    NONE, CAPTURING_PHASE, AT_TARGET, BUBBLING_PHASE = range(4)
    static_NONE, static_CAPTURING_PHASE, static_AT_TARGET, static_BUBBLING_PHASE = range(4)

    type: str
    bubbles: bool
    cancelable: bool
    composed: bool
    defaultPrevented: bool
    isTrusted: bool
    target: Any
    currentTarget: Any
    eventPhase: int
    timeStamp: int
    cancelBubble: bool
    _stopped: bool
    _is_dispatching: bool

    def __init__(self, type_: str, *, bubbles: bool = False, cancelable: bool = False, composed: bool = False) -> None:
        self.__dict__.update(  # not one by one: what scripts cannot set takes longer
            type=type_,
            bubbles=bubbles,
            cancelable=cancelable,
            composed=composed,
            defaultPrevented=False,
            isTrusted=True,
            target=None,
            currentTarget=None,
            eventPhase=Event.NONE,
            timeStamp=0,
            cancelBubble=False,
            _stopped=False,
            _is_dispatching=False,
        )

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new Event(type, init)``."""
        if not args:
            raise constructor_error(cls.js_name, 1, "string")
        if len(args) > 1 and not is_nullish(args[1]) and not is_object(args[1]):
            raise constructor_error(cls.js_name, 2, "Init")
        event = cls.of_init(to_string(args[0]), args[1] if len(args) > 1 else None)
        for name in ("bubbles", "cancelable", "composed"):
            setattr(event, name, to_boolean(get_property(args[1] if len(args) > 1 else None, name)))
        event.isTrusted = False
        return event

    @classmethod
    def of_init(cls, type_: str, _init: object) -> Event:
        """Make an event from an init object; subclasses read their own fields."""
        return cls(type_)

    @property
    def srcElement(self) -> Any:
        """The target."""
        return self.target

    @property
    def returnValue(self) -> bool:
        """Tell whether the default action was not prevented."""
        return not self.defaultPrevented

    @js_method
    def preventDefault(self) -> None:
        """Cancel the default action of a cancelable event."""
        if self.cancelable:
            self.defaultPrevented = True

    @js_method
    def stopPropagation(self) -> None:
        """Nothing to stop: events do not propagate here."""
        self.cancelBubble = True

    @js_method
    def stopImmediatePropagation(self) -> None:
        """Keep the remaining listeners from being called."""
        self.cancelBubble = True
        self._stopped = True

    @js_method
    def composedPath(self) -> JsArray:
        """The targets of the dispatch."""
        return JsArray([self.currentTarget] if self._is_dispatching else [])


class CustomEvent(Event, read_only="detail"):
    """An event with a ``detail`` of any kind."""

    detail: Any = None

    @classmethod
    def of_init(cls, type_: str, init: object) -> CustomEvent:
        """Read ``detail``."""
        event = cls(type_)
        event.detail = get_property(init, "detail")
        return event


class MessageEvent(Event, read_only="data lastEventId origin ports source"):
    """A message: ``data`` is text, an ArrayBuffer or a Blob."""

    data: Any
    origin: Any
    lastEventId: str
    source: Any
    ports: JsArray

    def __init__(self, type_: str = "message", *, data: Any = None) -> None:
        super().__init__(type_)
        self.__dict__.update(data=data, origin=jsnull, lastEventId="", source=jsnull, ports=JsArray())

    @classmethod
    def of_init(cls, type_: str, init: object) -> MessageEvent:
        """Read ``data``."""
        return cls(type_, data=get_property(init, "data"))


class CloseEvent(Event, read_only="code reason wasClean"):
    """A WebSocket was closed."""

    code: int
    reason: str
    wasClean: bool

    def __init__(self, type_: str = "close", *, code: int = 0, reason: str = "", was_clean: bool = False) -> None:
        super().__init__(type_)
        self.__dict__.update(code=code, reason=reason, wasClean=was_clean)

    @classmethod
    def of_init(cls, type_: str, init: object) -> CloseEvent:
        """Read ``code``, ``reason`` and ``wasClean``."""
        reason = get_property(init, "reason")
        return cls(
            type_,
            code=to_integer(get_property(init, "code")),
            reason="" if reason is None else to_string(reason),
            was_clean=to_boolean(get_property(init, "wasClean")),
        )


class ErrorEvent(Event, read_only="colno error filename lineno message"):
    """An error that nobody caught."""

    message: str
    error: Any
    filename: str
    lineno: int
    colno: int

    def __init__(self, type_: str = "error", *, message: str = "", error: Any = None) -> None:
        super().__init__(type_)
        self.__dict__.update(message=message, error=error, filename="", lineno=0, colno=0)

    @classmethod
    def of_init(cls, type_: str, init: object) -> ErrorEvent:
        """Read ``message``, ``error``, ``filename``, ``lineno`` and ``colno``."""
        event = cls(type_, error=get_property(init, "error"))
        for name in ("message", "filename", "lineno", "colno"):
            value = get_property(init, name)
            if value is not None:
                setattr(event, name, value)
        return event


@dataclass(eq=False, slots=True)
class _Listener:
    callback: Any
    once: bool


class EventTarget(JsProxy):
    """What dispatches events.

    ``on_handlers`` names the ``onX`` attributes of a subclass: null until set, called before the listeners.
    """

    on_handlers: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self._listeners: dict[str, list[_Listener]] = {}
        for name in self.on_handlers:
            setattr(self, name, jsnull)

    @classmethod
    def js_new(cls, *_args: Any) -> JsProxy:
        """``new EventTarget()``."""
        return cls()

    @js_method
    def addEventListener(self, type_: object = MISSING, listener: Any = MISSING, options: object = None) -> None:
        """Add a listener once; options ``once`` and ``signal``.

        Raises:
            JsException: TypeError, for what is no listener, and for options that the platform lacks.
        """
        if type_ is MISSING:
            raise argument_error("EventTarget", "addEventListener", 1, "string")
        if listener is jsnull:
            return
        if listener is MISSING or not is_object(listener):
            raise argument_error("EventTarget", "addEventListener", 2, "function or HandlerObject")
        _refuse_phases(options)
        signal = get_property(options, "signal")
        if signal is not None:
            if signal.aborted:
                return
            signal.subscribe(lambda: self.removeEventListener(type_, listener))
        listeners = self._listeners.setdefault(to_string(type_), [])
        if not any(item.callback == listener for item in listeners):
            listeners.append(_Listener(listener, to_boolean(get_property(options, "once"))))

    @js_method
    def removeEventListener(self, type_: object = MISSING, listener: Any = MISSING) -> None:
        """Remove a listener."""
        if type_ is MISSING:
            raise argument_error("EventTarget", "removeEventListener", 1, "string")
        if listener is MISSING or (listener is not jsnull and not is_object(listener)):
            raise argument_error("EventTarget", "removeEventListener", 2, "Object")
        listeners = self._listeners.get(to_string(type_), [])
        listeners[:] = [item for item in listeners if item.callback != listener]

    @js_method
    def dispatchEvent(self, event: Any = None) -> bool:
        """Call the listeners; False when one of them prevented the default action.

        Raises:
            JsException: TypeError, for what is no event; InvalidStateError, for one that is being dispatched.
        """
        if not isinstance(event, Event):
            raise argument_error("EventTarget", "dispatchEvent", 1, "Event")
        if event._is_dispatching:
            raise dom_exception("InvalidStateError", "The event is already being dispatched.")
        return self.dispatch(event, on_error=_throw)

    def dispatch(self, event: Event, *, on_error: Callable[[BaseException], None] | None = None) -> bool:
        """Call the listeners of a new event, as the host.

        Args:
            on_error: gets what a listener raises; the console does where it is None.
        """
        event.target = event.currentTarget = self
        event._is_dispatching, event.eventPhase, event._stopped = True, Event.AT_TARGET, False
        try:
            self._notify_all(event, on_error)
        finally:
            event._is_dispatching, event.eventPhase = False, Event.NONE
        return not event.defaultPrevented

    def _notify_all(self, event: Event, on_error: Callable[[BaseException], None] | None) -> None:
        handler = self.__dict__.get(f"on{event.type}")
        if callable(handler):
            notify(handler, event, on_error=on_error)
        listeners = self._listeners.get(event.type)
        for item in list(listeners or ()):
            if event._stopped:
                break
            if listeners is None or item not in listeners:
                continue  # removed by one of the listeners before it
            if item.once:
                listeners.remove(item)
            callback = item.callback if callable(item.callback) else item.callback.handleEvent
            notify(callback, event, on_error=on_error)

    def has_listeners(self, type_: str) -> bool:
        """Tell whether anybody would hear of such an event."""
        return bool(self._listeners.get(type_)) or callable(self.__dict__.get(f"on{type_}"))


def _refuse_phases(options: object) -> None:
    """Refuse what events without a tree cannot have."""
    if options is True:
        raise type_error("addEventListener(): useCapture must be false.")
    for name in ("capture", "passive"):
        if to_boolean(get_property(options, name)):
            raise type_error(f"addEventListener(): options.{name} must be false.")


def _throw(error: BaseException) -> None:
    raise error


def notify(
    callback: Callable[..., object], *args: object, on_error: Callable[[BaseException], None] | None = None
) -> None:
    """Call back into the worker: what it returns runs as a task, what it raises goes to the console or ``on_error``."""
    try:
        result = call(callback, *args)
    except Exception as error:
        (on_error or report_error)(error)
        return
    if is_thenable(result) and not isinstance(result, JsPromise):  # which runs, and announces its rejection, itself
        task = asyncio.get_running_loop().create_task(_finish(result))
        _background.add(task)
        task.add_done_callback(_background.discard)


def report_error(error: BaseException) -> None:
    """Tell the console of an error that nothing in the worker caught."""
    current_realm().console("error", (uncaught(error),))


def uncaught(error: BaseException) -> str:
    """Return how an error is announced that nothing caught."""
    text = str(error) if isinstance(error, JsProxy) else f"{type(error).__name__}: {error}"
    return f"Uncaught {text}"


async def _finish(result: object) -> None:
    try:
        await settle(result)
    except Exception as error:
        from pyworkers.js.scope_events import announce_rejection  # that module is written in terms of this one

        announce_rejection(result, error)
