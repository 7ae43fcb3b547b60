"""``Date.parse``: the standard's form, and whatever else V8 takes for a date.

A text is read token by token: first as ISO 8601 as far as that goes, the rest by rules that let almost anything pass
up to the first number. A port of V8's parser, whose names its parts have.

Source: v8 src/date/dateparser-inl.h; recorded, fetchapi.dates.own-texts
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from pyworkers.js.primitives import WHITESPACE

_SIGNIFICANT_DIGITS: Final = 9
_PREFIX: Final = 3
_WHITE: Final = frozenset(WHITESPACE)
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS: Final = {name.lower(): number for number, name in enumerate(MONTHS, 1)}
# Hours from UTC.
_ZONES: Final = {
    **dict.fromkeys(("ut", "utc", "z", "gmt"), 0),
    "cdt": -5,
    "cst": -6,
    "edt": -4,
    "est": -5,
    "mdt": -6,
    "mst": -7,
    "pdt": -7,
    "pst": -8,
}
_HALVES: Final = {"am": 0, "pm": 12}


class Moment(NamedTuple):
    """What a text says; parts may lie outside of their ranges where a zone moves them."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    ms: int
    offset_minutes: int


class _Invalid(Exception):
    """The text is no date."""


class _Token(NamedTuple):
    kind: str  # number, symbol, month, half, zone, separator, word, white, other, end
    value: int = 0
    length: int = 0
    text: str = ""

    def is_symbol(self, text: str) -> bool:
        return self.kind == "symbol" and self.text == text

    def is_number_of(self, length: int) -> bool:
        return self.kind == "number" and self.length == length

    @property
    def sign(self) -> int:
        return {"+": 1, "-": -1}.get(self.text, 0) if self.kind == "symbol" else 0


_END: Final = _Token("end")


def parse_date_text(text: str) -> Moment | None:
    """Return the moment that a text names, or None."""
    try:
        return _Parser(text).parse()
    except _Invalid:
        return None


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        start, char = at, text[at]
        if char.isascii() and char.isdigit():
            while at < len(text) and text[at].isascii() and text[at].isdigit():
                at += 1
            digits = text[start:at].lstrip("0")[:_SIGNIFICANT_DIGITS]
            yield _Token("number", int(digits or 0), at - start)
        elif char in ":-+.)":
            at += 1
            yield _Token("symbol", text=char)
        elif char >= "A" and char not in _WHITE:
            while at < len(text) and text[at] >= "A" and text[at] not in _WHITE:
                at += 1
            yield _keyword(text[start:at])
        elif char in _WHITE:
            at += 1
            yield _Token("white")
        elif char == "(":
            at = _after_parentheses(text, at)
            yield _Token("other")
        else:
            at += 1
            yield _Token("other")


def _keyword(word: str) -> _Token:
    prefix = "".join(chr(ord(char) | 0x20) if "A" <= char <= "Z" else char for char in word[:_PREFIX])
    if prefix in _MONTH_NUMBERS:
        return _Token("month", _MONTH_NUMBERS[prefix])
    if len(word) <= _PREFIX:
        for kind, table in (("zone", _ZONES), ("half", _HALVES), ("separator", {"t": 0})):
            if prefix in table:
                return _Token(kind, table[prefix], text=prefix)
    return _Token("word")


def _after_parentheses(text: str, at: int) -> int:
    balance = 0
    while at < len(text):
        balance += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
        if balance <= 0:
            break
    return at


@dataclass(slots=True)
class _Zone:
    sign: int | None = None
    hour: int | None = None
    minute: int | None = None

    @property
    def is_utc(self) -> bool:
        return self.hour == 0 and self.minute == 0

    def set_hours(self, hours: int) -> None:
        self.sign, self.hour, self.minute = (-1 if hours < 0 else 1), abs(hours), 0


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = next(self._tokens, _END)
        self._day: list[int] = []
        self._month: int | None = None
        self._is_iso = False
        self._time: list[int] = []
        self._half: int | None = None
        self._zone = _Zone()

    def parse(self) -> Moment:
        token = self._iso()
        has_number = bool(self._day)
        while token.kind != "end":
            if token.kind == "number":
                has_number = True
                self._number(token.value)
            elif token.kind in ("month", "half", "zone", "separator", "word"):
                self._word(token, has_number=has_number)
            elif token.sign and (self._zone.is_utc or self._time):
                has_number = True
                self._offset(token.sign)
            elif (token.sign or token.is_symbol(")")) and has_number:
                raise _Invalid
            token = self._take()
        return self._write()

    # ---- tokens

    def _take(self) -> _Token:
        token, self._next = self._next, next(self._tokens, _END)
        return token

    def _skip(self, symbol: str) -> bool:
        found = self._next.is_symbol(symbol)
        if found:
            self._take()
        return found

    def _fixed(self, length: int, lowest: int, highest: int) -> int:
        """Take a number of so many digits.

        Raises:
            _Invalid: something else is there.
        """
        if not self._next.is_number_of(length) or not lowest <= self._next.value <= highest:
            raise _Invalid
        return self._take().value

    # ---- the standard's form

    def _iso(self) -> _Token:
        """Read as much as is ISO 8601; return the first token that is not."""
        if self._next.sign:
            sign = self._take()
            if not self._next.is_number_of(6):
                return sign
            year = self._take().value
            if sign.sign < 0 and year == 0:
                return sign
            self._day.append(sign.sign * year)
        elif self._next.is_number_of(4):
            self._day.append(self._take().value)
        else:
            return self._take()
        for highest in (12, 31):
            if not self._skip("-"):
                break
            if not self._next.is_number_of(2) or not 1 <= self._next.value <= highest:
                return self._take()
            self._day.append(self._take().value)
        if self._next.kind == "separator":
            self._iso_time()
        elif self._next.kind != "end":
            return self._take()
        if self._zone.hour is None and not self._time:
            self._zone.set_hours(0)
        self._is_iso = True
        return _END

    def _iso_time(self) -> None:
        self._take()
        hour = self._fixed(2, 0, 24)
        most = 0 if hour == 24 else 59
        if not self._skip(":"):
            raise _Invalid
        self._time = [hour, self._fixed(2, 0, most)]
        if self._skip(":"):
            self._time.append(self._fixed(2, 0, most))
            if self._skip("."):
                if self._next.kind != "number" or (hour == 24 and self._next.value):
                    raise _Invalid
                self._time.append(_milliseconds(self._take()))
        if self._next.kind == "zone" and self._next.text == "z":
            self._take()
            self._zone.set_hours(0)
        elif self._next.sign:
            self._zone.sign = self._take().sign
            self._iso_offset()
        if self._next.kind != "end":
            raise _Invalid

    def _iso_offset(self) -> None:
        if self._next.is_number_of(4):
            self._zone.hour, self._zone.minute = divmod(self._take().value, 100)
            if self._zone.hour > 23 or self._zone.minute > 59:
                raise _Invalid
            return
        self._zone.hour = self._fixed(2, 0, 23)
        if not self._skip(":"):
            raise _Invalid
        self._zone.minute = self._fixed(2, 0, 59)

    # ---- anything else

    def _number(self, value: int) -> None:
        if self._skip(":"):
            if self._skip(":"):
                if self._time:
                    raise _Invalid
                self._time = [value, 0]
                return
            self._add_time(value)
            self._skip(".")
        elif self._skip(".") and self._expects_time(value):
            self._time.append(value)
            if self._next.kind != "number":
                raise _Invalid
            self._end_time(_milliseconds(self._take()))
        elif self._zone.hour is not None and self._zone.minute is None and value < 60:
            self._zone.minute = value
        elif self._expects_time(value):
            self._end_time(value)
            following = self._next
            is_z = following.kind == "zone" and following.text == "z"
            if not (following.kind in ("end", "white") or is_z or following.sign):
                raise _Invalid
        else:
            if len(self._day) == 3:
                raise _Invalid
            self._day.append(value)
            self._skip("-")

    def _word(self, token: _Token, *, has_number: bool) -> None:
        if token.kind == "half" and self._time:
            self._half = token.value
        elif token.kind == "month":
            self._month = token.value
            self._skip("-")
        elif token.kind == "zone" and has_number:
            self._zone.set_hours(token.value)
        elif has_number or self._next.kind == "number":
            raise _Invalid

    def _offset(self, sign: int) -> None:
        self._zone.sign = sign
        found = self._take() if self._next.kind == "number" else _Token("number")
        if self._next.is_symbol(":"):
            self._zone.hour, self._zone.minute = found.value, None
        elif found.length in (1, 2):
            self._zone.hour, self._zone.minute = found.value, 0
        elif found.length in (3, 4):
            self._zone.hour, self._zone.minute = divmod(found.value, 100)
        else:
            raise _Invalid

    def _expects_time(self, value: int) -> bool:
        return (len(self._time) in (1, 2) and value < 60) or (len(self._time) == 3 and value < 1000)

    def _add_time(self, value: int) -> None:
        if len(self._time) == 4:
            raise _Invalid
        self._time.append(value)

    def _end_time(self, value: int) -> None:
        self._time = [*self._time, value, 0, 0, 0][:4]

    # ---- what it comes to

    def _write(self) -> Moment:
        year, month, day = self._date()
        hour, minute, second, ms = [*self._time, 0, 0, 0, 0][:4]
        if self._half is not None:
            if hour > 12:
                raise _Invalid
            hour = hour % 12 + self._half
        is_end_of_day = hour == 24 and minute == second == ms == 0
        if not is_end_of_day and (hour > 23 or minute > 59 or second > 59 or ms > 999):
            raise _Invalid
        zone = self._zone
        offset = 0 if zone.sign is None else zone.sign * ((zone.hour or 0) * 60 + (zone.minute or 0))
        return Moment(year, month, day, hour, minute, second, ms, offset)

    def _date(self) -> tuple[int, int, int]:
        if not self._day:
            raise _Invalid
        first, second, third = [*self._day, 1, 1][:3]
        if self._month is None:
            # V8 fills up with ones before it asks how many there were.
            year, month, day = (
                (first, second, third) if self._is_iso or not 1 <= first <= 31 else (third, first, second)
            )
        else:
            month = self._month
            day, year = (first, second) if 1 <= first <= 31 else (second, first)
        if not self._is_iso:
            year += 2000 if 0 <= year <= 49 else 1900 if 50 <= year <= 99 else 0
        if not (1 <= month <= 12 and 1 <= day <= 31):
            raise _Invalid
        return year, month, day


def _milliseconds(token: _Token) -> int:
    """Return a number after a point as thousandths, further digits cut off."""
    if token.length <= 3:
        return token.value * 10 ** (3 - token.length)
    return token.value // 10 ** (min(token.length, _SIGNIFICANT_DIGITS) - 3)
