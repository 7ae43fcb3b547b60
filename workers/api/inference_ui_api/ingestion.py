"""Taking events in, whichever way they come: by POST /events or by a GraphQL mutation."""

from __future__ import annotations

import uuid
from typing import Any

from .call import Call, now_ms
from .event_store import store_events
from .events import read_batch


async def ingest(call: Call, body: Any) -> dict[str, Any]:
    """Store a body's events and return what became of each.

    `processed` counts those that are stored now, `duplicates` among them those that had been before; `errors` counts
    those that were refused, and `failures` names them. `success`, `count` and `failed` say the same to other clients.

    Raises:
        HttpError: see `read_batch`.
    """
    now = now_ms()
    batch = read_batch(body, now_ms=now, new_id=lambda: str(uuid.uuid4()))
    added = await store_events(call.env, call.tenant_id, batch.events, now_ms=now)
    return {
        "success": not batch.failures,
        "processed": len(batch.events),
        "errors": len(batch.failures),
        "duplicates": len(batch.events) - added,
        "count": len(batch.events),
        "failed": len(batch.failures),
        "failures": [failure.as_json() for failure in batch.failures],
        "timestamp": now,
    }
