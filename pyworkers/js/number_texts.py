"""Numbers in other bases than ten, with as many digits as tell a number from its neighbours.

Source: v8 src/numbers/conversions.cc, DoubleToRadixCString; recorded, misc.globals.own-language
"""

from __future__ import annotations

import math
from typing import Final

DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def in_base(value: float, base: int) -> str:
    """Return a number as text.

    Args:
        base: 2 to 36.
    """
    if math.isnan(value):
        return "NaN"
    sign = "-" if value < 0 else ""
    if math.isinf(value):
        return f"{sign}Infinity"
    whole = float(math.floor(abs(value)))
    # Half of the distance to the next number: digits that tell less than that say nothing.
    delta = max(0.5 * (math.nextafter(abs(value), math.inf) - abs(value)), math.nextafter(0.0, 1.0))
    fraction, carries = _fraction(abs(value) - whole, delta, base)
    return f"{sign}{_whole(whole + carries, delta, base)}{'.' if fraction else ''}{fraction}"


def _fraction(fraction: float, delta: float, base: int) -> tuple[str, bool]:
    """Return the digits after the point, and whether rounding makes the whole number one more."""
    digits: list[int] = []
    while fraction >= delta:
        fraction *= base
        delta *= base
        digit = int(fraction)
        digits.append(digit)
        fraction -= digit
        if (fraction > 0.5 or (fraction == 0.5 and digit & 1)) and fraction + delta > 1:
            while digits:  # round up, and carry
                last = digits.pop()
                if last + 1 < base:
                    digits.append(last + 1)
                    break
            else:
                return "", True
            break
    return "".join(DIGITS[digit] for digit in digits), False


def _whole(value: float, delta: float, base: int) -> str:
    """Return the digits before the point; those that a double does not tell apart are zero."""
    zeros = 0
    while delta >= base:
        delta /= base
        value /= base
        zeros += 1
    digits: list[int] = []
    while value > 0 or not digits:
        digit = math.fmod(value, base)
        digits.append(int(digit))
        value = (value - digit) / base
    return "".join(DIGITS[digit] for digit in reversed(digits)) + "0" * zeros
