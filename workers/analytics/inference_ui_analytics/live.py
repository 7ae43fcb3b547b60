"""The live view: what happens now, as server-sent events."""

from __future__ import annotations

import asyncio
import json
import traceback
from typing import Any, Final

import js
from pyodide.ffi import create_proxy, to_js

from workers import Response

from .actors import ACTOR
from .arguments import Arguments
from .tenancy import TenantData

HEADERS: Final = {"content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no"}
RETRY_MS: Final = 2000  # after which a browser connects again
MINUTE_MS: Final = 60_000
MAX_RECENT: Final = 20
_COUNT: Final = f"""SELECT count(*) AS events, count(DISTINCT session_id) AS activeSessions,
  count(DISTINCT {ACTOR}) AS activeUsers, count(nullif(timestamp_ms > ?4, 0)) AS eventsLastMinute,
  count(nullif(event = 'error', 0)) AS errors
FROM events WHERE tenant_id = ?1 AND timestamp_ms BETWEEN ?2 AND ?3"""
_TOP: Final = """SELECT event, count(*) AS count FROM events WHERE tenant_id = ?1 AND timestamp_ms BETWEEN ?2 AND ?3
GROUP BY event ORDER BY count DESC, event LIMIT 5"""
_RECENT: Final = f"""SELECT id, event, component, user_id AS userId, session_id AS sessionId,
  timestamp_ms AS timestamp FROM events WHERE tenant_id = ?1 AND timestamp_ms BETWEEN ?2 AND ?3
ORDER BY timestamp_ms DESC, id LIMIT {MAX_RECENT}"""
_CONVERSIONS: Final = """SELECT count(*) AS conversions, total(value) AS value FROM conversions
WHERE tenant_id = ?1 AND timestamp_ms BETWEEN ?2 AND ?3"""


async def live_metrics(data: TenantData, arguments: Arguments, *, now_ms: int) -> dict[str, Any]:
    """Return what happened in the last `windowMinutes` (5), never from the cache."""
    minutes = arguments.integer("windowMinutes", 5, lowest=1, highest=1440)
    span = (now_ms - minutes * MINUTE_MS, now_ms)
    results = await data.transaction(
        [(_COUNT, (*span, now_ms - MINUTE_MS)), (_TOP, span), (_RECENT, span), (_CONVERSIONS, span)]
    )
    [counts], top, recent, [conversions] = (rows for rows, _ in results)
    return {
        "timestamp": now_ms,
        "windowMinutes": minutes,
        **counts,
        "conversions": conversions["conversions"],
        "conversionValue": conversions["value"],
        "topEvents": top,
        "recentEvents": recent,
    }


class LiveStream:
    """Snapshots of `live_metrics`, one as soon as the stream is read, then one every ``interval_s``.

    The body is pulled: who does not read costs nothing, and who leaves ends it.
    """

    def __init__(self, data: TenantData, arguments: Arguments, *, interval_s: float) -> None:
        self._data = data
        self._arguments = arguments
        self._interval_s = interval_s
        self._has_begun = False
        self._is_over = False
        self._proxies: list[Any] = []

    async def start(self) -> Response:
        """Return the response, after a first snapshot: what is wrong with the arguments is an HTTP error.

        Raises:
            BadArgument: see `live_metrics`.
        """
        first = f"retry: {RETRY_MS}\n{await self._frame()}"
        pull, cancel, begin = create_proxy(self._pull), create_proxy(self._cancel), create_proxy(self._begin(first))
        self._proxies = [pull, cancel, begin]
        return Response(js.ReadableStream.new(start=begin, pull=pull, cancel=cancel), headers=HEADERS)

    def _begin(self, first: str) -> Any:
        def begin(controller: Any) -> None:
            controller.enqueue(to_js(first.encode()))

        return begin

    async def _pull(self, controller: Any) -> None:
        await asyncio.sleep(self._interval_s)
        if self._is_over:
            return
        try:
            frame = await self._frame()
        except Exception:
            traceback.print_exc()  # for the worker's log; the browser connects again
            frame = 'event: error\ndata: {"error":"Internal server error"}\n\n'
        if not self._is_over:
            controller.enqueue(to_js(frame.encode()))

    def _cancel(self, *_reason: object) -> None:
        self._is_over = True
        for proxy in self._proxies:
            proxy.destroy()
        self._proxies = []

    async def _frame(self) -> str:
        now_ms = int(js.Date.now())
        snapshot = await live_metrics(self._data, self._arguments, now_ms=now_ms)
        text = json.dumps(snapshot, ensure_ascii=False, separators=(",", ":"))
        return f"id: {now_ms}\nevent: snapshot\ndata: {text}\n\n"
