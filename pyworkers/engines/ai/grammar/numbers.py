"""Numbers within bounds, as GBNF expressions over their digits; and the bounds that a schema sets."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

__all__ = ["bounds", "integer_range", "multiples", "number_range"]

# Unbounded integers stay below this: exact in JavaScript, and short.
_OPEN_DIGITS = 9
_MANY_VALUES = 256
_FRACTION_DIGITS = 4
_SCALE = 10**_FRACTION_DIGITS


def integer_range(low: Decimal | None, high: Decimal | None) -> str | None:
    """Return an expression for the integers from ``low`` to ``high``, both included; None when there are none."""
    floor, ceiling = _open(low, high)
    first = int(floor.to_integral_value(ROUND_CEILING))
    last = int(ceiling.to_integral_value(ROUND_FLOOR))
    parts = []
    if first < 0:
        negative = _naturals(max(1, -last), -first)
        parts += [f'"-" {negative}'] if negative else []
    if last >= 0:
        positive = _naturals(max(0, first), last)
        parts += [positive] if positive else []
    return _either(parts)


def number_range(low: Decimal | None, high: Decimal | None) -> str | None:
    """Return an expression for numbers from ``low`` to ``high`` with at most four decimals; None when empty."""
    floor, ceiling = _open(low, high)
    first = int((floor * _SCALE).to_integral_value(ROUND_CEILING))
    last = int((ceiling * _SCALE).to_integral_value(ROUND_FLOOR))
    parts = []
    if first < 0:
        parts += [f'"-" ({part})' for part in _decimals(max(1, -last), -first)]
    if last >= 0:
        parts += _decimals(max(0, first), last)
    return _either(parts)


def _open(low: Decimal | None, high: Decimal | None) -> tuple[Decimal, Decimal]:
    """Close an open side far enough away."""
    known = max((abs(bound) for bound in (low, high) if bound is not None), default=Decimal(0))
    far = Decimal(10 ** max(_OPEN_DIGITS, len(str(int(known))) + 2) - 1)
    return (-far if low is None else low), (far if high is None else high)


def _decimals(first: int, last: int) -> list[str]:
    """Return expressions for the scaled numbers ``first`` to ``last``, 0 <= first."""
    if first > last:
        return []
    parts = []
    whole = _naturals(-(-first // _SCALE), last // _SCALE)
    if whole:
        parts.append(whole)
    (first_whole, first_rest), (last_whole, last_rest) = divmod(first, _SCALE), divmod(last, _SCALE)
    if first_whole == last_whole:
        return [*parts, f'"{first_whole}." {_same_width(first_rest, last_rest, _FRACTION_DIGITS)}']
    parts.append(f'"{first_whole}." {_same_width(first_rest, _SCALE - 1, _FRACTION_DIGITS)}')
    between = _naturals(first_whole + 1, last_whole - 1)
    if between:
        parts.append(f'{between} "." [0-9]{{1,{_FRACTION_DIGITS}}}')
    parts.append(f'"{last_whole}." {_same_width(0, last_rest, _FRACTION_DIGITS)}')
    return parts


def _naturals(first: int, last: int) -> str | None:
    """Return an expression for the integers ``first`` to ``last``, 0 <= first, without leading zeros."""
    parts = []
    low = first
    while low <= last:
        width = len(str(low))
        high = min(last, 10**width - 1)
        parts.append(_same_width(low, high, width))
        low = high + 1
    return _either(parts)


def _same_width(first: int, last: int, width: int) -> str:
    """Return an expression for ``first`` to ``last`` written with exactly ``width`` digits."""
    low, high = f"{first:0{width}d}", f"{last:0{width}d}"
    if low == high:
        return f'"{low}"'
    shared = next(i for i in range(width) if low[i] != high[i])
    head = f'"{low[:shared]}" ' if shared else ""
    rest = width - shared - 1
    a, b = int(low[shared]), int(high[shared])
    if rest == 0:
        return head + _digit(a, b)
    power = 10**rest
    low_rest, high_rest = first % power, last % power
    parts = []
    if low_rest:
        parts.append(f'"{a}" {_same_width(low_rest, power - 1, rest)}')
        a += 1
    tail = high_rest != power - 1
    full = b - 1 if tail else b
    if a <= full:
        parts.append(f"{_digit(a, full)} [0-9]" + (f"{{{rest}}}" if rest > 1 else ""))
    if tail:
        parts.append(f'"{b}" {_same_width(0, high_rest, rest)}')
    return head + (_either(parts) or "")


def _digit(low: int, high: int) -> str:
    return f'"{low}"' if low == high else f"[{low}-{high}]"


def _either(parts: list[str]) -> str | None:
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else "(" + " | ".join(parts) + ")"


def bounds(schema: Mapping[str, Any], *, step: Decimal, whole: bool) -> tuple[Decimal | None, Decimal | None]:
    """Return the closed bounds; an open bound moves in by ``step``, or to the next integer."""
    lows: list[Decimal] = []
    highs: list[Decimal] = []
    for key, values in (("minimum", lows), ("maximum", highs)):
        if isinstance(schema.get(key), int | float):
            values.append(Decimal(str(schema[key])))
    for key, values, sign in (("exclusiveMinimum", lows, 1), ("exclusiveMaximum", highs, -1)):
        bound = schema.get(key)
        if isinstance(bound, int | float) and not isinstance(bound, bool):
            exact = Decimal(str(bound))
            values.append(exact + sign * step if not whole or exact % 1 == 0 else exact)
    return max(lows, default=None), min(highs, default=None)


def multiples(step: Decimal, low: Decimal, high: Decimal, *, whole: bool) -> list[str] | None:
    """Return the multiples of ``step`` between the bounds as texts, or None when they are too many to list."""
    if step <= 0 or (high - low) / step > _MANY_VALUES:
        return None
    first = int((low / step).to_integral_value("ROUND_CEILING"))
    last = int((high / step).to_integral_value("ROUND_FLOOR"))
    values = [step * count for count in range(first, last + 1)]
    return [_plain(value) for value in values if not whole or value % 1 == 0]


def _plain(value: Decimal) -> str:
    text = format(value.normalize(), "f")
    return "0" if text == "-0" else text
