"""JSON across the boundary: what a worker's values are as JSON, and JSON as JavaScript values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyworkers.js.buffers import JsBuffer, TypedArray
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsNull, jsnull, number
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsObject, get_property, is_callable, own_properties_of

__all__ = ["from_js", "stream_keys", "to_js_value"]


def from_js(value: object) -> Any:
    """Return a value as `JSON.stringify` and a parse would give it, but a typed array as an array.

    A Python object that was passed unconverted has no properties that JavaScript can see.
    """
    if value is None or isinstance(value, JsNull):
        return None
    if isinstance(value, float):
        return number(value) if value == value and abs(value) != float("inf") else None
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, TypedArray | JsArray):
        return [from_js(item) for item in value]
    if isinstance(value, JsBuffer):
        return list(value.view)
    pairs = own_properties_of(value).items()
    return {key: from_js(item) for key, item in pairs if item is not None and not is_callable(item)}


def to_js_value(value: object) -> Any:
    """Return parsed JSON as JavaScript values."""
    if value is None:
        return jsnull
    if isinstance(value, Mapping):
        return JsObject({key: to_js_value(item) for key, item in value.items()})
    if isinstance(value, list):
        return JsArray(to_js_value(item) for item in value)
    return number(value) if isinstance(value, float) else value


def stream_keys(inputs: object) -> list[str]:
    """Return the keys under which there is a stream, or an object whose `body` is one."""
    pairs = own_properties_of(inputs).items()
    return [key for key, value in pairs if _is_stream(value) or _is_stream(get_property(value, "body"))]


def _is_stream(value: object) -> bool:
    return isinstance(value, ReadableStream)
