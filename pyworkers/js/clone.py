"""Structured clone: what is copied at every boundary that has a copy in production.

`structured_clone` alone is the global of that name and what storage does. With ``for_rpc`` it is what an RPC call does
to its arguments and its result: platform objects that can travel do, functions become stubs.

Source: html.spec.whatwg.org, section 2.7; recorded, contracts/services, services.rpc.*, and contracts/python,
python.rpcjs.values
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from pyworkers.js.body import HELD
from pyworkers.js.buffers import ArrayBuffer, ArrayBufferView
from pyworkers.js.collections import JsMap, JsSet, LiteralMap
from pyworkers.js.convert import JsDoubleProxy
from pyworkers.js.dates import Date
from pyworkers.js.headers import Headers
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, jsnull, typeof
from pyworkers.js.promise import JsPromise
from pyworkers.js.regexp import RegExp
from pyworkers.js.values import (
    JsConstructor,
    JsException,
    JsObject,
    JsProxy,
    dom_exception,
    get_property,
    js_function,
    stack_overflow,
    type_error,
)
from pyworkers.js.webidl import MISSING, argument_error, field_error, is_object

Stub = Callable[[Any], Any]

NOT_AN_RPC_RECEIVER: Final = (
    "Proxy could not be serialized because it is not a valid RPC receiver type. The Proxy must emulate either a plain "
    "object or an RpcTarget, as indicated by the Proxy's prototype chain."
)
_EXPERIMENTAL: Final = "ServiceStub serialization requires the 'experimental' compat flag."
# Platform objects that cross an RPC boundary as they are; each decides itself what the other side may do with it.
TRAVELS: Final = frozenset(
    [
        "JsRpcStub",
        "ReadableStream",
        "Request",
        "Response",
        "RpcStub",
        "RpcTarget",
        "WritableStream",
    ]
)
_KEPT_ERROR_NAMES: Final = frozenset(
    ["Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError", "AggregateError"]
)


def structured_clone(
    value: Any,
    *,
    for_rpc: bool = False,
    transfer: Iterable[Any] = (),
    stub: Stub | None = None,
    stream: Stub | None = None,
) -> Any:
    """Copy a value as the platform does; cycles and shared parts are kept.

    Args:
        for_rpc: platform objects that can travel do, a Python object is worded as the RPC layer words it.
        transfer: ArrayBuffers whose memory moves to the copy; they are empty afterwards.
        stub: makes what the other side gets for a function or an RpcTarget; without it both are refused.
        stream: makes what the other side gets for a ReadableStream; without it, it is the same stream.

    Raises:
        JsException: DataCloneError; RangeError, for what is nested too deeply.
    """
    if not transfer and (value is None or isinstance(value, str | bool | int | float)):
        return value
    clone = _Clone(for_rpc=for_rpc, stub=stub, stream=stream)
    buffers = list(transfer)
    for buffer in buffers:
        if not isinstance(buffer, JsProxy):
            raise type_error("Object is not transferable")
        if not isinstance(buffer, ArrayBuffer):
            raise _refusal(f"Value at index {buffers.index(buffer)} does not have a transferable type.")
        clone.done[id(buffer)] = ArrayBuffer(buffer.data)
    try:
        result = clone.copy(value)
    except RecursionError:
        raise stack_overflow() from None
    for buffer in buffers:
        buffer.data = bytearray()
    return result


@js_function
def structuredClone(value: Any = MISSING, options: object = None) -> Any:
    """The global ``structuredClone(value, {transfer})``."""
    if value is MISSING:
        raise argument_error("ServiceWorkerGlobalScope", "structuredClone", 1, "JsValue")
    if not is_nullish(options) and not is_object(options):
        raise argument_error("ServiceWorkerGlobalScope", "structuredClone", 2, "StructuredCloneOptions")
    transfer = get_property(options, "transfer")
    if transfer is not None and (isinstance(transfer, str) or not isinstance(transfer, Iterable)):
        raise field_error("StructuredCloneOptions", "transfer", "Array")
    return structured_clone(value, transfer=() if transfer is None else transfer)


class _Clone:
    """One copy: what it has copied so far."""

    def __init__(self, *, for_rpc: bool, stub: Stub | None, stream: Stub | None) -> None:
        self.for_rpc = for_rpc
        self.stub = stub
        self.stream = stream
        self.done: dict[int, Any] = {}
        self.kept: list[Any] = []  # keeps the keys of `done` alive

    def copy(self, value: Any) -> Any:
        """Copy one value."""
        if value is None or value is jsnull or isinstance(value, str | bool | int | float):
            return value
        if id(value) in self.done:
            return self.done[id(value)]
        if isinstance(value, JsProxy):
            return self.copy_object(value)
        if callable(value) and self.stub is not None and not isinstance(value, type):
            return self.remember(value, self.stub(value))
        if callable(value) and not self.for_rpc:
            raise _refusal(f"{_function_text(value)} could not be cloned.")
        raise _refusal(NOT_AN_RPC_RECEIVER if self.for_rpc else "#<Object> could not be cloned.")

    def copy_object(self, value: JsProxy) -> Any:
        kind = type(value)
        if kind is JsObject:
            result = self.remember(value, JsObject())
            for name, item in list(value.own_properties().items()):
                result.__dict__[name] = self.copy(item)
            return result
        if isinstance(value, JsArray):
            array = self.remember(value, JsArray())
            array.items_.extend(self.copy(item) for item in list(value.items_))
            return array
        copier = _COPIERS.get(kind)
        if copier is None:
            copier = next((copier for cls, copier in _COPIERS.items() if isinstance(value, cls)), _Clone.other)
        return copier(self, value)

    def remember(self, value: Any, result: Any) -> Any:
        self.done[id(value)] = result
        self.kept.append(value)
        return result

    def mapping(self, value: JsMap) -> JsMap:
        result = self.remember(value, LiteralMap() if isinstance(value, LiteralMap) else JsMap())
        for key, item in list(value.entries_.items()):
            result.entries_[self.copy(key)] = self.copy(item)
        return result

    def set_(self, value: JsSet) -> Any:
        result = self.remember(value, JsSet())
        for item in list(value):
            result.add(self.copy(item))
        return result

    def buffer(self, value: ArrayBuffer) -> Any:
        return self.remember(value, ArrayBuffer(bytearray(value.data)))

    def view(self, value: ArrayBufferView) -> Any:
        """Copy a typed array or DataView with its whole buffer, which other views may share."""
        result = type(value)(self.copy(value.buffer), value.byteOffset, value.byteLength)
        return self.remember(value, result)

    def date(self, value: Date) -> Any:
        return self.remember(value, Date(value._ms))

    def regexp(self, value: RegExp) -> Any:
        return self.remember(value, RegExp(value.source, value.flags))

    def error(self, value: JsException) -> Any:
        if value.kind == "DOMException":
            return self.remember(value, dom_exception(value.name, value.message))
        name = value.name if value.name in _KEPT_ERROR_NAMES else "Error"
        result = self.remember(value, JsException(name, value.message, stack=value.stack))
        if value.cause is not None:
            result.cause = self.copy(value.cause)
        return result

    def boxed(self, value: Any) -> Any:
        return self.remember(value, type(value)(value.valueOf()))

    def proxy(self, value: JsDoubleProxy) -> Any:
        """Copy what stands for a Python object: a function becomes a stub, anything else is refused."""
        if value.is_function and self.stub is not None:
            return self.remember(value, self.stub(value))
        raise _refusal(NOT_AN_RPC_RECEIVER if self.for_rpc else "#<Object> could not be cloned.")

    def headers(self, value: Any) -> Any:
        """Copy Headers."""
        return self.remember(value, type(value).js_new(value))

    def other(self, value: JsProxy) -> Any:
        """What is left: platform objects, functions, symbols, proxies of Python objects."""
        kind = value.js_name
        if self.stub is not None and kind != "RpcProperty" and (kind == "RpcTarget" or _is_function(value)):
            return self.remember(value, self.stub(value))
        if self.stub is not None and isinstance(value, JsConstructor):
            return self.remember(value, self.stub(value))
        if self.for_rpc and kind in ("ReadableStream", "Request", "Response"):
            if getattr(value, "locked", False) or getattr(value, "is_held", False):
                raise type_error(HELD)
            if kind == "ReadableStream" and self.stream is not None:
                return self.remember(value, self.stream(value))
        if kind in ("JSON", "Math"):
            return self.remember(value, JsObject())
        if self.for_rpc and kind in TRAVELS:
            return value
        if kind in ("Number", "String", "Boolean"):
            return self.boxed(value)
        raise _refusal(_reason(value, for_rpc=self.for_rpc))


_COPIERS: Final[dict[type, Callable[[_Clone, Any], Any]]] = {
    JsMap: _Clone.mapping,
    JsSet: _Clone.set_,
    ArrayBuffer: _Clone.buffer,
    ArrayBufferView: _Clone.view,
    Date: _Clone.date,
    RegExp: _Clone.regexp,
    JsException: _Clone.error,
    JsDoubleProxy: _Clone.proxy,
    Headers: _Clone.headers,
}


def _is_function(value: JsProxy) -> bool:
    return not isinstance(value, JsConstructor) and (callable(value) and typeof(value) == "function")


def _reason(value: JsProxy, *, for_rpc: bool) -> str:
    if typeof(value) == "symbol":
        return f"{value.toString()} could not be cloned."
    if value.js_name == "RpcProperty" and for_rpc:
        return 'Could not serialize object of type "RpcProperty". This type does not support serialization.'
    if value.js_name in ("ServiceWorkerGlobalScope", "RpcStub", "WeakMap", "WeakSet", "WeakRef"):
        return f"#<{value.js_name}> could not be cloned."
    if typeof(value) == "function":
        return f"{_function_text(value)} could not be cloned."
    if isinstance(value, JsPromise):
        return "#<Promise> could not be cloned."
    if value.js_name.endswith(("Iterator", "Generator")):
        return f"[object {'Array Iterator' if value.js_name == 'Iterator' else value.js_name}] could not be cloned."
    if value.js_name == "Fetcher":
        return _EXPERIMENTAL if for_rpc else "ServiceStub cannot be serialized in this context."
    if value.js_name == "AbortSignal" and for_rpc:
        return "AbortSignal serialization is not enabled."
    if value.js_name == "Object":
        return NOT_AN_RPC_RECEIVER if for_rpc else "#<Object> could not be cloned."
    if value.js_name in ("ReadableStream", "WritableStream"):
        return f"{value.js_name} can only be serialized for RPC."
    return f'Could not serialize object of type "{value.js_name}". This type does not support serialization.'


def _function_text(value: Any) -> str:
    return value.toString() if isinstance(value, JsProxy) else f"function {getattr(value, '__name__', '')}() {{ ... }}"


def _refusal(message: str) -> JsException:
    return dom_exception("DataCloneError", message)
