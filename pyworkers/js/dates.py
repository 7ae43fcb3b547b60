"""``Date``. The platform's time zone is UTC, so local and UTC members are the same.

Source: tc39.es/ecma262, section 21.4
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from pyworkers.js.date_text import MONTHS, parse_date_text
from pyworkers.js.primitives import is_nullish, jsnull, number, to_number, to_string
from pyworkers.js.realm import current_realm
from pyworkers.js.values import JsProxy, js_function, range_error

_DAY_MS: Final = 86_400_000
_MAX_MS: Final = 8.64e15
_DAYS: Final = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


class Date(JsProxy):
    """A moment.

    Args:
        time_ms: milliseconds since the epoch, UTC; NaN is an invalid date.
    """

    def __init__(self, time_ms: float) -> None:
        self._ms = _clip(time_ms)

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new Date()``, ``new Date(value)`` or ``new Date(year, month, …)``."""
        if not args:
            return cls(current_realm().clock.now_ms())
        if len(args) > 1:
            return cls(_of_parts([to_number(arg) for arg in args]))
        value = args[0]
        if isinstance(value, Date):
            return cls(value._ms)
        if isinstance(value, str):
            return cls(parse_date(value))
        # An object's number, else its text: of a datetime, as a proxy of Python's has no number.
        time_ms = to_number(value)
        is_object = not is_nullish(value) and not isinstance(value, bool | int | float)
        return cls(parse_date(to_string(value)) if math.isnan(time_ms) and is_object else time_ms)

    @staticmethod
    @js_function
    def static_now() -> int:
        """``Date.now``."""
        return current_realm().clock.now_ms()

    @staticmethod
    @js_function
    def static_parse(text: object = None) -> int | float:
        """``Date.parse``."""
        return number(_clip(parse_date(to_string(text))))

    @staticmethod
    def static_UTC(*parts: object) -> int | float:
        """``Date.UTC``."""
        return number(_clip(_of_parts([to_number(part) for part in parts])))

    def getTime(self, *_: object) -> int | float:
        """Milliseconds since the epoch; NaN for an invalid date."""
        return number(self._ms)

    valueOf = getTime

    def setTime(self, time_ms: object = None, *_: object) -> int | float:
        """Move to another moment."""
        self._ms = _clip(to_number(time_ms))
        return number(self._ms)

    def getTimezoneOffset(self, *_: object) -> int:
        """Minutes from UTC: none."""
        return 0

    def getYear(self, *_: object) -> int | float:
        """The year less 1900."""
        return self.getFullYear() - 1900

    def toISOString(self, *_: object) -> str:
        """``2026-01-02T03:04:05.678Z``.

        Raises:
            JsException: RangeError, for an invalid date.
        """
        if math.isnan(self._ms):
            raise range_error("Invalid time value")
        year, month, day, hour, minute, second, ms = _split(self._ms)[:7]
        shown = f"{year:04d}" if 0 <= year <= 9999 else f"{'-' if year < 0 else '+'}{abs(year):06d}"
        return f"{shown}-{month + 1:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{ms:03d}Z"

    def toJSON(self, *_: object) -> Any:
        """As `toISOString`; null for an invalid date."""
        return jsnull if math.isnan(self._ms) else self.toISOString()

    def toUTCString(self, *_: object) -> str:
        """``Fri, 02 Jan 2026 03:04:05 GMT``."""
        return self._text("{weekday}, {day:02d} {month} {year} {time} GMT")

    toGMTString = toUTCString

    def toString(self) -> str:
        """``Fri Jan 02 2026 03:04:05 GMT+0000 (Coordinated Universal Time)``."""
        return self._text("{weekday} {month} {day:02d} {year} {time} GMT+0000 (Coordinated Universal Time)")

    def toDateString(self, *_: object) -> str:
        """``Fri Jan 02 2026``."""
        return self._text("{weekday} {month} {day:02d} {year}")

    def toTimeString(self, *_: object) -> str:
        """``03:04:05 GMT+0000 (Coordinated Universal Time)``."""
        return self._text("{time} GMT+0000 (Coordinated Universal Time)")

    def toLocaleDateString(self, *_: object) -> str:
        """``1/2/2026``: the locale is en-US."""
        return self._text("{month_number}/{day}/{plain_year}")

    def toLocaleTimeString(self, *_: object) -> str:
        """``3:04:05 AM``."""
        return self._text("{hour12}:{minute:02d}:{second:02d} {half}")

    def toLocaleString(self, *_: object) -> str:
        """``1/2/2026, 3:04:05 AM``."""
        return self._text("{month_number}/{day}/{plain_year}, {hour12}:{minute:02d}:{second:02d} {half}")

    def _text(self, template: str) -> str:
        if math.isnan(self._ms):
            return "Invalid Date"
        year, month, day, hour, minute, second, _, weekday = _split(self._ms)
        return template.format(
            year=f"{year:04d}" if year >= 0 else f"-{-year:04d}",
            month=MONTHS[month],
            plain_year=year,
            month_number=month + 1,
            day=day,
            weekday=_DAYS[weekday],
            time=f"{hour:02d}:{minute:02d}:{second:02d}",
            hour12=hour % 12 or 12,
            minute=minute,
            second=second,
            half="AM" if hour < 12 else "PM",
        )


Date.constructor.call_without_new = lambda *_: Date.js_new().toString()  # `Date()` is text


def parse_date(text: str) -> float:
    """Return milliseconds since the epoch for a text that V8 takes for a date, else NaN."""
    found = parse_date_text(text)
    if found is None:
        return math.nan
    minute = found.minute - found.offset_minutes
    return _join(found.year, found.month - 1, found.day, found.hour, minute, found.second, found.ms)


def _of_parts(values: list[float]) -> float:
    parts = [*values, *(0.0, 1.0, 0.0, 0.0, 0.0, 0.0)[len(values) - 1 :]][:7] if values else [math.nan]
    if any(math.isnan(part) or math.isinf(part) for part in parts):
        return math.nan
    whole = [int(part) for part in parts]
    if 0 <= whole[0] <= 99:
        whole[0] += 1900
    return _join(*whole)


def _join(year: int, month: int, day: int, hour: int, minute: int, second: int, ms: int) -> float:
    """Return the moment of these parts, each of which may lie outside of its range."""
    year += month // 12
    days = _days_before(year, month % 12) + day - 1
    return float(days * _DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + ms)


def _days_before(year: int, month: int) -> int:
    """Days from the epoch to the first of a month, in the proleptic Gregorian calendar."""
    shifted = year - (month < 2)
    era, year_of_era = divmod(shifted, 400)
    day_of_year = (153 * ((month + 10) % 12) + 2) // 5
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def _split(time_ms: float) -> tuple[int, int, int, int, int, int, int, int]:
    """Return year, month (0-11), day, hour, minute, second, millisecond, weekday (0 is Sunday)."""
    days, rest = divmod(int(time_ms), _DAY_MS)
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = (shifted + 2) % 12
    year = era * 400 + year_of_era + (month < 2)
    minutes, ms = divmod(rest, 60_000)
    return (
        year,
        month,
        day_of_year - (153 * shifted + 2) // 5 + 1,
        minutes // 60,
        minutes % 60,
        ms // 1000,
        ms % 1000,
        (days + 4) % 7,
    )


def _clip(time_ms: float) -> float:
    return math.nan if math.isnan(time_ms) or abs(time_ms) > _MAX_MS else float(math.trunc(time_ms))


# name: where the part stands in `_split`, and how many parts its setter takes
_PARTS: Final = {
    "FullYear": (0, 3),
    "Month": (1, 2),
    "Date": (2, 1),
    "Hours": (3, 4),
    "Minutes": (4, 3),
    "Seconds": (5, 2),
    "Milliseconds": (6, 1),
    "Day": (7, 0),
}


def _getter(index: int) -> Callable[..., object]:
    def get(self: Date, *_: object) -> int | float:
        return math.nan if math.isnan(self._ms) else _split(self._ms)[index]

    return get


def _setter(index: int, count: int) -> Callable[..., object]:
    def set_(self: Date, *values: object) -> int | float:
        parts: list[float] = list(_split(0 if math.isnan(self._ms) and index == 0 else self._ms)[:7]
                                  if index == 0 or not math.isnan(self._ms) else ())  # fmt: skip
        given = [to_number(value) for value in (values or (None,))][:count]
        if not parts or any(math.isnan(value) or math.isinf(value) for value in given):
            self._ms = math.nan
            return self._ms
        parts[index : index + len(given)] = given
        self._ms = _clip(_join(*(int(part) for part in parts)))
        return number(self._ms)

    return set_


for _name, (_index, _count) in _PARTS.items():
    for _zone in ("", "UTC"):
        setattr(Date, f"get{_zone}{_name}", _getter(_index))
        if _count:
            setattr(Date, f"set{_zone}{_name}", _setter(_index, _count))
