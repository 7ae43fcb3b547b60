"""Taking events in, whichever way they come: by POST /events or by a GraphQL mutation."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from js import Object
from pyodide.ffi import to_js

from .call import Call, now_ms
from .event_store import store_events, write_points
from .events import Event, read_batch

# A queue's message has at most 128 kB; an id has at most 256 characters, of at most 4 bytes each.
MAX_IDS_A_MESSAGE: Final = 100
IDS_AT_ONCE: Final = 32
_RANDOM_BYTES: Final = 8  # of an id
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


async def ingest(call: Call, body: Any) -> dict[str, Any]:
    """Store a body's events and return what became of each.

    `processed` counts those that are stored now, `duplicates` among them those that had been before; `errors` counts
    those that were refused, and `failures` names them. `success`, `count` and `failed` say the same to other clients.

    Raises:
        HttpError: see `read_batch` and `store_events`.
    """
    now = now_ms()
    batch = read_batch(body, now_ms=now, new_id=_id_maker(now))
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


def _id_maker(now_ms: int) -> Callable[[], str]:
    """Return what makes ids of a time, in ascending order: UUIDs of version 7, with 62 random bits each.

    Rows whose ids begin alike lie together in the database: a post changes few of its pages, not one for each event.
    It asks the system for the random bytes of many ids at once.

    Source: RFC 9562, section 5.7; section 6.2, method 1
    """
    time = f"{now_ms & 0xFFFF_FFFF_FFFF:012x}"
    start = f"{time[:8]}-{time[8:]}-7"
    count = random.getrandbits(11)  # of 12 bits: there is room for as many ids as a post may have
    raw, at = "", 0

    def new_id() -> str:
        nonlocal raw, at, count
        if at == len(raw):
            raw, at = os.urandom(_RANDOM_BYTES * IDS_AT_ONCE).hex(), 0
        bits = raw[at : at + 2 * _RANDOM_BYTES]
        at += 2 * _RANDOM_BYTES
        count = (count + 1) & 0xFFF
        return f"{start}{count:03x}-{_VARIANT[bits[0]]}{bits[1:4]}-{bits[4:]}"

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
            message = {"tenantId": call.tenant_id, "ids": ids[start : start + MAX_IDS_A_MESSAGE]}
            # The SDK would look at each value several times before it does this itself.
            await queue.send(to_js(message, dict_converter=Object.fromEntries))
    except Exception as error:
        print(f"events: the queue was not told: {error}")
