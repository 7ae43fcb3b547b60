"""``JSON``: parsing and writing, with V8's error texts.

Parsing goes through the standard library and falls back to `pyworkers.js.json_errors` only to word a failure.

Source: tc39.es/ecma262, section 25.5; recorded, contracts/fetchapi, fetchapi.globals.json
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final

from pyworkers.js.json_errors import explain
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import (
    MAX_SAFE_INTEGER,
    JsBigInt,
    is_nullish,
    jsnull,
    number,
    to_integer,
    to_string,
    typeof,
)
from pyworkers.js.values import JsException, JsObject, JsProxy, call, own_properties_of, stack_overflow, type_error

_MAX_EXACT_DIGITS: Final = 15
_PLAIN_DEPTH: Final = 32
_LONE_SURROGATE: Final = re.compile("[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")
_ESCAPED: Final = re.compile(r'[\x00-\x1f"\\\ud800-\udfff]')
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def parse(text: str) -> Any:
    """Parse JSON into JavaScript's values.

    Raises:
        JsException: SyntaxError, in V8's words.
    """
    try:
        return _wrap(_DECODER.decode(text))
    except (ValueError, RecursionError) as error:
        if isinstance(error, RecursionError):
            raise stack_overflow() from None
        raise JsException("SyntaxError", explain(text)) from None


def stringify(value: Any, replacer: Any = None, space: Any = None) -> str | None:
    """Write a JavaScript value as JSON; None where it has no JSON form (undefined, a function).

    Args:
        replacer: a function ``(key, value)``, or an array of the keys to keep.
        space: indentation, as a number of spaces or as text; at most 10.

    Raises:
        JsException: TypeError, for a cycle or a bigint; RangeError, for what is nested too deeply.
    """
    try:
        text = _plain_text(value) if replacer is None and space is None else None
        return _Writer(replacer, _indent(space)).write_root(value) if text is None else text
    except RecursionError:
        raise stack_overflow() from None


class JSON(JsProxy, js_name="JSON"):
    """``JSON``."""

    def parse(self, text: object = None, reviver: Any = None, *_: object) -> Any:
        """``JSON.parse``; the reviver is called with ``(key, value)``, innermost first."""
        value = parse(to_string(text))
        return _revive("", value, reviver) if callable(reviver) else value

    def stringify(self, value: Any = None, replacer: Any = None, space: Any = None, *_: object) -> str | None:
        """``JSON.stringify``."""
        return stringify(value, replacer, space)


# ---- parsing


def _parse_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_EXACT_DIGITS else number(float(digits))


def _parse_float(digits: str) -> int | float:
    return number(float(digits))


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)  # Python's own JSON knows NaN and Infinity


_DECODER: Final = json.JSONDecoder(parse_int=_parse_int, parse_float=_parse_float, parse_constant=_refuse_constant)


def _wrap(value: Any) -> Any:
    if isinstance(value, dict):
        result = JsObject()
        properties = result.__dict__
        for key, item in value.items() if not _has_index(value) else _in_property_order(value):
            properties[key] = _wrap(item) if isinstance(item, dict | list) else jsnull if item is None else item
        return result
    if isinstance(value, list):
        return JsArray([_wrap(item) for item in value])
    return jsnull if value is None else value


def _has_index(keys: dict[str, Any]) -> bool:
    return any(key[:1].isdecimal() for key in keys)


def _in_property_order(properties: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the items with the array indices first and ascending, as JavaScript orders properties."""
    indices = [key for key in properties if key.isascii() and key.isdecimal() and str(int(key)) == key]
    first = sorted(indices, key=int)
    taken = set(first)
    return [(key, properties[key]) for key in (*first, *(key for key in properties if key not in taken))]


def _revive(key: str, value: Any, reviver: Callable[..., Any]) -> Any:
    if isinstance(value, JsArray):
        value.items_ = [_revive(str(index), item, reviver) for index, item in enumerate(value.items_)]
    elif isinstance(value, JsProxy):
        properties = value.own_properties()
        for name in list(properties):
            revived = _revive(name, properties[name], reviver)
            if revived is None:
                del properties[name]
            else:
                properties[name] = revived
    return call(reviver, key, value)


# ---- writing


def _plain_text(value: Any, depth: int = 0) -> str | None:
    """Write what is made of plain objects, arrays, strings, integers, booleans and null: most of what is written.

    Returns:
        None where anything else is in it, or it is so deep that it may be a cycle: `_Writer` is for that.
    """
    kind = type(value)
    if kind is str:
        return quote(value)
    if kind is int:
        return repr(value) if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else None
    if kind is JsObject or kind is JsArray:
        if depth == _PLAIN_DEPTH or "toJSON" in value.__dict__:
            return None
        parts = _plain_members(value, depth + 1) if kind is JsObject else _plain_items(value.items_, depth + 1)
        brackets = "{}" if kind is JsObject else "[]"
        return None if parts is None else f"{brackets[0]}{','.join(parts)}{brackets[1]}"
    if kind is bool:
        return "true" if value else "false"
    return "null" if value is jsnull else None


def _plain_members(value: JsObject, depth: int) -> list[str] | None:
    parts = []
    for name, item in value.own_properties().items():
        text = _plain_text(item, depth)
        if text is None:
            return None
        parts.append(f"{quote(name)}:{text}")
    return parts


def _plain_items(items: list[Any], depth: int) -> list[str] | None:
    # The loop of above once more: one for both, which would pair names and texts after it, took a quarter longer.
    parts = []
    for item in items:
        text = _plain_text(item, depth)
        if text is None:
            return None
        parts.append(text)
    return parts


class _Writer:
    """One ``JSON.stringify`` call."""

    def __init__(self, replacer: Any, indent: str) -> None:
        self.replace = replacer if callable(replacer) else None
        self.keys = list(dict.fromkeys(to_string(key) for key in replacer)) if isinstance(replacer, JsArray) else None
        self.indent = indent
        self.stack: list[int] = []
        self.path: list[tuple[str, Any]] = []

    def write_root(self, value: Any) -> str | None:
        """Write the outermost value."""
        return self.write("", value, "")

    def write(self, key: str, value: Any, margin: str) -> str | None:
        if isinstance(value, JsProxy) and callable(getattr(value, "toJSON", None)):
            value = call(value.toJSON, key)
        if self.replace is not None:
            value = call(self.replace, key, value)
        if isinstance(value, str):
            return quote(value)
        if value is True or value is False:
            return "true" if value else "false"
        if value is None or isinstance(value, int | float):
            return None if value is None else _number_text(value)
        if value is jsnull:
            return "null"
        return self.write_object(key, value, margin)

    def write_object(self, key: str, value: Any, margin: str) -> str | None:
        if typeof(value) in ("function", "symbol"):
            return None
        unboxed = value.valueOf() if getattr(value, "js_name", "") in ("Number", "String", "Boolean") else value
        if unboxed is not value:
            return self.write(key, unboxed, margin)
        if id(value) in self.stack:
            raise type_error(_cycle_text(self.path, self.stack.index(id(value)), key))
        self.stack.append(id(value))
        self.path.append((key, value))
        inner = margin + self.indent
        if isinstance(value, JsArray | list | tuple):
            parts = [self.write(str(i), item, inner) or "null" for i, item in enumerate(value)]
            result = self.join("[", parts, "]", inner, margin)
        else:
            result = self.join("{", self.members(value, inner), "}", inner, margin)
        self.stack.pop()
        self.path.pop()
        return result

    def members(self, value: Any, inner: str) -> list[str]:
        properties = own_properties_of(value)
        colon = '": ' if self.indent else '":'
        parts = []
        for name in properties if self.keys is None else [key for key in self.keys if key in properties]:
            text = self.write(name, properties[name], inner)
            if text is not None:
                parts.append(f"{quote(name)[:-1]}{colon}{text}")
        return parts

    def join(self, start: str, parts: list[str], end: str, inner: str, margin: str) -> str:
        if not parts or not self.indent:
            return f"{start}{','.join(parts)}{end}"
        separator = f",\n{inner}"
        return f"{start}\n{inner}{separator.join(parts)}\n{margin}{end}"


def quote(text: str) -> str:
    """Return a string's JSON form; lone surrogates are escaped, pairs joined."""
    if not _ESCAPED.search(text):
        return f'"{text}"'
    if _LONE_SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return _SHORT.get(character) or f"\\u{ord(character):04x}"


def _number_text(value: float) -> str:
    if isinstance(value, JsBigInt) or (isinstance(value, int) and typeof(value) == "bigint"):
        raise type_error("Do not know how to serialize a BigInt")
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    return to_string(value)


def _indent(space: Any) -> str:
    if isinstance(space, str):
        return space[:10]
    return "" if is_nullish(space) or isinstance(space, bool) else " " * max(0, min(10, to_integer(space)))


def _cycle_text(path: list[tuple[str, Any]], start: int, key: str) -> str:
    """Word a cycle as V8 does, with the way from its start to its end."""
    names = [f"starting at object with constructor '{path[start][1].js_name}'"]
    middle = path[start + 1 :]
    steps = [f"{_step(name, parent)} -> object with constructor '{item.js_name}'"
             for (name, item), (_, parent) in zip(middle, path[start:], strict=False)]  # fmt: skip
    if len(steps) > 2:
        steps = [steps[0], "...", steps[-1]]
    closing = f"--- {_step(key, path[-1][1])} closes the circle"
    lines = [f"\n    --> {names[0]}", *(f"\n    |     {step}" for step in steps), f"\n    {closing}"]
    return "Converting circular structure to JSON" + "".join(lines)


def _step(name: str, parent: Any) -> str:
    return f"index {name}" if isinstance(parent, JsArray) else f"property '{name}'"
