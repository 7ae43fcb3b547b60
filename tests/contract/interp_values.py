"""The step language's values: how JSON stands for JavaScript values, and how one is looked into.

The definition is the recorder's ``interp.mjs``. A value here is what the host classes of `pyworkers.js` take and give:
None for undefined, `jsnull` for null.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from pyworkers.js.buffers import ArrayBuffer, Float64Array, Uint8Array, Uint16Array
from pyworkers.js.builtins import Symbol
from pyworkers.js.collections import JsMap, JsSet
from pyworkers.js.data_view import DataView
from pyworkers.js.dates import Date
from pyworkers.js.headers import Headers
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import MAX_SAFE_INTEGER, JsBigInt, jsnull, to_string, typeof
from pyworkers.js.promise import JsPromise
from pyworkers.js.regexp import RegExp
from pyworkers.js.response import Response
from pyworkers.js.scope import module as js
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import ERRORS, JsException, JsObject, JsProxy, call, own_properties_of, type_error

Scope = MutableMapping[str, Any]
Steps = Callable[..., Any]


class StepError(Exception):
    """A step that this interpreter does not know: an error of the test."""


# ---- looking into a value


def get_member(value: Any, name: str) -> Any:
    """``value[name]``."""
    if value is None or value is jsnull:
        raise type_error(f"Cannot read properties of {to_string(value)} (reading '{name}')")
    if isinstance(value, str):
        if name == "length":
            return len(value.encode("utf-16-le", "surrogatepass")) // 2
        return getattr(js.String.new(value), name, None)
    if isinstance(value, JsArray | JsMap) and name == "length":
        return getattr(value, name, None)
    if name.isdecimal() and hasattr(type(value), "__getitem__"):
        return value[int(name)] if int(name) < len(value) else None
    found = getattr(value, name, None)
    return getattr(value, f"{name}_", None) if found is None else found


def call_member(value: Any, name: str, args: list[Any]) -> Any:
    """``value[name](...args)``."""
    function = get_member(value, name)
    if not callable(function):
        raise type_error(f"interp: {name} is not a function ({typeof(function)})")
    return function(*args)


def class_name(value: Any) -> str | None:
    """``value?.constructor?.name``."""
    if value is None or value is jsnull:
        return None
    if isinstance(value, JsProxy):
        return getattr(getattr(value, "constructor", None), "name", None)
    names = {"boolean": "Boolean", "number": "Number", "string": "String", "bigint": "BigInt", "function": "Function"}
    return names.get(typeof(value))


def iterate(value: Any) -> Iterator[Any]:
    """``for (const item of value)``."""
    if isinstance(value, JsMap) or class_name(value) == "URLSearchParams":
        return iter(value.entries())
    if value is None or value is jsnull or not isinstance(value, Iterable):
        raise type_error(f"{to_string(value)} is not iterable")
    return iter(value)


async def collect(value: Any) -> list[Any]:
    """``for await (const item of value)``."""
    if isinstance(value, AsyncIterable):
        return [item async for item in value]
    return list(iterate(value))


# ---- classes and helpers

_CLASS_NAMES = frozenset(
    {"Request", "Response", "Headers", "URL", "URLSearchParams", "URLPattern", "FormData", "Blob", "File", "Date"}
    | {"TextEncoder", "TextDecoder", "TextDecoderStream", "TextEncoderStream", "CompressionStream"}
    | {"DecompressionStream", "TransformStream", "IdentityTransformStream", "FixedLengthStream", "ReadableStream"}
    | {"WritableStream", "ByteLengthQueuingStrategy", "CountQueuingStrategy", "AbortController", "AbortSignal"}
    | {"Event", "WebSocketPair", "HTMLRewriter", "DOMException", "Error", "TypeError", "RangeError"}
)


def find_class(name: str) -> Any:
    """Return the constructor of this name."""
    if name == "DigestStream":
        return js.crypto.DigestStream
    if name not in _CLASS_NAMES:
        raise StepError(f"no such class: {name}")
    return getattr(js, name)


def promised(function: Callable[..., Any]) -> Callable[..., JsPromise]:
    """Make an ``async def`` helper what JavaScript's async function is: it starts at once, and never throws."""
    return lambda *args: JsPromise.run(function(*args))


async def _read_text(stream: Any) -> Any:
    return await Response.js_new(stream).text()


async def _read_bytes(stream: Any) -> Any:
    return Uint8Array(await Response.js_new(stream).arrayBuffer())


async def _read_chunks(stream: Any) -> Any:
    chunks = await collect(stream)
    return JsArray(chunk if isinstance(chunk, str) else js.TextDecoder.new().decode(chunk) for chunk in chunks)


async def _read_raw(stream: Any) -> Any:
    return JsArray(await collect(stream))


_TURNS = 50


async def _sleep(delay_ms: float) -> None:
    await asyncio.sleep(delay_ms / 1000)
    for _ in range(_TURNS):  # on a busy machine the time may be over before what was ready has run
        await asyncio.sleep(0)


async def _write_all(stream: Any, chunks: Any, close: Any = True) -> None:
    writer = stream.getWriter()
    for chunk in iterate(chunks):
        await writer.write(chunk)
    if close:
        await writer.close()


def _write_in_background(stream: Any, chunks: Any, close: Any = True) -> None:
    JsPromise.run(_write_all(stream, chunks, close)).mark_handled()


async def _settle(value: Any = None) -> JsObject:
    try:
        return JsObject({"fulfilled": await settled(value)})
    except Exception as error:
        return JsObject({"rejected": error})


async def _race(value: Any, delay_ms: float) -> Any:
    async def wait() -> Any:
        return await settled(value)

    task = asyncio.ensure_future(wait())
    done, _ = await asyncio.wait([task], timeout=delay_ms / 1000)
    return task.result() if done else "<timeout>"


async def _throw(error: Any) -> None:
    raise error if isinstance(error, BaseException) else JsException("Error", to_string(error))


async def settled(value: Any) -> Any:
    """``await value``."""
    while hasattr(value, "__await__"):
        value = await value
    return value


def _length(value: Any) -> Any:
    return next(
        (found for name in ("length", "byteLength", "size") if (found := get_member(value, name)) is not None), None
    )


def _slice(value: Any, start: Any = None, end: Any = None) -> Any:
    return value[start:end] if isinstance(value, str) else value.slice(start, end)


def _has(value: Any, name: str) -> bool:
    return name in own_properties_of(value) or hasattr(value, name)


HELPERS: dict[str, Callable[..., Any]] = {
    "readText": promised(_read_text),
    "readBytes": promised(_read_bytes),
    "readChunks": promised(_read_chunks),
    "readRaw": promised(_read_raw),
    "sleep": promised(_sleep),
    "writeAll": promised(_write_all),
    "writeBg": _write_in_background,
    "abortBg": lambda stream, reason=None: (stream.abort(reason).mark_handled(), None)[1],
    "keys": lambda value: JsArray(own_properties_of(value)),
    "sortedKeys": lambda value: JsArray(sorted(own_properties_of(value))),
    "typeOf": lambda value=None: "null" if value is jsnull else typeof(value),
    "ctor": class_name,
    "isInstance": lambda value, name: isinstance(value, find_class(name).python_class),
    "same": lambda left=None, right=None: left is right or (isinstance(left, str | float | int) and left == right),
    "hasProp": _has,
    "entries": lambda value: JsArray(iterate(value)),
    "iterate": promised(_read_raw),
    "iterateSync": lambda value: JsArray(iterate(value)),
    "structuredClone": lambda *args: js.structuredClone(*args),
    "JSONparse": lambda text: js.JSON.parse(text),
    "JSONstringify": lambda value=None: js.JSON.stringify(value),
    "len": _length,
    "settle": promised(_settle),
    "race": promised(_race),
    "pick": lambda value, names: JsObject({name: get_member(value, name) for name in names}),
    "concat": lambda *args: JsArray(args).join(""),
    "slice": _slice,
    "throwIt": promised(_throw),
    "fetch": lambda *args: js.fetch(*args),
    "atob": lambda *args: js.atob(*args),
    "btoa": lambda *args: js.btoa(*args),
}


# ---- JSON to values


class Decoder:
    """Turns a step's JSON into values.

    Args:
        scope: the names that ``$ref`` and ``$fmt`` know.
        make_steps: makes a function of ``(steps, parameter names, is_async)``.
    """

    def __init__(self, scope: Scope, make_steps: Callable[[Any, list[str], bool], Steps]) -> None:
        self.scope = scope
        self._make_steps = make_steps

    def __call__(self, value: Any) -> Any:
        """Return the value that the JSON stands for."""
        if value is None:
            return jsnull
        if isinstance(value, list):
            return JsArray([self(item) for item in value])
        if not isinstance(value, dict):
            # A number of the recordings is a double; a Python int of that size would be a bigint.
            is_beyond = type(value) is int and abs(value) > MAX_SAFE_INTEGER
            return float(value) if is_beyond else value
        first = next(iter(value), "")
        if first[:1] == "$":
            if first in ("$steps", "$syncsteps"):
                return self._make_steps(value[first], value.get("params", []), first == "$steps")
            method = getattr(self, f"_{first[1:]}", None)
            if method is not None:
                return method(value[first])
        return JsObject({key: self(item) for key, item in value.items()})

    def path(self, dotted: Any) -> Any:
        """Return what a ``$ref`` names: a name of the scope, then members."""
        head, *rest = str(dotted).split(".")
        if head not in self.scope:
            raise JsException(
                "Error", f"interp: unknown ref {head}"
            )  # a case may read what an earlier step did not save
        value = self.scope[head]
        for name in rest:
            value = get_member(value, name)
        return value

    def _undef(self, _: Any) -> None:
        return None

    def _num(self, text: str) -> float:
        return float({"Infinity": "inf", "-Infinity": "-inf"}.get(text, text))

    def _bigint(self, text: Any) -> JsBigInt:
        return JsBigInt(int(text))

    def _date(self, text: Any) -> Any:
        return Date.js_new(text)

    def _now(self, offset_ms: float) -> Date:
        return Date(js.Date.now() + offset_ms)

    def _epoch(self, offset_s: int) -> int:
        return int(js.Date.now() / 1000) + offset_s

    def _b64(self, text: str) -> Uint8Array:
        return Uint8Array(ArrayBuffer(base64.b64decode(text)))

    def _ab(self, text: str) -> ArrayBuffer:
        return ArrayBuffer(base64.b64decode(text))

    def _utf8(self, text: Any) -> Uint8Array:
        return Uint8Array(self._abutf8(text))

    def _abutf8(self, text: Any) -> ArrayBuffer:
        return ArrayBuffer(self(text).encode())

    def _dataview(self, text: str) -> DataView:
        return DataView(ArrayBuffer(text.encode()))

    def _u16(self, items: list[int]) -> Any:
        return Uint16Array.js_new(JsArray(items))

    def _f64(self, items: list[float]) -> Any:
        return Float64Array.js_new(JsArray(items))

    def _repeat(self, value: list[Any]) -> str:
        return str(value[0]) * value[1]

    def _fill(self, value: list[int]) -> Uint8Array:
        return Uint8Array(ArrayBuffer(bytes([value[0]]) * value[1]))

    def _seq(self, size: int) -> Uint8Array:
        return Uint8Array(self._abseq(size))

    def _abseq(self, size: int) -> ArrayBuffer:
        return ArrayBuffer(bytes((index * 31 + 7) & 255 for index in range(size)))

    def _stream(self, chunks: Any) -> Any:
        return _stream_of(_as_bytes(self(chunks)))

    def _strstream(self, chunks: Any) -> Any:
        return _stream_of(list(self(chunks)))

    def _errstream(self, value: dict[str, Any]) -> Any:
        chunks = _as_bytes(self(value.get("chunks", [])))

        def pull(controller: Any) -> None:
            if chunks:
                controller.enqueue(chunks.pop(0))
            else:
                controller.error(JsException("Error", value["message"]))

        return ReadableStream.js_new(JsObject({"pull": pull}))

    def _flstream(self, value: dict[str, Any]) -> Any:
        stream = js.FixedLengthStream.new(value["length"])
        _write_in_background(stream.writable, JsArray(_as_bytes(self(value["chunks"]))))
        return stream.readable

    def _slowstream(self, value: dict[str, Any]) -> Any:
        chunks = _as_bytes(self(value["chunks"]))
        has_started = False

        async def pull(controller: Any) -> None:
            nonlocal has_started
            if not chunks:
                controller.close()
                return
            if has_started:
                await _sleep(value["ms"])
            has_started = True
            controller.enqueue(chunks.pop(0))

        return ReadableStream.js_new(JsObject({"pull": pull}))

    def _ref(self, dotted: str) -> Any:
        return self.path(dotted)

    def _fmt(self, pattern: str) -> str:
        def fill(match: re.Match[str]) -> str:
            return to_string(self.scope.get(match[1])).rjust(int(match[2] or 0), "0")

        return re.sub(r"\{(\w+)(?::(\d+))?\}", fill, pattern)

    def _headers(self, value: Any) -> Any:
        return Headers.js_new(self(value))

    def _map(self, entries: list[Any]) -> JsMap:
        return JsMap([(self(key), self(value)) for key, value in entries])

    def _set(self, items: Any) -> JsSet:
        return JsSet(self(items))

    def _regexp(self, source: str) -> Any:
        return RegExp.js_new(source)

    def _error(self, value: dict[str, str]) -> Any:
        name = value["name"] if value["name"] in _CLASS_NAMES else "Error"
        return ERRORS[name].new(value["message"])

    def _new(self, value: list[Any]) -> Any:
        return find_class(value[0]).new(*[self(item) for item in value[1:]])

    def _function(self, value: Any) -> Callable[[], Any]:
        return lambda: self(value)

    def _symbol(self, description: str) -> Any:
        return Symbol.static_call(description)

    def _circular(self, _: Any) -> JsObject:
        result = JsObject({"name": "circ"})
        result.self = result  # type: ignore[attr-defined]  # a property
        return result

    def _obj(self, entries: list[Any]) -> JsObject:
        return JsObject({name: self(value) for name, value in entries})

    def _literal(self, value: Any) -> Any:
        return plain(value)


def plain(value: Any) -> Any:
    """Return JSON as a value, with nothing in it special."""
    if isinstance(value, Mapping):
        return JsObject({key: plain(item) for key, item in value.items()})
    if isinstance(value, list):
        return JsArray([plain(item) for item in value])
    return jsnull if value is None else value


def _as_bytes(chunks: Iterable[Any]) -> list[Any]:
    return [Uint8Array(ArrayBuffer(chunk.encode())) if isinstance(chunk, str) else chunk for chunk in chunks]


def _stream_of(chunks: list[Any]) -> Any:
    def start(controller: Any) -> None:
        for chunk in chunks:
            call(controller.enqueue, chunk)
        controller.close()

    return ReadableStream.js_new(JsObject({"start": start}))
