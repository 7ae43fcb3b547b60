"""``structuredClone`` and the bytes of stored values and queue messages."""

from __future__ import annotations

import math
from typing import Any, Final

from fuzz_outcome import outcome
from fuzz_source import Source

from pyworkers.js.buffers import TYPED_ARRAYS, ArrayBuffer
from pyworkers.js.clone import structured_clone
from pyworkers.js.collections import JsMap, JsSet
from pyworkers.js.dates import Date
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsBigInt, jsnull
from pyworkers.js.regexp import RegExp
from pyworkers.js.scope import module as js
from pyworkers.js.serialization import deserialize, serialize
from pyworkers.js.values import JsException, JsObject, dom_exception

_LEAVES: Final = (
    None,
    jsnull,
    True,
    False,
    0,
    -0.0,
    1,
    -1,
    2**31,
    -(2**31) - 1,
    1.5,
    math.inf,
    math.nan,
    "",
    "é",
    "\ud800",
)
_TAGS: Final = tuple(bytes([byte]) for byte in b"_0TFINZ\"coA;'BVDRr\\^ynxs{$:,mpE.")
_MAX_DEPTH: Final = 6


def fuzz(source: Source) -> None:
    """A value is the same after its bytes; bytes are a value, or are refused."""
    if source.is_true():
        data = b"\xff\x0f" + source.mixture(_TAGS)
        found = outcome(deserialize, data)
        if isinstance(found, JsException) and found.message == "Unable to deserialize cloned data.":
            return
        outcome(serialize, found)
        return
    value = _value(source, 0, [])
    data = outcome(serialize, value)
    clone = outcome(structured_clone, value)
    assert isinstance(data, JsException) is isinstance(clone, JsException) or isinstance(value, JsException), value
    if isinstance(data, bytes):
        assert serialize(deserialize(data)) == data
    if not isinstance(clone, JsException) and isinstance(data, bytes):
        assert serialize(clone) == data
    if not isinstance(value, JsException):
        text = outcome(js.JSON.stringify, value)
        if isinstance(text, str):
            assert js.JSON.stringify(js.JSON.parse(text)) == text


def _value(source: Source, depth: int, made: list[Any]) -> Any:
    kind = source.number(14 if depth < _MAX_DEPTH else 3)
    if kind == 0:
        return source.choice(_LEAVES)
    if kind == 1:
        return source.text()
    if kind == 2:
        return source.choice(made) if made else source.byte() - 128
    value = _object(source, kind, depth, made)
    made.append(value)
    return value


def _object(source: Source, kind: int, depth: int, made: list[Any]) -> Any:
    def inside() -> list[Any]:
        return [_value(source, depth + 1, made) for _ in range(source.number(4))]

    if kind in (3, 4):
        value = JsObject()
        made.append(value)
        value.__dict__.update({source.text(4): item for item in inside()})
        return value
    if kind == 5:
        return JsArray(inside())
    if kind == 6:
        return JsSet(item for item in inside() if not isinstance(item, float))
    if kind == 7:
        return JsMap((source.text(3), item) for item in inside())
    if kind == 8:
        return ArrayBuffer(source.raw())
    if kind == 9:
        data = source.raw()
        cls = source.choice(TYPED_ARRAYS)
        return cls(ArrayBuffer(data[: len(data) // cls.item_size * cls.item_size]))
    if kind == 10:
        return Date(source.choice((0, 1.0, math.nan, -1, 8.64e15)))
    if kind == 11:
        return JsBigInt(int.from_bytes(source.raw(12), "big", signed=True))
    if kind == 12:
        return RegExp(source.choice(("a", "[b]", "(c)+")), source.choice(("", "g", "im")))
    return dom_exception("DataError", source.text()) if source.is_true() else JsException("TypeError", source.text())
