"""Events on their way in: checked, put into the queue, taken out of it, stored and enriched.

A message of the queue is `{"tenantId", "events", "limit"}`, events to store, or `{"tenantId", "ids"}`, events that are
stored already and want to be enriched; the API worker sends the second kind.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .enrichment import enrich
from .events import Batch, Event, read_batch
from .failures import BadArgument
from .store import UNLIMITED, store_events
from .tenancy import TenantData, check_tenant
from .web import HttpError

MAX_MESSAGE_BYTES: Final = 100_000  # a queue takes 128,000
MAX_IDS: Final = 1000


class BadMessage(Exception):
    """A message that no retry would make better."""


def read_events(body: Any, *, now_ms: int) -> Batch:
    """Return the events of a body, in any of the shapes that `POST /events` takes.

    Raises:
        BadArgument: it is none of them.
    """
    try:
        return read_batch(body, now_ms=now_ms, new_id=lambda: str(uuid.uuid4()))
    except HttpError as error:
        raise BadArgument(error.field or "events", error.message) from None


def read_limit(given: Mapping[str, Any]) -> int:
    """Return `limit`, the events that the tenant may store in a month; -1, unlimited, where there is none."""
    limit = given.get("limit")
    if limit is None:
        return UNLIMITED
    if isinstance(limit, bool) or not isinstance(limit, int | float) or limit != int(limit) or limit < UNLIMITED:
        raise BadArgument("limit", "must be a whole number, -1 for no limit")
    return int(limit)


async def enqueue(queue: Any, tenant_id: str, events: Sequence[Event], *, limit: int) -> None:
    """Put events into the queue, in messages that it takes; they are durable on return."""
    for chunk in _chunks([event_json(event) for event in events]):
        await queue.send({"tenantId": tenant_id, "events": chunk, "limit": limit})


@dataclass(frozen=True, slots=True)
class Announcement:
    """Events that are stored already and want to be enriched."""

    tenant_id: str
    ids: list[str]


def read_announcement(body: Any) -> Announcement | None:
    """Return what a message of ids says; None where it is another message, or a bad one (see `take_message`)."""
    if not isinstance(body, Mapping) or "events" in body:
        return None
    try:
        return Announcement(check_tenant(body.get("tenantId")), _ids(body))
    except (BadArgument, BadMessage):
        return None


async def take_message(env: Any, body: Any, *, now_ms: int) -> None:
    """Do what a message of the queue asks for. Doing it twice changes nothing.

    Raises:
        BadMessage: it asks for nothing that could be done.
        Exception: it could not be done now.
    """
    if not isinstance(body, Mapping):
        raise BadMessage("the message must be an object")
    try:
        data = TenantData(env, body.get("tenantId"))
        ids = _ids(body)
        if "events" in body:
            batch = read_events({"events": body["events"]}, now_ms=now_ms)
            if batch.failures:
                raise BadMessage(f"events[{batch.failures[0].index}]: {batch.failures[0].message}")
            await store_events(data, batch.events, limit=read_limit(body), now_ms=now_ms)
            ids = [event.id for event in batch.events]
    except BadArgument as error:
        raise BadMessage(str(error)) from None
    await enrich(env, data, ids, now_ms=now_ms)


def event_json(event: Event) -> dict[str, Any]:
    """Return an event as `read_events` takes it; without what it does not have."""
    given = {
        "id": event.id,
        "event": event.event,
        "component": event.component,
        "properties": dict(event.properties),
        "metadata": event.metadata and dict(event.metadata),
        "userId": event.user_id,
        "sessionId": event.session_id,
        "timestamp": event.timestamp_ms,
    }
    return {name: value for name, value in given.items() if value is not None}


def _ids(body: Mapping[str, Any]) -> list[str]:
    ids = body.get("ids", [])
    if "ids" not in body and "events" not in body:
        raise BadMessage("the message must have events or ids")
    if not isinstance(ids, list) or len(ids) > MAX_IDS or not all(isinstance(each, str) for each in ids):
        raise BadMessage(f"ids must be a list of at most {MAX_IDS} strings")
    return ids


def _chunks(events: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    size = 0
    for event in events:
        length = len(json.dumps(event, ensure_ascii=False).encode())
        if chunk and size + length > MAX_MESSAGE_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(event)
        size += length
    if chunk:
        yield chunk
