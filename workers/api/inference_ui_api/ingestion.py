"""Taking events in, whichever way they come: by POST /events or by a GraphQL mutation."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

from .call import Call, now_ms
from .event_store import store_events, write_points
from .events import Event, read_batch

# A queue's message has at most 128 kB; an id has at most 256 characters, of at most 4 bytes each.
MAX_IDS_A_MESSAGE: Final = 100
IDS_AT_ONCE: Final = 32


async def ingest(call: Call, body: Any) -> dict[str, Any]:
    """Store a body's events and return what became of each.

    `processed` counts those that are stored now, `duplicates` among them those that had been before; `errors` counts
    those that were refused, and `failures` names them. `success`, `count` and `failed` say the same to other clients.

    Raises:
        HttpError: see `read_batch` and `store_events`.
    """
    now = now_ms()
    batch = read_batch(body, now_ms=now, new_id=_id_maker())
    limit = call.identity.tier.events_per_month
    stored = await store_events(call.data, batch.events, limit=limit, now_ms=now)
    if stored.added:
        _write_points(call, batch.events)
        await _announce(call, batch.events)
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


def _id_maker() -> Callable[[], str]:
    """Return what makes random ids; it asks the system for the bytes of many at once."""
    raw = b""

    def new_id() -> str:
        nonlocal raw
        if not raw:
            raw = os.urandom(16 * IDS_AT_ONCE)
        taken, raw = raw[:16], raw[16:]
        return str(uuid.UUID(bytes=taken, version=4))

    return new_id


def _write_points(call: Call, events: Sequence[Event]) -> None:
    try:
        write_points(call.env.ANALYTICS, call.tenant_id, events)
    except Exception as error:
        print(f"events: the data points were not written: {error}")  # for the worker's log; the events are stored


async def _announce(call: Call, events: Sequence[Event]) -> None:
    """Tell the events worker, by its queue, which events there are to enrich: `{"tenantId", "ids"}`.

    The events are stored already; where there is no queue, or it fails, its cron finds them by `enriched_at_ms`.
    """
    queue = getattr(call.env, "EVENT_QUEUE", None)
    if queue is None:
        return
    ids = [event.id for event in events]
    try:
        for start in range(0, len(ids), MAX_IDS_A_MESSAGE):
            await queue.send({"tenantId": call.tenant_id, "ids": ids[start : start + MAX_IDS_A_MESSAGE]})
    except Exception as error:
        print(f"events: the queue was not told: {error}")
