"""Times, ranges and periods of the calendar; all in UTC, in milliseconds since the epoch."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
MAX_TIME_MS: Final = 253_402_300_799_999  # the end of the year 9999, which Python's and SQLite's calendars end with
MAX_YEAR: Final = 9999

PERIODS: Final = ("HOUR", "DAY", "WEEK", "MONTH")
_MILLISECONDS: Final = re.compile(r"\d{9,15}")

# What a time is grouped by in SQL, and sorts by; `label` makes what is shown of it. A week is named by its Monday here,
# because %G and %V are newer than some SQLite libraries.
BUCKET_SQL: Final = {
    "HOUR": "strftime('%Y-%m-%d %H:00:00', {0} / 1000, 'unixepoch')",
    "DAY": "date({0} / 1000, 'unixepoch')",
    "WEEK": "date({0} / 1000, 'unixepoch', 'weekday 0', '-6 days')",
    "MONTH": "strftime('%Y-%m', {0} / 1000, 'unixepoch')",
}


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From one moment to another, both included."""

    start_ms: int
    end_ms: int

    def as_json(self) -> dict[str, str]:
        """Return `{"start", "end"}` in ISO 8601."""
        return {"start": iso(self.start_ms), "end": iso(self.end_ms)}


def iso(time_ms: float) -> str:
    """Return a time as JavaScript's `toISOString` writes it."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(time_ms))
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def parse_time_ms(value: Any, *, is_end: bool = False) -> int | None:
    """Return a time, or None where it is none.

    Args:
        value: milliseconds since the epoch, also as digits, or ISO 8601, UTC where it names no zone.
        is_end: a date without a time means its last millisecond, not its first.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and _MILLISECONDS.fullmatch(value):
        value = int(value)
    if isinstance(value, int | float):
        return int(value) if 0 <= value <= MAX_TIME_MS else None
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    time_ms = (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
    if is_end and _is_date(value):
        time_ms += DAY_MS - 1
    return time_ms if 0 <= time_ms <= MAX_TIME_MS else None


def _is_date(text: str) -> bool:
    """Tell whether an ISO 8601 text is a date without a time, in any form: `2025-10-09`, `20251009`, `2025-W41-4`."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def label(bucket: str, period: str) -> str:
    """Return what is shown of a bucket of BUCKET_SQL: a week as ISO 8601 numbers it, such as `2025-W41`."""
    if period != "WEEK":
        return bucket
    year, week, _ = date.fromisoformat(bucket).isocalendar()
    return f"{year}-W{week:02d}"


def add_periods(start_ms: int, period: str, count: int) -> int:
    """Return the time that lies a number of days, weeks or months later.

    A month that is too short for the day of ``start_ms`` ends earlier: one month after January 31 is the last of
    February, two months after it March 31. What lies beyond the calendar is its end.
    """
    if period != "MONTH":
        return start_ms + count * (7 * DAY_MS if period == "WEEK" else DAY_MS)
    start = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=start_ms)
    years, month = divmod(start.month - 1 + count, 12)
    year, month = start.year + years, month + 1
    if year > MAX_YEAR:
        return MAX_TIME_MS + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    moment = start.replace(year=year, month=month, day=day)
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
