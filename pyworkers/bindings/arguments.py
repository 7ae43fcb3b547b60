"""Argument conversions that several bindings share, with the platform's texts."""

from __future__ import annotations

import math

from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, to_number, to_string, typeof
from pyworkers.js.values import type_error
from pyworkers.js.webidl import argument_error, is_object


def optional_int32(value: object) -> int | None:
    """Convert an optional integer option: None for undefined, 0 for what is no finite number, fractions dropped.

    Raises:
        JsException: TypeError, when it does not fit 32 bits, or is a bigint.

    Source: recorded, contracts/kv, kv.expiry.*
    """
    if value is None:
        return None
    if typeof(value) == "bigint":
        raise type_error("Cannot convert a BigInt value to a number")
    found = to_number(to_string(value) if isinstance(value, JsArray) else value)
    if not math.isfinite(found):
        return 0
    if not -(2**31) <= found < 2**31:
        raise type_error("Value out of range. Must be between -2147483648 and 2147483647 (inclusive).")
    return int(found)


def is_well_formed(text: str) -> bool:
    """Tell whether a text holds no lone surrogate."""
    return text.isascii() or not any(0xD800 <= ord(character) < 0xE000 for character in text)


def joined_text(text: str) -> str:
    """Make one character of two surrogates that are a pair, which JavaScript does not tell apart."""
    if is_well_formed(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def wire_text(text: str) -> str:
    """Return a text as it is after it has travelled as UTF-8: of a lone surrogate each of its three bytes is U+FFFD.

    Source: recorded, own/kv, own.kv.keys.lone; own/d1, own.d1.types.bind-odd
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return joined_text(text).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


def check_option_bag(value: object, class_name: str, method: str, position: int, expected: str) -> None:
    """Refuse options that are neither undefined, null nor an object.

    Raises:
        JsException: TypeError.
    """
    if not is_nullish(value) and (not is_object(value) or typeof(value) in ("bigint", "symbol")):
        raise argument_error(class_name, method, position, expected)
