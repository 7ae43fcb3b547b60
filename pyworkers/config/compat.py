"""Which runtime behaviours a compatibility date and its flags turn on.

Source: observed, workerd 1.20261117.1 (messages and precedence); `pyworkers.config.compat_flags` holds the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Literal

from pyworkers.clock import Clock
from pyworkers.config.compat_flags import TABLE

_DATE = re.compile(r"2\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")

# The newest first: the first flag that is on decides. Source: python-workers releases inside workerd 1.20261117.1
_PYTHON_RELEASES = (
    ("python_workers_314", "314.0.6", "3.14"),
    ("python_workers_20260610", "314.0.4", "3.14"),
    ("python_workers_20250116", "0.28.2", "3.13"),
)
_FIRST_PYTHON_RELEASE = ("python_workers", "0.26.0a2", "3.12")


@dataclass(frozen=True, slots=True)
class Flag:
    """One behaviour of the runtime.

    Attributes:
        enable: the flag's name, by which `Compat.enabled` knows the behaviour.
        disable: the flag that turns it off, or None.
        default_from: ``yyyy-mm-dd`` from which it is on, ``always``, or None.
        implied_from: ``yyyy-mm-dd`` from which any of ``implied_by`` turns it on, or None.
    """

    enable: str
    disable: str | None
    default_from: str | None
    implied_from: str | None = None
    implied_by: tuple[str, ...] = ()

    def is_default(self, date: str) -> bool:
        """Return whether ``date`` alone turns the behaviour on."""
        return self.default_from == "always" or (self.default_from is not None and date >= self.default_from)


@dataclass(frozen=True, slots=True)
class Compat:
    """The behaviours that are on for one worker.

    Attributes:
        date: the compatibility date, ``yyyy-mm-dd``.
        flags: the enable names of all behaviours that are on.
    """

    date: str
    flags: frozenset[str]

    def enabled(self, flag: str) -> bool:
        """Return whether ``flag`` is in force; a disable name is when its behaviour is off.

        Raises:
            KeyError: no such flag, which is a mistake in the calling code.
        """
        known, polarity = flag_names()[flag]
        return (known.enable in self.flags) is polarity

    @property
    def pyodide_version(self) -> str:
        """Return the Pyodide release that production runs this worker on, such as ``0.28.2``."""
        return self._python_release()[1]

    @property
    def python_version(self) -> str:
        """Return the CPython release that production runs this worker on, such as ``3.13``."""
        return self._python_release()[2]

    def _python_release(self) -> tuple[str, str, str]:
        return next((row for row in _PYTHON_RELEASES if row[0] in self.flags), _FIRST_PYTHON_RELEASE)


@dataclass(frozen=True, slots=True)
class CompatProblem:
    """What is wrong with a date or a flag.

    Attributes:
        kind: ``redundant`` is only worth a warning, the others are errors.
        flag: the flag at fault, or None for the date.
        message: the runtime's own text.
        nearest: the most similar flag that exists, for ``unknown``.
    """

    kind: Literal["date", "unknown", "repeated", "contradiction", "redundant"]
    flag: str | None
    message: str
    nearest: str | None = None


@cache
def known_flags() -> tuple[Flag, ...]:
    """Return every behaviour, in the order in which the runtime added them."""
    return tuple(_parse_row(row) for row in TABLE.split("\n") if row)


@cache
def flag_names() -> Mapping[str, tuple[Flag, bool]]:
    """Return every name a configuration may list: its behaviour, and whether the name turns that on."""
    names = {flag.enable: (flag, True) for flag in known_flags()}
    names.update({flag.disable: (flag, False) for flag in known_flags() if flag.disable is not None})
    return MappingProxyType(names)


@lru_cache(maxsize=256)
def resolve_compat(date: str, flags: tuple[str, ...] = ()) -> Compat:
    """Return what ``date`` and ``flags`` turn on; names that nobody knows are left out.

    An explicit flag wins over the date, and a disable flag over being implied by another flag.
    """
    listed = frozenset(flags)
    enabled = {flag.enable for flag in known_flags() if _is_set(flag, date, listed)}
    grown = True
    while grown:
        implied = {flag.enable for flag in known_flags() if _is_implied(flag, date, listed, enabled)}
        grown = not implied <= enabled
        enabled |= implied
    return Compat(date, frozenset(enabled))


def check_compat(date: str, flags: Sequence[str], *, clock: Clock) -> list[CompatProblem]:
    """Return what the runtime would say against a date and flags, errors and warnings.

    Args:
        date: as in the file, ``yyyy-mm-dd`` if it is right.
        clock: tells today's date, in UTC.
    """
    return [*_check_date(date, today(clock)), *_check_flags(date, flags)]


def today(clock: Clock) -> str:
    """Return the current date in UTC as ``yyyy-mm-dd``."""
    return datetime.fromtimestamp(clock.now_s(), UTC).date().isoformat()


def _parse_row(row: str) -> Flag:
    enable, disable, default_from, *implied = row.split(" ")
    since, _, names = implied[0].partition(":") if implied else ("", "", "")
    return Flag(
        enable=enable,
        disable=None if disable == "-" else disable,
        default_from=None if default_from == "-" else default_from,
        implied_from=since or None,
        implied_by=tuple(names.split(",")) if names else (),
    )


def _is_set(flag: Flag, date: str, listed: frozenset[str]) -> bool:
    return flag.enable in listed or (flag.is_default(date) and flag.disable not in listed)


def _is_implied(flag: Flag, date: str, listed: frozenset[str], enabled: Iterable[str]) -> bool:
    if flag.implied_from is None or date < flag.implied_from or flag.disable in listed:
        return False
    return not set(flag.implied_by).isdisjoint(enabled)


def _check_date(date: str, now: str) -> list[CompatProblem]:
    if _DATE.fullmatch(date) is None:
        return [CompatProblem("date", None, f"Invalid compatibility date: {date}")]
    if date > now:
        text = f'Can\'t set compatibility date in the future: "{date}". Today\'s date (UTC) is "{now}".'
        return [CompatProblem("date", None, text)]
    return []


def _check_flags(date: str, flags: Sequence[str]) -> list[CompatProblem]:
    problems = []
    for index, name in enumerate(flags):
        if name in flags[:index]:
            text = f"Compatibility flag specified multiple times: {name}"
            problems.append(CompatProblem("repeated", name, text))
        elif name not in flag_names():
            near = get_close_matches(name, flag_names(), n=1)
            text = f"No such compatibility flag: {name}"
            problems.append(CompatProblem("unknown", name, text, near[0] if near else None))
        else:
            problems += _check_known_flag(name, date, flags)
    return problems


def _check_known_flag(name: str, date: str, flags: Sequence[str]) -> list[CompatProblem]:
    flag, enables = flag_names()[name]
    if not enables:
        return []
    if flag.disable in flags:
        text = f"Compatibility flags are mutually contradictory: {flag.enable} vs {flag.disable}"
        return [CompatProblem("contradiction", name, text)]
    if not flag.is_default(date):
        return []
    since = "is the default," if flag.default_from == "always" else f"became the default as of {flag.default_from}"
    text = f"The compatibility flag {name} {since} so does not need to be specified anymore."
    return [CompatProblem("redundant", name, text)]
