"""Cloudflare's cron expressions: when they are due.

Five fields, in UTC: minute, hour, day of the month, month, day of the week. Days of the week are 1 (Sunday) to 7
(Saturday), unlike elsewhere. Lists, ranges (which may wrap around), steps, names of months and days; ``L``, ``LW``,
``L-3``, ``L-3W`` and ``15W`` for days of the month, ``6L`` and ``6#2`` for days of the week. Where both kinds of days
are given, either is enough.

Source: developers.cloudflare.com/workers/configuration/cron-triggers; cloudflare/saffron, which the platform uses
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

MINUTE_MS: Final = 60_000
# The 29th of February on a given day of the week is the rarest date; around 2100 it takes 40 years.
_LONGEST_YEARS: Final = 50
_MONTHS: Final = {
    "JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6, "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10, "NOV": 11,
    "DEC": 12,
}  # fmt: skip
_DAYS: Final = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}

Matches = Callable[[date], bool]


class CronError(ValueError):
    """A text is no cron expression; the message says which part is wrong, and what it may be."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression.

    Attributes:
        text: as it was written.
        hours: ascending.
        minutes: ascending.
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    is_day: Matches

    def next_after(self, time_ms: int) -> int | None:
        """Return the first time after one at which the expression is due; None where it never is.

        Args:
            time_ms: milliseconds since the Unix epoch, as the result.
        """
        after = datetime.fromtimestamp(time_ms / 1000, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        day, last = after.date(), after.year + _LONGEST_YEARS
        hour, minute = after.hour, after.minute
        while day.year <= last:
            if day.month in self.months and self.is_day(day):
                found = self._in_day(hour, minute)
                if found is not None:
                    due = datetime(day.year, day.month, day.day, *found, tzinfo=UTC)
                    return int(due.timestamp()) * 1000
            day, hour, minute = day + timedelta(days=1), 0, 0
        return None

    def _in_day(self, hour: int, minute: int) -> tuple[int, int] | None:
        """Return the first hour and minute that are not before these."""
        for found in self.hours:
            if found == hour:
                later = next((one for one in self.minutes if one >= minute), None)
                if later is not None:
                    return found, later
            elif found > hour:
                return found, self.minutes[0]
        return None


def parse_cron(text: str) -> Cron:
    """Read an expression.

    Raises:
        CronError: it is none.
    """
    parts = text.split()
    if len(parts) != 5:
        raise CronError(
            f'"{text}" has {len(parts)} fields, expected 5: minute, hour, day of the month, month, day of the week'
        )
    minutes, hours, month_days, months, week_days = parts
    return Cron(
        text,
        minutes=tuple(sorted(_Field("minute", 0, 59).read(minutes))),
        hours=tuple(sorted(_Field("hour", 0, 23).read(hours))),
        months=frozenset(_Field("month", 1, 12, _MONTHS).read(months)),
        is_day=_day_matcher(month_days, week_days),
    )


# ---- fields of values


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)

    def read(self, text: str) -> set[int]:
        """Return the values that a field names."""
        return {value for item in text.split(",") for value in self._item(item, text)}

    def value(self, text: str, where: str) -> int:
        """Return one value, by number or name."""
        found = self.names.get(text.upper())
        if found is None and text.isascii() and text.isdigit():
            found = int(text)
        if found is None or not self.low <= found <= self.high:
            names = f", {next(iter(self.names))} …" if self.names else ""
            raise CronError(f'"{where}" is no {self.name}: expected {self.low} to {self.high}{names}')
        return found

    def _item(self, item: str, where: str) -> Iterable[int]:
        span, slash, step_text = item.partition("/")
        step = self._step(step_text, where) if slash else 1
        if span == "*":
            first, last = self.low, self.high
        else:
            first_text, dash, last_text = span.partition("-")
            first = self.value(first_text, where)
            last = self.value(last_text, where) if dash else self.high if slash else first
        if first <= last:
            return range(first, last + 1, step)
        return [*range(first, self.high + 1), *range(self.low, last + 1)][::step]

    def _step(self, text: str, where: str) -> int:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= self.high - self.low):
            raise CronError(f'"{where}" has no step of 1 to {self.high - self.low} after its slash')
        return int(text)


# ---- days

_MONTH_DAY: Final = _Field("day of the month", 1, 31)
_WEEK_DAY: Final = _Field("day of the week", 1, 7, _DAYS)
_LAST: Final = re.compile(r"L(?:-(\d{1,2}))?(W)?", re.IGNORECASE)
_NEAREST: Final = re.compile(r"(\d{1,2})W", re.IGNORECASE)
_LAST_WEEK_DAY: Final = re.compile(r"(\w+)L", re.IGNORECASE)
_NTH_WEEK_DAY: Final = re.compile(r"(\w+)#(\d)")


def _day_matcher(month_days: str, week_days: str) -> Matches:
    by_month = None if month_days == "*" else _month_day_matcher(month_days)
    by_week = None if week_days == "*" else _week_day_matcher(week_days)
    if by_month is None and by_week is None:
        return lambda _day: True
    if by_month is None or by_week is None:
        found = by_month or by_week
        assert found is not None
        return found
    first, second = by_month, by_week
    return lambda day: first(day) or second(day)


def _month_day_matcher(text: str) -> Matches:
    if match := _LAST.fullmatch(text):
        offset = int(match[1] or 0)
        if offset > 30 or match[1] == "0":
            raise CronError(f'"{text}" is no day of the month: expected L-1 to L-30')
        if match[2]:
            return lambda day: day.day == _nearest_weekday(day, _month_length(day) - offset)
        return lambda day: day.day == _month_length(day) - offset
    if match := _NEAREST.fullmatch(text):
        wanted = _MONTH_DAY.value(match[1], text)
        return lambda day: wanted <= _month_length(day) and day.day == _nearest_weekday(day, wanted)
    days = _MONTH_DAY.read(text)
    return lambda day: day.day in days


def _week_day_matcher(text: str) -> Matches:
    if text.upper() == "L":
        return lambda day: _week_day(day) == 7
    if (match := _NTH_WEEK_DAY.fullmatch(text)) is not None:
        wanted, nth = _WEEK_DAY.value(match[1], text), int(match[2])
        if not 1 <= nth <= 5:
            raise CronError(f'"{text}" is no day of the week: expected 1 to 5 after the #')
        return lambda day: _week_day(day) == wanted and (day.day - 1) // 7 + 1 == nth
    if (match := _LAST_WEEK_DAY.fullmatch(text)) is not None:
        last = _WEEK_DAY.value(match[1], text)
        return lambda day: _week_day(day) == last and day.day + 7 > _month_length(day)
    days = _WEEK_DAY.read(text)
    return lambda day: _week_day(day) in days


def _week_day(day: date) -> int:
    """Return 1 for Sunday to 7 for Saturday."""
    return day.isoweekday() % 7 + 1


def _month_length(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date, wanted: int) -> int | None:
    """Return the day from Monday to Friday that lies nearest to a day of the same month, within that month."""
    if wanted < 1:
        return None
    weekday = day.replace(day=wanted).isoweekday()
    if weekday == 6:
        return wanted - 1 if wanted > 1 else wanted + 2
    if weekday == 7:
        return wanted + 1 if wanted < _month_length(day) else wanted - 2
    return wanted
