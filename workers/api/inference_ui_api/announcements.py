"""What others are told of stored events: the events worker, which there are to enrich; Analytics Engine, how many.

Posts come many at a time, so their news goes out together, a moment later and after their answers: one message of the
queue and one data point for what would have been many. The events are stored by then. Where their news is lost (there
is no queue, it fails, the isolate ends), the events worker's cron finds them by `enriched_at_ms`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from js import Object
from pyodide.ffi import to_js

from .call import Call, now_ms
from .events import Event

AFTER_S: Final = 0.05
# News that has waited so long was forgotten: the request that was to send it has been stopped.
LATE_MS: Final = 5000
# A queue's message has at most 128 kB; an id has at most 256 characters, of at most 4 bytes each.
MAX_IDS_A_MESSAGE: Final = 100
MAX_POINTS: Final = 25  # Analytics Engine takes few data points a request; the rest is in D1


class News:
    """What an isolate has stored and nobody was told of yet."""

    def __init__(self) -> None:
        self._ids: dict[str, list[str]] = {}
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._late_ms = 0

    def add(self, call: Call, events: Sequence[Event]) -> None:
        """Note the events of one request, which goes on after its answer to tell of them where no other does."""
        tenant_id, now = call.tenant_id, now_ms()
        is_waiting = bool(self._ids) and now < self._late_ms
        self._ids.setdefault(tenant_id, []).extend([event.id for event in events])
        self._counts.update([(tenant_id, event.event, event.component or "") for event in events])
        if not is_waiting:
            self._late_ms = now + LATE_MS
            call.ctx.waitUntil(self._tell(call.env))

    async def _tell(self, env: Any) -> None:
        await asyncio.sleep(AFTER_S)
        ids, counts = self._ids, self._counts
        self._ids, self._counts = {}, Counter()
        try:
            _write_points(env.ANALYTICS, counts)
        except Exception as error:
            print(f"events: the data points were not written: {error}")  # for the worker's log
        queue = getattr(env, "EVENT_QUEUE", None)
        if queue is None:
            return
        try:
            for message in _messages(ids):
                # The SDK would look at each value several times before it does this itself.
                await queue.send(to_js(message, dict_converter=Object.fromEntries))
        except Exception as error:
            print(f"events: the queue was not told: {error}")


def _write_points(analytics: Any, counts: Counter[tuple[str, str, str]]) -> None:
    """Write data points, one for each tenant, event name and component.

    index: tenant; blobs: kind, event, component; doubles: count.
    """
    for (tenant_id, name, component), count in counts.most_common(MAX_POINTS):
        point = {"indexes": [tenant_id[:96]], "blobs": ["event", name, component], "doubles": [count]}
        analytics.writeDataPoint(to_js(point, dict_converter=Object.fromEntries))


def _messages(ids: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    """Yield `{"tenantId", "ids"}`, each no longer than a message may be."""
    for tenant_id, of_tenant in ids.items():
        for start in range(0, len(of_tenant), MAX_IDS_A_MESSAGE):
            yield {"tenantId": tenant_id, "ids": of_tenant[start : start + MAX_IDS_A_MESSAGE]}


NEWS: Final = News()
