"""A target as if it were written in JavaScript, for what a Python worker cannot express: values thrown, RpcTargets.

It stands where an isolate stands: a mirror of the methods of the recorder's ``service_target.mjs``.
"""

from __future__ import annotations

import asyncio
from typing import Any

from interp_values import class_name, settled

from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull, to_string, typeof
from pyworkers.js.promise import as_exception, settle
from pyworkers.js.scope import module as js
from pyworkers.js.values import ERRORS, JsException, JsObject, JsProxy, dom_exception, type_error
from pyworkers.runtime.events import Event
from pyworkers.runtime.isolate import check_method, not_implemented

KNOWN = ("TypeError", "RangeError", "URIError", "EvalError", "ReferenceError", "SyntaxError", "Error")


class Session(JsProxy, js_name="RpcTarget"):
    """An RpcTarget: the other side gets a stub of it."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def greet(self, greeting: str) -> str:
        return f"{self._name}:{greeting}"

    def child(self, name: str) -> Session:
        return Session(f"{self._name}/{name}")

    def boom(self) -> None:
        raise JsException("RangeError", "sess boom")


class LocalTarget(JsProxy, js_name="RpcTarget"):
    """The caller's own RpcTarget."""

    def __init__(self) -> None:
        self._calls = JsArray()

    def hit(self, value: Any) -> int:
        self._calls.push(value)
        return len(self._calls)

    def list(self) -> JsArray:
        return self._calls


class Foo(JsProxy):
    """A class of the worker's own."""

    def __init__(self) -> None:
        self.x = 1


class JavaScriptTarget:
    """Answers RPC calls with the methods named ``on_…``."""

    name = "target"

    def open_event(self, kind: str, **_options: Any) -> Event:
        return Event(self, kind)  # type: ignore[arg-type]  # a double

    async def call(self, method: str, args: tuple[Any, ...], **_options: Any) -> Any:
        check_method(method)
        function = getattr(self, f"on_{method.replace(' ', '_')}", None)
        if function is None:
            raise type_error(not_implemented(method))
        return await settle(function(*args))

    # ---- values

    def on_echo(self, *values: Any) -> Any:
        return values[0] if len(values) == 1 else JsArray(values)

    def on_add(self, left: Any = None, right: Any = None) -> Any:
        kinds = [typeof(left), typeof(right)]
        if kinds == ["bigint", "bigint"]:
            return type(left)(left + right)
        if "bigint" in kinds:
            raise type_error("Cannot mix BigInt and other types, use explicit conversions")
        if "string" in kinds or "object" in (kinds[0] * (left is not jsnull), kinds[1] * (right is not jsnull)):
            return to_string(left) + to_string(right)
        return float("nan") if left is None or right is None else (0 if left is jsnull else left) + right

    def on_argCount(self, *values: Any) -> int:
        return len(values)

    def on_typeOf(self, value: Any = None) -> JsArray:
        return JsArray([typeof(value), class_name(value) or jsnull])

    def on_date(self, time: Any) -> Any:
        return js.Date.new(time)

    def on_errorValue(self, name: str, message: str, cause: Any = None) -> Any:
        error = ERRORS[name if name in KNOWN else "Error"].new(message)
        if name not in KNOWN:
            error.name = name
        if cause is not None:
            error.cause = cause
        return error

    def on_make(self, kind: str) -> Any:
        if kind not in MAKERS:
            raise type_error("makers[kind] is not a function")
        return MAKERS[kind]()

    # ---- errors

    def on_fail(self, name: str, message: str, properties: Any = None) -> None:
        error = self.on_errorValue(name, message)
        for key, value in vars(properties or type("Empty", (), {})()).items():
            setattr(error, key, value)
        raise error

    def on_failValue(self, value: Any = None) -> None:
        raise as_exception(value)

    def on_failDom(self, name: str) -> None:
        raise dom_exception(name, "dom message")

    def on_failCause(self) -> None:
        error = JsException("Error", "outer")
        error.cause = JsException("TypeError", "inner")  # type: ignore[attr-defined]  # JavaScript's own field
        raise error

    def on_failAggregate(self) -> None:
        raise JsException("AggregateError", "agg")

    # ---- stubs

    def on_sess(self, name: str) -> Session:
        return Session(name)

    def on_sessList(self) -> JsArray:
        return JsArray([Session("l0"), JsObject({"deep": Session("l1")})])

    def on_fnAdd(self, n: Any) -> Any:
        return lambda x=None: self.on_add(x, n)

    async def on_call(self, callback: Any = None, *args: Any) -> Any:
        if not callable(callback):
            raise type_error("callback is not a function")
        return await settled(callback(*args))

    def on_keepCallback(self, _callback: Any) -> str:
        return "kept"

    async def on_useTarget(self, target: Any, times: int) -> Any:
        for index in range(times):
            await target.hit(index)
        return await target.list()

    async def on_delay(self, delay_ms: float, value: Any) -> Any:
        await asyncio.sleep(delay_ms / 1000)
        return value

    # ---- streams and messages

    def on_stream(self, chunks: JsArray) -> Any:
        encoder = js.TextEncoder.new()

        def start(controller: Any) -> None:
            for chunk in chunks:
                controller.enqueue(encoder.encode(chunk))
            controller.close()

        return js.ReadableStream.new(JsObject({"type": "bytes", "start": start}))

    async def on_readStream(self, stream: Any) -> Any:
        return await js.Response.new(stream).text()

    async def on_writeTo(self, writable: Any, chunks: JsArray) -> str:
        writer = writable.getWriter()
        for chunk in chunks:
            await writer.write(js.TextEncoder.new().encode(chunk))
        await writer.close()
        return "written"

    async def on_readBody(self, message: Any) -> Any:
        kind = message.constructor.name
        first = message.status if kind == "Response" else message.method
        text = await message.text()
        return JsArray([kind, first, text, JsArray(JsArray(pair) for pair in message.headers)])

    def on_response(self, body: Any, init: Any) -> Any:
        return js.Response.new(body, init)

    def on_request(self, url: Any, init: Any) -> Any:
        return js.Request.new(url, init)

    # ---- names

    def on__underscored(self, *_: Any) -> str:
        return "under"

    def on_with_space(self, *_: Any) -> str:
        return "space"


setattr(JavaScriptTarget, "on_$dollar", lambda *_: "dollar")


def _shared() -> JsArray:
    shared = JsObject({"s": 1})
    return JsArray([shared, shared])


def _views() -> JsArray:
    buffer = js.Uint8Array.new(JsArray([1, 2, 3, 4])).buffer
    return JsArray([js.Uint8Array.new(buffer, 1, 2), js.DataView.new(buffer, 2)])


MAKERS = {
    "foo": Foo,
    "url": lambda: js.URL.new("http://x"),
    "symbol": lambda: js.Symbol("made"),
    "promise": lambda: JsObject({"p": js.Promise.resolve(5)}),
    "map": lambda: js.Map.new(JsArray([JsArray(["k", Foo()])])),
    "abort": lambda: js.AbortController.new(),
    "iterator": lambda: JsArray().values(),
    "nullProto": lambda: JsObject({"a": 1}),
    "boxed": lambda: JsArray([js.Object(value) for value in (1, "s", True)]),
    "shared": _shared,
    "views": _views,
    "emptyError": lambda: js.Error.new(),
    "formData": lambda: js.FormData.new(),
    "headers": lambda: js.Headers.new(JsArray([JsArray(["A", "1"])])),
    "deep": lambda: js.JSON.parse("[" * 200 + "]" * 200),
    "arrow": lambda: lambda: 1,
    "nothing": lambda: None,
    "global": lambda: js,
    "weak": lambda: js.WeakMap.new(),
}
