"""``console``: formats values as text and hands them to the realm.

Source: console.spec.whatwg.org; the form of values is that of V8's inspector, shortened
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from pyworkers.js.buffers import ArrayBuffer, TypedArray
from pyworkers.js.collections import JsMap, JsSet
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsBigInt, JsNull, to_boolean, to_integer, to_number, to_string, typeof
from pyworkers.js.promise import JsPromise
from pyworkers.js.realm import current_realm
from pyworkers.js.values import JsConstructor, JsException, JsObject, JsProxy, own_properties_of

_MAX_DEPTH: Final = 3
_MAX_ITEMS: Final = 100
_MAX_WIDTH: Final = 76
_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][\w$]*")
_PLACEHOLDER: Final = re.compile(r"%[sdifjoOc%]")


class Console(JsProxy, js_name="Object"):
    """``console``."""

    def __init__(self) -> None:
        self._indent = 0
        self._counts: dict[str, int] = {}
        self._timers: dict[str, float] = {}

    def toString(self) -> str:
        """``[object console]``."""
        return "[object console]"

    def log(self, *args: object, **kwargs: object) -> None:
        """Write values."""
        self._write("log", args, kwargs)

    def info(self, *args: object, **kwargs: object) -> None:
        """As `log`."""
        self._write("info", args, kwargs)

    def debug(self, *args: object, **kwargs: object) -> None:
        """Write values that matter only while debugging."""
        self._write("debug", args, kwargs)

    def warn(self, *args: object, **kwargs: object) -> None:
        """Write a warning."""
        self._write("warn", args, kwargs)

    def error(self, *args: object, **kwargs: object) -> None:
        """Write an error."""
        self._write("error", args, kwargs)

    def trace(self, *args: object, **kwargs: object) -> None:
        """Write values, and where they were written."""
        self._write("trace", ("Trace", *args), kwargs)

    def dir(self, value: object = None, *_: object) -> None:
        """Write one value."""
        self._write("log", (value,), {})

    def dirxml(self, *args: object) -> None:
        """As `log`."""
        self._write("log", args, {})

    def table(self, data: object = None, *_: object) -> None:
        """Write rows as a table; anything else as `log`."""
        rows = own_properties_of(data)
        if rows:
            self._write("log", (_table(rows),), {})
        else:
            self._write("log", (data,), {})

    def assert_(self, condition: object = False, *args: object) -> None:
        """Write an error unless the condition is true."""
        if not to_boolean(condition):
            self._write("error", ("Assertion failed:", *args) if args else ("Assertion failed",), {})

    def group(self, *args: object) -> None:
        """Write values, and indent what follows."""
        if args:
            self._write("log", args, {})
        self._indent += 1

    groupCollapsed = group

    def groupEnd(self, *_: object) -> None:
        """End the last group."""
        self._indent = max(0, self._indent - 1)

    def count(self, label: object = "default", *_: object) -> None:
        """Write how often this label was counted."""
        name = to_string(label)
        self._counts[name] = self._counts.get(name, 0) + 1
        self._write("log", (f"{name}: {self._counts[name]}",), {})

    def countReset(self, label: object = "default", *_: object) -> None:
        """Count from 0 again."""
        self._counts.pop(to_string(label), None)

    def time(self, label: object = "default", *_: object) -> None:
        """Start a stopwatch."""
        self._timers.setdefault(to_string(label), current_realm().clock.now_s())

    def timeLog(self, label: object = "default", *args: object) -> None:
        """Write a stopwatch's time."""
        name = to_string(label)
        if name in self._timers:
            self._write("log", (_elapsed(name, self._timers[name]), *args), {})

    def timeEnd(self, label: object = "default", *_: object) -> None:
        """Write a stopwatch's time and stop it."""
        name = to_string(label)
        if name in self._timers:
            self._write("log", (_elapsed(name, self._timers.pop(name)),), {})

    def timeStamp(self, *_: object) -> None:
        """Nothing to mark: there is no profiler."""

    def clear(self, *_: object) -> None:
        """Nothing to clear: what was written is kept."""

    def _write(self, level: str, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        if kwargs:
            args = (*args, JsObject(kwargs))
        text = format_arguments(args)
        if self._indent:
            pad = "  " * self._indent
            text = pad + text.replace("\n", f"\n{pad}")
        realm = current_realm()
        if realm.on_console is not None:
            realm.on_console(level, args)
        realm.console(level, (text,))


def format_arguments(args: tuple[object, ...]) -> str:
    """Join console arguments to one text, filling the placeholders of a leading format string."""
    if args and isinstance(args[0], str) and len(args) > 1 and "%" in args[0]:
        head, rest = _fill(args[0], list(args[1:]))
        args = (head, *rest)
    return " ".join(arg if isinstance(arg, str) else inspect(arg) for arg in args)


def _fill(template: str, values: list[object]) -> tuple[str, list[object]]:
    def replace(match: re.Match[str]) -> str:
        kind = match.group()[1]
        if kind == "%":
            return "%"
        if not values:
            return match.group()
        value = values.pop(0)
        if kind == "c":
            return ""
        if kind in "di":
            number = to_number(value)
            return "NaN" if number != number else str(to_integer(value))
        if kind == "f":
            return to_string(to_number(value))
        return to_string(value) if kind == "s" and not isinstance(value, JsObject | JsArray) else inspect(value)

    return _PLACEHOLDER.sub(replace, template), values


def inspect(value: object, depth: int = 0, seen: tuple[int, ...] = ()) -> str:
    """Return a value's readable form: strings in quotes, objects with their properties."""
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, JsBigInt):
        return f"{int(value)}n"
    if value is None or isinstance(value, JsNull | bool | int | float):
        return to_string(value)
    if id(value) in seen:
        return "[Circular *1]"
    inner: Callable[[object], str] = lambda item: inspect(item, depth + 1, (*seen, id(value)))  # noqa: E731
    if isinstance(value, JsConstructor):
        return f"[class {value.name}]"
    if isinstance(value, JsException):
        return value.stack if depth == 0 else f"[{value}]"
    if not isinstance(value, JsProxy):
        return _inspect_python(value)
    return _inspect_object(value, depth, inner)


def _inspect_python(value: object) -> str:
    if typeof(value) == "function":
        return f"[Function: {getattr(value, '__name__', 'anonymous')}]"
    return f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else str(value)


def _inspect_object(value: JsProxy, depth: int, inner: Callable[[object], str]) -> str:
    if isinstance(value, JsArray):
        return "[Array]" if depth >= _MAX_DEPTH else _wrap("[", _limited(map(inner, value.items_)), "]")
    if isinstance(value, TypedArray):
        return _wrap(f"{value.js_name}({value.length}) [", _limited(map(to_string, value)), "]")
    if isinstance(value, ArrayBuffer):
        return f"ArrayBuffer {{ byteLength: {value.byteLength} }}"
    if isinstance(value, JsMap):
        pairs = (f"{inner(key)} => {inner(item)}" for key, item in value.items())
        return _wrap(f"Map({value.size}) {{", _limited(pairs), "}")
    if isinstance(value, JsSet):
        return _wrap(f"Set({value.size}) {{", _limited(map(inner, value)), "}")
    if isinstance(value, JsPromise):
        return "Promise { <pending> }" if not value.is_settled else "Promise { ... }"
    if not isinstance(value, JsObject):
        return _inspect_instance(value)
    if depth >= _MAX_DEPTH:
        return "[Object]"
    return _wrap("{", _limited(f"{_key(name)}: {inner(item)}" for name, item in value.__dict__.items()), "}")


def _inspect_instance(value: JsProxy) -> str:
    text = value.toString()
    return text if text != f"[object {value.js_name}]" else f"{value.js_name} {{}}"


def _limited(items: Any) -> list[str]:
    texts = list(items)
    if len(texts) > _MAX_ITEMS:
        texts[_MAX_ITEMS:] = [f"... {len(texts) - _MAX_ITEMS} more items"]
    return texts


def _wrap(start: str, items: list[str], end: str) -> str:
    if not items:
        return start + end
    line = f"{start} {', '.join(items)} {end}"
    if len(line) <= _MAX_WIDTH and "\n" not in line:
        return line
    body = ",\n".join(items).replace("\n", "\n  ")
    return f"{start}\n  {body}\n{end}"


def _key(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) else _quote(name)


def _quote(text: str) -> str:
    mark = next((mark for mark in "'\"`" if mark not in text), "'")
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return f"{mark}{escaped.replace(mark, chr(92) + mark)}{mark}"


def _table(rows: dict[str, object]) -> str:
    columns = list(dict.fromkeys(name for row in rows.values() for name in own_properties_of(row)))
    has_values = any(not own_properties_of(row) for row in rows.values())
    header = ["(index)", *columns, *(["Values"] if has_values else [])]
    body = []
    for index, row in rows.items():
        cells = own_properties_of(row)
        line = [index, *(inspect(cells[name], 1) if name in cells else "" for name in columns)]
        body.append([*line, *([inspect(row, 1) if not cells else ""] if has_values else [])])
    widths = [max(len(line[i]) for line in [header, *body]) for i in range(len(header))]

    def draw(cells: list[str]) -> str:
        return "│ " + " │ ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " │"

    bars = ["─" * (width + 2) for width in widths]
    lines = [draw(header), f"├{'┼'.join(bars)}┤", *map(draw, body)]
    return "\n".join([f"┌{'┬'.join(bars)}┐", *lines, f"└{'┴'.join(bars)}┘"])


def _elapsed(label: str, start_s: float) -> str:
    return f"{label}: {(current_realm().clock.now_s() - start_s) * 1000:.3f}ms"
