"""Taking events in, whichever way they come: by POST /events or by a GraphQL mutation."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any, Final

from .announcements import NEWS
from .call import Call, now_ms
from .event_store import store_events
from .events import read_batch

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
