"""Events in D1 and in Analytics Engine. Every statement is of one tenant."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from .events import Event
from .migrations import ensure_schema

# D1 takes 2 MB a bound value and 100 variables a statement: many events travel as one JSON array.
MAX_VALUE_BYTES = 1_000_000
MAX_POINTS = 25  # Analytics Engine takes few data points a request; the rest is in D1

_INSERT = """INSERT INTO events (tenant_id, id, event, component, properties, metadata, user_id, session_id,
  timestamp_ms, created_at_ms)
SELECT ?1, value ->> 'id', value ->> 'event', value ->> 'component', value -> 'properties', value -> 'metadata',
  value ->> 'userId', value ->> 'sessionId', value ->> 'timestamp', ?2
FROM json_each(?3)
WHERE true ON CONFLICT (tenant_id, id) DO NOTHING"""


async def store_events(env: Any, tenant_id: str, events: Sequence[Event], *, now_ms: int) -> int:
    """Store events in one transaction; returns how many were new. An id that the tenant has used is kept as it was."""
    if not events:
        return 0
    await ensure_schema(env.DB)
    insert = env.DB.prepare(_INSERT)
    statements = [insert.bind(tenant_id, now_ms, values) for values in _json_arrays(events)]
    results = await env.DB.batch(statements)
    added = sum(int(result["meta"]["changes"]) for result in results)
    try:
        _write_points(env.ANALYTICS, tenant_id, events)
    except Exception as error:
        print(f"events: the data points were not written: {error}")  # for the worker's log; the events are stored
    return added


def _json_arrays(events: Sequence[Event]) -> Iterator[str]:
    """Yield JSON arrays of the events, none longer than a bound value may be."""
    array: list[str] = []
    size = 0
    for event in events:
        text = json.dumps(_row(event), ensure_ascii=False, separators=(",", ":"))
        length = len(text.encode()) + 1
        if array and size + length > MAX_VALUE_BYTES:
            yield f"[{','.join(array)}]"
            array, size = [], 0
        array.append(text)
        size += length
    yield f"[{','.join(array)}]"


def _row(event: Event) -> dict[str, Any]:
    row = {
        "id": event.id,
        "event": event.event,
        "component": event.component,
        "properties": event.properties,
        "userId": event.user_id,
        "sessionId": event.session_id,
        "timestamp": event.timestamp_ms,
    }
    return row if event.metadata is None else {**row, "metadata": event.metadata}


def _write_points(analytics: Any, tenant_id: str, events: Sequence[Event]) -> None:
    """index: tenant; blobs: kind, event, component; doubles: count. One point for each event name and component."""
    counts = Counter((event.event, event.component or "") for event in events)
    for (name, component), count in counts.most_common(MAX_POINTS):
        analytics.writeDataPoint({"indexes": [tenant_id[:96]], "blobs": ["event", name, component], "doubles": [count]})
