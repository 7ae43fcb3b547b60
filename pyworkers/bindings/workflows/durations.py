"""Durations of Workflows: milliseconds, or a text such as ``10 seconds``.

Source: itty-time 2.0.2, ``ms``, which the platform uses; recorded, recordings/own/workflows.json
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from pyworkers.js.primitives import number, to_number

_DAY: Final = 86_400_000
_UNITS: Final = {
    "year": 31_557_600_000,
    "month": 30 * _DAY,
    "week": 7 * _DAY,
    "day": _DAY,
    "hour": 3_600_000,
    "minute": 60_000,
    "second": 1_000,
}
_FORM: Final = re.compile(r"^([^ ]+) +(\w\w*?)s?$", re.ASCII)


def milliseconds(value: Any) -> float:
    """Return a duration in milliseconds; NaN where it is none. A unit that is not known counts as milliseconds."""
    plain = to_number(value)
    if not math.isnan(plain):
        return number(plain)
    found = _FORM.match(value) if isinstance(value, str) else None
    return math.nan if found is None else number(to_number(found[1]) * _UNITS.get(found[2], 1))
