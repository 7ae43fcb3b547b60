"""The ``range`` option: offset, length and suffix, or a Range header.

Source: workerd src/workerd/api/r2-bucket.c++; miniflare src/workers/shared/range.ts; recorded, contracts/r2, r2.range.*
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from pyworkers.bindings.r2.errors import INVALID_RANGE, UNSPECIFIED, failure
from pyworkers.js.headers import Headers
from pyworkers.js.primitives import is_nullish, to_number, to_string
from pyworkers.js.values import range_error, type_error
from pyworkers.js.webidl import field_error, is_object, option_reader

_UNIT: Final = re.compile(r" *bytes *=", re.IGNORECASE)
_RANGE: Final = re.compile(r" *(\d+)? *- *(\d+)? *", re.ASCII)


@dataclass(frozen=True, slots=True)
class RangeOption:
    """What a reader asked for; at most ``header``, or some of the others."""

    offset: int | None = None
    length: int | None = None
    suffix: int | None = None
    header: str | None = None

    def resolve(self, size: int) -> tuple[int, int]:
        """Return the offset and length that this is of a body of ``size`` bytes.

        Raises:
            JsException: no byte of the body is in the range.
        """
        if self.header is not None:
            return _of_header(self.header, size) or (0, size)
        offset, length = self.offset or 0, self.length
        if self.suffix is not None:
            if self.suffix == 0:
                raise failure("get", INVALID_RANGE)
            length = min(self.suffix, size)
            offset = size - length
        if length is None:
            length = size - offset
        if offset > size or length <= 0:
            raise failure("get", INVALID_RANGE)
        if offset == size:  # the platform finds out only when it reads
            raise failure("get", UNSPECIFIED)
        return offset, min(length, size - offset)


def read_range(value: Any) -> RangeOption | None:
    """Return the ``range`` option; None where there is none.

    Raises:
        JsException: a field has the wrong type, or makes no sense.
    """
    if value is None:
        return None
    if isinstance(value, Headers):
        header = value.find("range")
        return None if header is None else RangeOption(header=header)
    if not is_nullish(value) and not is_object(value):
        raise field_error("GetOptions", "range", "Range or Headers")
    option = option_reader(value)
    given = {name: option(name) for name in ("offset", "length", "suffix")}
    numbers = {name: to_number(found) for name, found in given.items() if found is not None}
    if not numbers:
        return RangeOption() if not is_nullish(value) else None
    whole: dict[str, int] = {}
    for name, title in (("offset", "range. Starting offset"), ("length", "range. Length")):
        if name in numbers:
            whole[name] = _whole(numbers[name], title, title)
    if "suffix" in numbers:
        for other in ("offset", "length"):
            if other in numbers:
                raise type_error(f"Suffix is incompatible with {other}.")
        whole["suffix"] = _whole(numbers["suffix"], "suffix. Suffix", "range. Suffix")
    return RangeOption(whole.get("offset"), whole.get("length"), whole.get("suffix"))


def _whole(number: float, negative_title: str, fraction_title: str) -> int:
    if not number >= 0:
        shown = to_string(number).replace("NaN", "nan").replace("Infinity", "inf")
        raise range_error(f"Invalid {negative_title} ({shown}) must be greater than or equal to 0.")
    if number == float("inf"):
        return 2**63
    if not number.is_integer():
        raise range_error(f"Invalid {fraction_title} ({to_string(number)}) must be an integer, not floating point.")
    return int(number)


def _of_header(header: str, size: int) -> tuple[int, int] | None:
    """Return the only range of a header; None for no, several or unsatisfiable ranges: then the whole body is meant."""
    unit = _UNIT.match(header)
    if unit is None or not header[unit.end() :].strip():
        return None
    found = []
    for part in header[unit.end() :].split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            return None
        first, last = match.groups()
        if first is None:
            if last is None or int(last) >= size:
                return None
            if int(last) > 0:
                found.append((size - int(last), size - 1))
            continue
        start, end = int(first), size - 1 if last is None else int(last)
        if start >= size or start > end:
            return None
        found.append((start, min(end, size - 1)))
    return (found[0][0], found[0][1] - found[0][0] + 1) if len(found) == 1 else None
