"""A target as if it were written in JavaScript, for what a Python worker cannot express: values thrown, RpcTargets.

It stands where an isolate stands: a mirror of some methods of the recorder's ``svc_target.mjs``.
"""

from __future__ import annotations

from typing import Any

from pyworkers.js.objects import JsArray
from pyworkers.js.promise import as_exception, settle
from pyworkers.js.values import ERRORS, JsException, JsObject, JsProxy, dom_exception, type_error
from pyworkers.runtime.events import Event
from pyworkers.runtime.isolate import not_implemented


class Session(JsProxy, js_name="RpcTarget"):
    """An RpcTarget: the other side gets a stub of it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def greet(self, greeting: str) -> str:
        return f"{self._name}:{greeting}"

    def child(self, name: str) -> Session:
        return Session(f"{self._name}/{name}")

    def boom(self) -> None:
        raise JsException("RangeError", "sess boom")


class JavaScriptTarget:
    """Answers RPC calls with the methods named ``on_…``."""

    name = "target"

    def open_event(self, kind: str, **_options: Any) -> Event:
        return Event(self, kind)  # type: ignore[arg-type]  # a double

    async def call(self, method: str, args: tuple[Any, ...], **_options: Any) -> Any:
        function = getattr(self, f"on_{method}", None)
        if function is None:
            raise type_error(not_implemented(method))
        return await settle(function(*args))

    def on_fail(self, name: str, message: str, properties: Any = None) -> None:
        error = ERRORS[name].new(message)
        for key, value in vars(properties or type("Empty", (), {})()).items():
            setattr(error, key, value)
        raise error

    def on_failValue(self, value: Any = None) -> None:
        if isinstance(value, JsObject | JsArray):  # as V8 describes what is no Error
            raise JsException("Error", "#<Object>" if isinstance(value, JsObject) else "[object Array]")
        raise as_exception(value)

    def on_failDom(self, name: str) -> None:
        raise dom_exception(name, "dom message")

    def on_failCause(self) -> None:
        error = JsException("Error", "outer")
        error.cause = JsException("TypeError", "inner")  # type: ignore[attr-defined]  # JavaScript's own field
        raise error

    def on_failAggregate(self) -> None:
        raise JsException("AggregateError", "agg")

    def on_sess(self, name: str) -> Session:
        return Session(name)
