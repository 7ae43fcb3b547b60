"""Argument checks that the platform's classes share, with the platform's texts.

Source: recorded, contracts/fetchapi, ``*.coerce`` and ``*.init-bad``
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

from pyworkers.js.collections import JsMap
from pyworkers.js.primitives import JsNull, is_nullish, to_number, to_string
from pyworkers.js.realm import current_realm
from pyworkers.js.values import JsException, JsObject, get_property, own_properties_of, type_error

MISSING: Final[Any] = object()  # an argument that was not given, which is not the same as undefined
PRIMITIVES: Final = str | bool | int | float
INT_MIN: Final = -(2**31)
INT_MAX: Final = 2**31 - 1
UINT_MAX: Final = 2**32 - 1


def argument_error(class_name: str, method: str, position: int, expected: str) -> JsException:
    """Make the TypeError of a method's missing or mistyped argument; ``position`` counts from 1."""
    return type_error(
        f"Failed to execute '{method}' on '{class_name}': parameter {position} is not of type '{expected}'."
    )


def constructor_error(class_name: str, position: int, expected: str) -> JsException:
    """Make the TypeError of a constructor's missing or mistyped argument; ``position`` counts from 1."""
    return type_error(
        f"Failed to construct '{class_name}': constructor parameter {position} is not of type '{expected}'."
    )


def field_error(dictionary: str, field: str, expected: str) -> JsException:
    """Make the TypeError of an option that has the wrong type."""
    return type_error(
        f"Incorrect type for the '{field}' field on '{dictionary}': the provided value is not of type '{expected}'."
    )


def string_argument(value: object, class_name: str, method: str, position: int) -> str:
    """Return a required string argument, coerced as JavaScript does."""
    if type(value) is str:
        return value
    if value is MISSING:
        raise argument_error(class_name, method, position, "string")
    return to_string(value)


def is_object(value: object) -> bool:
    """Tell whether JavaScript sees an object: no primitive, not undefined, not null."""
    return not (value is None or isinstance(value, PRIMITIVES | JsNull))


def option_reader(options: object) -> Callable[[str], Any]:
    """Return what reads a member of an option bag: None where it is absent."""
    return options.__dict__.get if type(options) is JsObject else partial(get_property, options)


def to_int32(value: object) -> int:
    """JavaScript's ToInt32: 0 for NaN and the infinities."""
    number = to_number(value)
    if number != number or number in (float("inf"), float("-inf")):
        return 0
    bits = int(number) & 0xFFFFFFFF
    return bits - (1 << 32) if bits >> 31 else bits


def to_int(value: Any) -> int:
    """Return a number as a C++ ``int``: what is no finite number is 0.

    Raises:
        JsException: TypeError, beyond 32 bits.
    """
    number = to_number(value)
    if math.isfinite(number) and not INT_MIN <= number <= INT_MAX:
        raise type_error(f"Value out of range. Must be between {INT_MIN} and {INT_MAX} (inclusive).")
    return to_int32(number)


def to_uint32(value: object) -> int:
    """Return the whole number that the platform reads from an argument of 32 bits without a sign.

    Raises:
        JsException: TypeError, when the value is no number, negative or too large.
    """
    return _to_unsigned(value, UINT_MAX, "number")


def to_uint64(value: object) -> int:
    """Return the whole number that the platform reads from an argument of 64 bits without a sign.

    Raises:
        JsException: TypeError, when the value is no number, negative or too large.
    """
    return _to_unsigned(value, 2**64 - 1, "bigint")


def _to_unsigned(value: object, most: int, kind: str) -> int:
    number = to_number(value)
    if not math.isfinite(number):
        raise type_error("The value cannot be converted because it is not an integer.")
    if number <= -1:
        raise type_error(
            f"The value cannot be converted because it is negative and this API expects a positive {kind}."
        )
    if number > float(most):  # as the platform compares: of 64 bits, one more than the most is let through
        raise type_error(f"Value out of range. Must be less than or equal to {most}.")
    return int(number)


def scalar_string(text: str) -> str:
    """JavaScript's ``toWellFormed``: a lone surrogate becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def utf8(text: str) -> bytes:
    """Encode as UTF-8; a lone surrogate becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return scalar_string(text).encode()


def text_of(data: bytes) -> str:
    """Decode a body as ``text()`` does: UTF-8, a leading byte order mark dropped, wrong bytes as U+FFFD."""
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


def pairs_of(value: object, wrong_length: str) -> Iterator[tuple[str, str]] | None:
    """Read a sequence of pairs, such as ``[["a", "1"]]`` or the items of a Python dict.

    Returns None where the value is no sequence of sequences. JavaScript sees neither characters as sequences nor the
    keys of a Python dict as pairs.

    Raises:
        JsException: TypeError with the text ``wrong_length``, when an inner sequence has not two items.
    """
    if isinstance(value, JsMap):
        value = value.entries_.items()  # Python iterates a Map's keys, JavaScript its entries
    elif isinstance(value, dict | PRIMITIVES) or not isinstance(value, Iterable):
        return None
    pairs = []
    for inner in value:
        if is_nullish(inner) or isinstance(inner, PRIMITIVES) or not isinstance(inner, Iterable):
            return None
        items = list(inner)
        if len(items) != 2:
            raise type_error(wrong_length)
        pairs.append((to_string(items[0]), to_string(items[1])))
    return iter(pairs)


def record_of(value: object) -> Iterator[tuple[str, str]]:
    """Read an object's own properties as strings; a Python object that crossed unconverted has none, but a dict.

    Raises:
        JsException: TypeError, for a dict where iterables count as sequences: it iterates its keys, as Python does.
    """
    if isinstance(value, dict) and current_realm().compat.enabled("fetch_iterable_type_support"):
        raise type_error("The iterator does not provide a 'throw' method.")
    return iter([(name, to_string(item)) for name, item in own_properties_of(value).items()])
