"""The bindings under ``unsafe``: rate limits were declared there before `ratelimits` was a key, and still work.

Source: cloudflare/workers-sdk, packages/wrangler/src/dev/miniflare/index.ts, `unsafe_ratelimit`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pyworkers.config.reader import Reader
from pyworkers.config.tables import RateLimit
from pyworkers.config.values import Values

_Tables = cast(type, tuple[Mapping[str, object], ...])


def unsafe_rate_limits(reader: Reader, values: Values) -> tuple[RateLimit, ...]:
    """Return the rate limits among the unsafe bindings; one without ``namespace_id`` counts under its own name.

    Raises:
        ConfigError: a binding has no name or type, or a rate limit no limit and period.
    """
    unsafe = values.found.get("unsafe", {})
    place = values.path("unsafe", "bindings")
    tables = cast(tuple[Mapping[str, object], ...], reader.read(_Tables, unsafe.get("bindings", []), place))
    limits = []
    for index, table in enumerate(tables):
        for key in ("name", "type"):
            reader.require_string(table, key, (*place, index))
        if table["type"] == "ratelimit":
            limits.append(_rate_limit(reader, table, (*place, index)))
    if limits and len(limits) == len(tables) and set(unsafe) == {"bindings"}:
        reader.no_effect = [entry for entry in reader.no_effect if entry.key != "unsafe"]
    return tuple(limits)


def _rate_limit(reader: Reader, table: Mapping[str, object], place: tuple[str | int, ...]) -> RateLimit:
    known = {name: table[name] for name in ("name", "namespace_id", "simple") if name in table}
    return reader.read(RateLimit, {"namespace_id": table["name"], **known}, place)
