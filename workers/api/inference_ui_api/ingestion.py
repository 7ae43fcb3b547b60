"""Taking events in, whichever way they come: by POST /events or by a GraphQL mutation."""

from __future__ import annotations

from typing import Any

from .announcements import NEWS
from .call import Call, now_ms
from .event_store import store_events
from .events import read_batch
from .ids import id_maker


async def ingest(call: Call, body: Any) -> dict[str, Any]:
    """Store a body's events and return what became of each.

    `processed` counts those that are stored now, `duplicates` among them those that had been before; `errors` counts
    those that were refused, and `failures` names them. `success`, `count` and `failed` say the same to other clients.

    Raises:
        HttpError: see `read_batch` and `store_events`.
    """
    now = now_ms()
    batch = read_batch(body, now_ms=now, new_id=id_maker(now))
    limit = call.identity.tier.events_per_month
    stored = await store_events(call.data, batch.events, limit=limit, now_ms=now)
    if stored.added:
        NEWS.add(call, batch.events)
    return {
        "success": not batch.failures,
        "processed": len(batch.events),
        "errors": len(batch.failures),
        "duplicates": len(batch.events) - stored.added,
        "count": len(batch.events),
        "failed": len(batch.failures),
        "failures": [failure.as_json() for failure in batch.failures],
        "timestamp": now,
    }
