"""``Math``.

Source: tc39.es/ecma262, section 21.3
"""

from __future__ import annotations

import math
import random
from typing import Any

from pyworkers.js.primitives import number, single, to_integer, to_number
from pyworkers.js.values import JsProxy, js_method


class Math(JsProxy, js_name="Math"):
    """``Math``."""

    PI, E = math.pi, math.e
    LN2, LN10, LOG2E, LOG10E = math.log(2), math.log(10), math.log2(math.e), math.log10(math.e)
    SQRT2, SQRT1_2 = math.sqrt(2), math.sqrt(0.5)

    def random(self, *_: object) -> float:
        """A number from 0 up to 1."""
        return random.random()

    @js_method
    def floor(self, value: object = None) -> int | float:
        """The whole number at or below."""
        return _whole(math.floor, value)

    @js_method
    def ceil(self, value: object = None) -> int | float:
        """The whole number at or above."""
        return _whole(math.ceil, value)

    @js_method
    def trunc(self, value: object = None) -> int | float:
        """The whole number towards 0."""
        return _whole(math.trunc, value)

    @js_method
    def round(self, value: object = None) -> int | float:
        """The nearest whole number; halves go up."""
        return _whole(lambda x: math.floor(x) + (x - math.floor(x) >= 0.5), value)

    @js_method
    def abs(self, value: object = None) -> int | float:
        """The absolute value."""
        return number(abs(to_number(value)))

    @js_method
    def sign(self, value: object = None) -> int | float:
        """-1, 0 or 1."""
        x = to_number(value)
        return x if math.isnan(x) else (x > 0) - (x < 0)

    def max(self, *values: object) -> int | float:
        """The largest."""
        return _extreme(max, values, -math.inf)

    def min(self, *values: object) -> int | float:
        """The smallest."""
        return _extreme(min, values, math.inf)

    @js_method
    def pow(self, base: object = None, exponent: object = None) -> int | float:
        """A power."""
        return _guarded(math.pow, base, exponent)

    def hypot(self, *values: object) -> int | float:
        """The square root of the sum of squares."""
        return number(math.hypot(*(to_number(value) for value in values)))

    @js_method
    def clz32(self, value: object = None) -> int:
        """The number of zeros ahead in 32 bits."""
        return 32 - (to_integer(value) & 0xFFFFFFFF).bit_length()

    @js_method
    def imul(self, one: object = None, other: object = None) -> int:
        """The product of 32-bit integers, in 32 bits."""
        product = to_integer(one) * to_integer(other) & 0xFFFFFFFF
        return product - (product >> 31 << 32)

    @js_method
    def fround(self, value: object = None) -> int | float:
        """The nearest single-precision number."""
        return number(single(to_number(value)))

    @js_method
    def atan2(self, y: object = None, x: object = None) -> int | float:
        """The angle of a point."""
        return _guarded(math.atan2, y, x)


def _add_math_functions() -> None:
    def make(name: str) -> Any:
        function = getattr(math, name)
        return lambda _self, value=None, *_: _guarded(function, value)

    for name in (
        *("sqrt", "cbrt", "exp", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan"),
        *("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    ):
        setattr(Math, name, make(name))


_add_math_functions()


def _whole(function: Any, value: object) -> int | float:
    x = to_number(value)
    if not math.isfinite(x):
        return x
    result = number(float(function(x)))
    return -0.0 if result == 0 and math.copysign(1, x) < 0 else result


def _extreme(function: Any, values: tuple[object, ...], empty: float) -> int | float:
    numbers = [to_number(value) for value in values]
    if any(math.isnan(value) for value in numbers):
        return math.nan
    return number(function(numbers, default=empty))


def _guarded(function: Any, *values: object) -> int | float:
    try:
        return number(function(*(to_number(value) for value in values)))
    except (ValueError, ZeroDivisionError):
        x = to_number(values[0])
        return -math.inf if x == 0 and function in (math.log, math.log2, math.log10) else math.nan
    except OverflowError:
        return math.inf
