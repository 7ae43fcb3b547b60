"""``env.LIMITER``: a rate limit, counted in this process.

Source: developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit; miniflare src/workers/ratelimit; recorded,
contracts/misc, misc.ratelimit.*
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from pyworkers.bindings.classes import PlainClass
from pyworkers.clock import Clock
from pyworkers.js.primitives import to_string, typeof
from pyworkers.js.promise import js_async
from pyworkers.js.values import JsException, JsObject, get_property, own_properties_of
from pyworkers.js.webidl import is_object

PERIODS_S: Final = (10, 60)
_OPTIONS: Final = ("key", "limit", "period")


class RateCounters:
    """The calls of one rate limit in the current window; workers that name the same namespace share it.

    Args:
        clock: what windows are cut from: they start at multiples of the period since the Unix epoch.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._window = 0
        self._calls: Counter[str] = Counter()

    def admit(self, key: str, *, limit: float, period_s: float) -> bool:
        """Count a call of a key, unless ``limit`` of them were counted in this window; tell whether it was."""
        window = int(self._clock.now_ms() // (period_s * 1000))
        if window != self._window:
            self._window = window
            self._calls.clear()
        if self._calls[key] >= limit:
            return False
        self._calls[key] += 1
        return True


class Ratelimit(PlainClass):
    """A rate limit.

    Args:
        counters: where calls are counted.
        limit: how many calls of a key are let through in a period.
        period_s: 10 or 60.
    """

    def __init__(self, counters: RateCounters, *, limit: int, period_s: int) -> None:
        self._counters = counters
        self._limit = limit
        self._period_s = period_s

    @js_async
    async def limit(self, options: Any = None) -> JsObject:
        """Count a call: ``{success}``.

        Args:
            options: ``key``: what is counted, the empty string by default.

        Raises:
            JsException: Error, for options that are wrong.
        """
        if not is_object(options):
            raise JsException("Error", "invalid rate limit options")
        unknown = [name for name in own_properties_of(options) if name not in _OPTIONS]
        if unknown:
            raise JsException("Error", f"bad rate limit options: [{','.join(unknown)}]")
        key = _option(options, "key", "")
        if not isinstance(key, str):
            raise JsException("Error", f"invalid key: {to_string(key)}")
        limit = _number(options, "limit", self._limit)
        period_s = _number(options, "period", self._period_s)
        if period_s not in PERIODS_S:
            raise JsException("Error", f"unsupported period: {to_string(period_s)}")
        return JsObject({"success": self._counters.admit(key, limit=limit, period_s=period_s)})


def _option(options: Any, name: str, default: Any) -> Any:
    value = get_property(options, name)
    return default if value is None else value


def _number(options: Any, name: str, default: int) -> Any:
    value = _option(options, name, default)
    if typeof(value) != "number":
        raise JsException("Error", f"{name} must be a number: {to_string(value)}")
    return value
