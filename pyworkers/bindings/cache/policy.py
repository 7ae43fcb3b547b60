"""Which responses a shared cache stores, and for how long.

The rules are RFC 9111's as the local runtime's simulator applies them, down to how it reads ``Cache-Control``: names of
directives are matched as they are written, in lower case.

Source: recorded, contracts/cache, cache.cc.*; http-cache-semantics 4, which the simulator uses; RFC 9111
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pyworkers.js.dates import Date, parse_date

HEURISTIC_FRACTION: Final = 0.1  # of the time since Last-Modified, where nothing else says how long
IMMUTABLE_TTL_S: Final = 24 * 3600 * 1000  # the simulator's library takes its milliseconds for seconds

_UNDERSTOOD: Final = frozenset((200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501))
_CACHEABLE_BY_DEFAULT: Final = frozenset((200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501))
_HOP_BY_HOP: Final = frozenset(("connection", "date", "keep-alive", "proxy-authenticate", "proxy-authorization")).union(
    ("te", "trailer", "transfer-encoding", "upgrade")
)
_HEURISTIC_WARNING: Final = '113 - "rfc7234 5.5.4"'
_DAY_S: Final = 24 * 3600
_OF_A_MOMENT: Final = re.compile(r"\s*1[0-9][0-9]")
_INTEGER: Final = re.compile(r"\s*([+-]?\d+)")
_PRIVATE_COOKIE: Final = re.compile("private=set-cookie;?")

Directives = Mapping[str, str | bool]


@dataclass(frozen=True, slots=True)
class Storing:
    """What is stored of a response.

    Attributes:
        headers: what comes back, names in lower case.
        ttl_ms: for how long it is fresh; 0: it is stale at once.
    """

    headers: tuple[tuple[str, str], ...]
    ttl_ms: int


def judge(status: int, headers: Sequence[tuple[str, str]], *, is_authorized: bool, now_ms: int) -> Storing | None:
    """Decide about a response; None: it must not be stored, and what is stored under its key stays.

    Args:
        headers: the response's; names in lower case, every Set-Cookie apart.
        is_authorized: the request has an Authorization header.
        now_ms: milliseconds since the Unix epoch.
    """
    fields = dict(headers)
    control = fields.get("cache-control", "")
    if "private=set-cookie" in control.lower():
        fields["cache-control"] = _PRIVATE_COOKIE.sub("", control.lower())
        fields.pop("set-cookie", None)
    directives = _parse(fields.get("cache-control", ""))
    if not fields.get("cache-control") and "no-cache" in fields.get("pragma", ""):
        directives["no-cache"] = True
    if "set-cookie" in fields or not _is_storable(status, fields, directives, is_authorized=is_authorized):
        return None
    age_s = _number(fields.get("age"))
    max_age_s = _max_age_s(fields, directives, now_ms)
    ttl_s = max_age_s - age_s
    extra_s = max(_number(directives.get("stale-if-error")), _number(directives.get("stale-while-revalidate")), 0)
    ttl_ms = round(max(0.0, ttl_s, ttl_s + extra_s) * 1000)
    is_explicit = any((directives.get("s-maxage"), directives.get("max-age"), fields.get("expires")))
    is_guess = not is_explicit and age_s > _DAY_S and max_age_s > _DAY_S
    return Storing(_kept(fields, age_s, now_ms, is_guess=is_guess), ttl_ms)


def _is_storable(status: int, fields: Mapping[str, str], directives: Directives, *, is_authorized: bool) -> bool:
    if status not in _UNDERSTOOD or directives.get("no-store") or directives.get("private"):
        return False
    shared = directives.get("must-revalidate") or directives.get("public") or directives.get("s-maxage")
    if is_authorized and not shared:
        return False
    has_lifetime = any(directives.get(name) for name in ("public", "max-age", "s-maxage"))
    return has_lifetime or bool(fields.get("expires")) or status in _CACHEABLE_BY_DEFAULT


def _max_age_s(fields: Mapping[str, str], directives: Directives, now_ms: int) -> float:
    if directives.get("no-cache") or directives.get("proxy-revalidate") or fields.get("vary") == "*":
        return 0
    for name in ("s-maxage", "max-age"):
        if directives.get(name):
            return _number(directives[name])
    least_s = IMMUTABLE_TTL_S if directives.get("immutable") else 0
    date_ms = parse_date(fields.get("date", ""))
    if not math.isfinite(date_ms):
        date_ms = now_ms
    if fields.get("expires"):
        expires_ms = parse_date(fields["expires"])
        if math.isnan(expires_ms) or expires_ms < date_ms:
            return 0
        return max(least_s, (expires_ms - date_ms) / 1000)
    modified_ms = parse_date(fields.get("last-modified", ""))
    if math.isfinite(modified_ms) and date_ms > modified_ms:
        return max(least_s, (date_ms - modified_ms) / 1000 * HEURISTIC_FRACTION)
    return least_s


def _kept(fields: Mapping[str, str], age_s: float, now_ms: int, *, is_guess: bool) -> tuple[tuple[str, str], ...]:
    """Return the headers that come back: without those of one connection, with Age and Date.

    Args:
        is_guess: nothing in the response says for how long it is fresh, and that is for more than a day.
    """
    dropped = {name.strip() for name in fields.get("connection", "").split(",")} | _HOP_BY_HOP
    kept = {name: value.strip() for name, value in fields.items() if name not in dropped}
    if not kept.get("cache-control"):
        kept.pop("cache-control", None)  # nothing but what told of the cookie was in it
    # Warnings of the hundreds are about the moment when they were given.
    warnings = [one for one in kept.pop("warning", "").split(",") if one and not _OF_A_MOMENT.match(one)]
    if warnings or is_guess:
        kept["warning"] = ", ".join((",".join(warnings).strip(),) * bool(warnings) + (_HEURISTIC_WARNING,) * is_guess)
    kept["age"] = str(round(age_s))
    kept["date"] = Date(now_ms).toUTCString()
    return tuple(kept.items())


def _parse(control: str) -> dict[str, str | bool]:
    directives: dict[str, str | bool] = {}
    for part in control.split(","):
        name, has_value, value = part.partition("=")
        directives[name.strip()] = (
            value.partition("=")[0].strip().removeprefix('"').removesuffix('"') if has_value else True
        )
    return directives


def _number(value: str | bool | None) -> int:
    """JavaScript's ``parseInt``, with 0 for what is no number."""
    match = _INTEGER.match(value) if isinstance(value, str) else None
    return int(match[1]) if match else 0
