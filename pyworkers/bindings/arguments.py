"""Argument conversions that several bindings share, with the platform's texts."""

from __future__ import annotations

import math

from pyworkers.js.primitives import to_number, typeof
from pyworkers.js.values import type_error


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
    found = to_number(value)
    if not math.isfinite(found):
        return 0
    if not -(2**31) <= found < 2**31:
        raise type_error("Value out of range. Must be between -2147483648 and 2147483647 (inclusive).")
    return int(found)
