"""The arguments of a call, checked as they are read; what is wrong is named as the caller wrote it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .failures import BadArgument
from .periods import DAY_MS, MAX_TIME_MS, TimeRange, parse_time_ms

MAX_TEXT: Final = 1024
MAX_NUMBER: Final = sys.float_info.max
_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")


class Arguments:
    """An object of arguments.

    Args:
        given: what the caller sent; null is an empty object.
        path: what stands in front of the names in messages.

    Raises:
        BadArgument: it is no object.
    """

    def __init__(self, given: object, path: str = "") -> None:
        if given is not None and not isinstance(given, Mapping):
            raise BadArgument(path.rstrip(".") or "arguments", "must be an object")
        self._given: Mapping[str, Any] = given or {}
        self._path = path

    def text(self, name: str, *, max_characters: int = MAX_TEXT) -> str:
        """Return a required text, not empty."""
        value = self.optional_text(name, max_characters=max_characters)
        if value is None:
            raise self.wrong(name, "must be a string, not empty")
        return value

    def optional_text(self, name: str, *, max_characters: int = MAX_TEXT) -> str | None:
        """Return a text, or None where there is none or an empty one."""
        value = self._given.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or len(value) > max_characters:
            raise self.wrong(name, f"must be a string of at most {max_characters} characters")
        return value

    def id(self, name: str) -> str | None:
        """Return an id that the caller chose, of 1 to 128 printable ASCII characters, or None."""
        value = self.optional_text(name)
        if value is not None and not _ID.fullmatch(value):
            raise self.wrong(name, "must be 1 to 128 printable ASCII characters")
        return value

    def number(self, name: str) -> float | None:
        """Return a finite number, or None."""
        value = self._given.get(name)
        if value is None:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not -MAX_NUMBER <= value <= MAX_NUMBER:
            raise self.wrong(name, "must be a number")
        return value

    def integer(self, name: str, default: int, *, lowest: int, highest: int) -> int:
        """Return a whole number of a range, both ends included."""
        value = self.number(name)
        if value is None:
            return default
        if value != int(value) or not lowest <= value <= highest:
            raise self.wrong(name, f"must be a whole number from {lowest} to {highest}")
        return int(value)

    def choice(self, name: str, default: str | None, choices: Sequence[str]) -> str:
        """Return one of the choices, in capitals as they are; the caller may write it in small letters."""
        value = self._given.get(name)
        if value is None and default is not None:
            return default
        found = value.upper().replace("-", "_") if isinstance(value, str) else value
        if found not in choices:
            raise self.wrong(name, f"must be one of {', '.join(choices)}")
        return str(found)

    def json_object(self, name: str, *, max_bytes: int = 65_536) -> dict[str, Any] | None:
        """Return an object of JSON values, or None."""
        value = self._given.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.wrong(name, "must be an object")
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError):
            raise self.wrong(name, "must hold JSON values only") from None
        if len(text.encode()) > max_bytes:
            raise self.wrong(name, f"must be at most {max_bytes} bytes of JSON")
        return dict(value)

    def inner(self, name: str) -> Arguments:
        """Return a required object."""
        if self._given.get(name) is None:
            raise self.wrong(name, "must be an object")
        return Arguments(self._given[name], f"{self._path}{name}.")

    def list(self, name: str, *, lowest: int = 1, highest: int) -> Sequence[Any]:
        """Return a list of a length in a range."""
        value = self._given.get(name)
        if not isinstance(value, list) or not lowest <= len(value) <= highest:
            raise self.wrong(name, f"must be a list of {lowest} to {highest}")
        return value

    def time_ms(self, name: str, default: int | None = None, *, is_end: bool = False) -> int | None:
        """Return a time: milliseconds since the epoch, or ISO 8601, UTC where it names no zone.

        Args:
            is_end: a date without a time means its last millisecond, not its first.
        """
        value = self._given.get(name)
        if value is None:
            return default
        time_ms = parse_time_ms(value, is_end=is_end)
        if time_ms is None:
            raise self.wrong(name, "must be an ISO 8601 date or time, or milliseconds since the epoch")
        return time_ms

    def time_range(self, name: str = "timeRange", *, now_ms: int | None = None, days: int = 7) -> TimeRange:
        """Return a range of time, `{"start", "end"}`, both included.

        Args:
            now_ms: where the range may be left out: it is then the last ``days`` days. None requires one.
        """
        if self._given.get(name) is None and now_ms is not None:
            return TimeRange(now_ms - days * DAY_MS, now_ms)
        inner = self.inner(name)
        start_ms, end_ms = inner.time_ms("start"), inner.time_ms("end", is_end=True)
        for which, value in (("start", start_ms), ("end", end_ms)):
            if value is None:
                raise inner.wrong(which, "must be an ISO 8601 date or time, or milliseconds since the epoch")
        assert start_ms is not None
        assert end_ms is not None
        if start_ms > end_ms:
            raise inner.wrong("start", "must not be after end")
        return TimeRange(start_ms, min(end_ms, MAX_TIME_MS))

    def has(self, name: str) -> bool:
        """Tell whether an argument was given."""
        return self._given.get(name) is not None

    def as_json(self) -> dict[str, Any]:
        """Return what was given."""
        return dict(self._given)

    def wrong(self, name: str, problem: str) -> BadArgument:
        """Return the error for an argument."""
        return BadArgument(f"{self._path}{name}", problem)
