"""JavaScript's primitive values in Python, and the coercions between them.

Undefined is ``None``, null is `jsnull`, a boolean is ``bool``, a number is ``int`` where it is integral and ``float``
otherwise, a bigint is an ``int`` beyond the safe integers or a `JsBigInt`, a string is ``str``. An object is told by
its ``toString``, ``valueOf`` and ``typeof``, which `pyworkers.js.values.JsProxy` gives it.

Source: tc39.es/ecma262, section 7.1 (type conversion); pyodide.org/en/stable/usage/type-conversions.html
"""

from __future__ import annotations

import math
import re
import struct
from typing import ClassVar, Final

MAX_SAFE_INTEGER: Final = 2**53 - 1
# What the language takes for blank.
WHITESPACE: Final = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_INTEGER: Final = re.compile("0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+")
_DECIMAL: Final = re.compile(r"[+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")


class JsNull:
    """The type of `jsnull`, JavaScript's ``null``: falsy, and not ``None``."""

    __slots__ = ()
    _instance: ClassVar[JsNull | None] = None
    typeof = "object"

    def __new__(cls) -> JsNull:
        if cls._instance is None:
            cls._instance = object.__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "jsnull"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "jsnull"


JsNull.__module__ = "pyodide.ffi"
jsnull: Final = JsNull()


class JsBigInt(int):
    """A JavaScript bigint: an ``int`` that converts back to a bigint."""


JsBigInt.__module__ = "pyodide.ffi"


def is_nullish(value: object) -> bool:
    """Tell whether the value is undefined or null."""
    return value is None or value is jsnull


def typeof(value: object) -> str:
    """What JavaScript's ``typeof`` says of a value on its side."""
    if value is None:
        return "undefined"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, JsBigInt):
        return "bigint"
    if isinstance(value, int | float):
        return "number" if isinstance(value, float) or abs(value) <= MAX_SAFE_INTEGER else "bigint"
    if isinstance(value, str):
        return "string"
    if callable(value):
        return "function"
    return str(getattr(value, "typeof", "object"))


def number(value: float) -> int | float:
    """Return a JavaScript number as Python sees it: integral ones are ``int``."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_SAFE_INTEGER:
        return int(value)
    return value


def to_string(value: object) -> str:
    """JavaScript's ``String(value)``."""
    if type(value) is str:
        return value
    if value is None:
        return "undefined"
    if value is jsnull:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, float):
        return _float_to_string(value)
    if isinstance(value, int):
        return str(int(value)) if isinstance(value, JsBigInt) or abs(value) < 10**21 else _float_to_string(float(value))
    if typeof(value) == "symbol":
        from pyworkers.js.values import type_error  # that module is written in terms of this one

        raise type_error("Cannot convert a Symbol value to a string")
    to_string_method = getattr(value, "toString", None)
    return str(value) if to_string_method is None else str(to_string_method())


def to_string_tag(value: object) -> str:
    """``Object.prototype.toString.call(value)``."""
    if value is None:
        return "[object Undefined]"
    if value is jsnull:
        return "[object Null]"
    js_name = getattr(value, "js_name", None)
    if js_name is not None:
        return f"[object {js_name}]"
    names = {
        "boolean": "Boolean",
        "number": "Number",
        "string": "String",
        "bigint": "BigInt",
        "function": "Function",
    }
    return f"[object {names.get(typeof(value), 'Object')}]"


def to_boolean(value: object) -> bool:
    """JavaScript's truthiness: every object is true."""
    if isinstance(value, float) and math.isnan(value):
        return False
    return bool(value) if isinstance(value, bool | int | float | str) else not is_nullish(value)


def to_number(value: object) -> float:
    """JavaScript's ``Number(value)``; NaN where it is none."""
    if isinstance(value, bool | int | float):
        return float(value)
    if value is jsnull:
        return 0.0
    if isinstance(value, str):
        return _string_to_number(value.strip(WHITESPACE))
    value_of = getattr(value, "valueOf", None)
    inner = value if value_of is None else value_of()
    return math.nan if inner is value else to_number(inner)


def single(value: float) -> float:
    """Return the nearest single-precision number; Python's own conversion refuses what JavaScript makes infinite."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def to_integer(value: object, default: int = 0) -> int:
    """JavaScript's ToIntegerOrInfinity, clamped to 64 bits; ``default`` for undefined."""
    if value is None:
        return default
    result = to_number(value)
    if math.isnan(result):
        return 0
    return int(max(-(2.0**63), min(2.0**63, result)))


def _string_to_number(text: str) -> float:
    if not text:
        return 0.0
    try:
        if _INTEGER.fullmatch(text):
            return float(int(text, 0))
        return float(text) if _DECIMAL.fullmatch(text) else math.nan
    except (ValueError, OverflowError):  # more digits than Python reads, or than a float holds
        return math.inf


def _float_to_string(value: float) -> str:
    """Number::toString: the shortest digits that round-trip, exponent form outside 1e-7 … 1e21."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + ("" if fraction == "0" else fraction)).lstrip("0")
    point = len(whole) + int(exponent or 0) if whole != "0" else int(exponent or 0) - _leading_zeros(fraction)
    digits = digits.rstrip("0") or "0"
    if 0 < point <= 21:
        text = digits.ljust(point, "0") if len(digits) <= point else f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        text = f"{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return sign + text


def _leading_zeros(text: str) -> int:
    return len(text) - len(text.lstrip("0"))
