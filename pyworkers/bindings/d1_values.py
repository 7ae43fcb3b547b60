"""Values, rows and results of D1, as they cross between a worker and a database.

Values travel as JSON on the platform, which shows: every number is bound as REAL, blobs come back as arrays, NaN and
the infinities are null.

Source: workerd src/cloudflare/internal/d1-api.ts; recorded, contracts/d1, d1.types.*
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

from pyworkers.bindings.arguments import wire_text
from pyworkers.engines.d1 import D1Meta, D1Result, D1Value
from pyworkers.js.buffers import ArrayBuffer, ArrayBufferView, TypedArray
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import MAX_SAFE_INTEGER, jsnull, number, to_string, typeof
from pyworkers.js.values import JsException, JsObject

_SERVED_BY: Final = "miniflare.db"  # tools print it
_KEPT: Final = frozenset({str, float})  # an int may be a bigint


def bound_value(value: Any) -> Any:
    """Return a value as `bind` keeps it."""
    if type(value) in _KEPT or value is jsnull:
        return value
    if isinstance(value, bool):
        return int(value)
    kind = typeof(value)
    if kind in ("number", "string"):
        return value
    if isinstance(value, JsArray) and all(typeof(item) == "number" and 0 <= item < 256 for item in value.items_):
        return value
    if isinstance(value, ArrayBuffer):
        return JsArray(value.data)
    if isinstance(value, TypedArray):
        return JsArray(value)
    if isinstance(value, ArrayBufferView):
        return JsArray()  # a DataView has no items
    raise d1_failure("D1_TYPE_ERROR", f"Type '{kind}' not supported for value '{to_string(value)}'")


def to_engine(value: Any) -> D1Value:
    """Return a bound value as it arrives at the database: through JSON, an array as the bytes it lists."""
    if isinstance(value, str):
        return wire_text(value)
    if isinstance(value, (int, float)):  # a bool is an int
        return float(value) + 0.0 if math.isfinite(value) else None
    if isinstance(value, JsArray):
        return bytes(int(item) & 0xFF if math.isfinite(item) else 0 for item in value.items_)
    return None


def from_engine(value: D1Value) -> Any:
    """Return a stored value as the worker sees it."""
    if value is None:
        return jsnull
    if isinstance(value, float):
        return (number(value) if value else 0) if math.isfinite(value) else jsnull
    if isinstance(value, int):
        return value if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else float(value)
    if isinstance(value, bytes):
        return JsArray(value)
    return value


def row_maker(columns: Sequence[str]) -> Callable[[tuple[D1Value, ...]], JsObject]:
    """Return what makes a row an object: of two columns of one name the last counts, index names come first."""
    return _row_maker(tuple(columns))


@lru_cache(maxsize=1024)
def _row_maker(columns: tuple[str, ...]) -> Callable[[tuple[D1Value, ...]], JsObject]:
    last = {name: index for index, name in enumerate(columns)}
    indices = sorted((name for name in last if _is_index(name)), key=int)
    order = [(name, last[name]) for name in (*indices, *(name for name in last if not _is_index(name)))]

    def make(row: tuple[D1Value, ...]) -> JsObject:
        return JsObject({name: from_engine(row[index]) for name, index in order})

    return make


def _is_index(name: str) -> bool:
    """Tell whether JavaScript orders a property of this name by its number."""
    is_number = len(name) <= 10 and name.isascii() and name.isdecimal() and (name == "0" or name[0] != "0")
    return is_number and int(name) < 2**32 - 1


def result_object(result: D1Result) -> JsObject:
    rows = JsArray(map(row_maker(result.columns), result.rows)) if result.rows else JsArray()
    return JsObject({"success": True, "meta": _meta(result.meta), "results": rows})


def _meta(meta: D1Meta) -> JsObject:
    return JsObject(
        {
            "served_by": _SERVED_BY,
            "duration": shown_duration(meta.duration_ms),
            "changes": meta.changes,
            "last_row_id": from_engine(meta.last_row_id),
            "changed_db": meta.changed_db,
            "size_after": meta.size_after,
            "rows_read": meta.rows_read,
            "rows_written": meta.rows_written,
        }
    )


def shown_duration(duration_ms: float) -> int | float:
    return number(round(duration_ms, 4))


def d1_failure(prefix: str, text: str) -> JsException:
    error = JsException("Error", f"{prefix}: {text}")
    error.cause = JsException("Error", text)
    return error
