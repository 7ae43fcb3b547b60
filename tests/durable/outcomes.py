"""What an operation gave, as a line: its value, or the error with the way it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyworkers.js.buffers import ArrayBuffer
from pyworkers.js.collections import JsMap
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.values import JsException, JsProxy


async def outcome(function: Callable[[], Any]) -> str:
    """Return what a call gives: ``value``, ``throws …`` at once, or ``rejects …`` from a promise."""
    try:
        value = function()
    except JsException as error:
        return f"throws {_error(error)}"
    try:
        while hasattr(value, "__await__"):
            value = await value
    except JsException as error:
        return f"rejects {_error(error)}"
    return show(value)


def _error(error: JsException) -> str:
    marks = [mark for mark in ("remote", "durableObjectReset") if getattr(error, mark, False)]
    return " ".join([str(error), *(f"[{mark}]" for mark in marks)])


def show(value: Any) -> str:
    """Return a value as a short text."""
    if value is None:
        return "undefined"
    if value is jsnull:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, JsArray | list | tuple):
        return f"[{', '.join(map(show, value))}]"
    if isinstance(value, JsMap):
        return f"Map{{{', '.join(f'{key}: {show(item)}' for key, item in value.entries_.items())}}}"
    if isinstance(value, ArrayBuffer):
        return f"bytes {value.to_bytes()!r}"
    if isinstance(value, JsException):
        return f"<{value}>"
    if isinstance(value, JsProxy) and value.js_name == "Object":
        return f"{{{', '.join(f'{key}: {show(item)}' for key, item in value.own_properties().items())}}}"
    return repr(value) if isinstance(value, str) else str(value)
