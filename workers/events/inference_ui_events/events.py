"""Events as clients send them, made into the one shape that is stored.

Three bodies are accepted: one event, an array of events, and `{"events": [...]}` with common `metadata` and
`sessionId`. An event's name is `event` or `type`, its data `properties` or `data`; its component may lie in the data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from .web import HttpError

MAX_EVENTS = 1000
MAX_NAME_CHARACTERS = 256
MAX_ID_CHARACTERS = 256
MAX_PROPERTIES_BYTES = 65_536
MAX_COMMON_METADATA_BYTES = 4096  # it is stored with each event: a body must not become many times its size
# Of JSON, a character takes at most 6 bytes, and a number of these at most 25.
FEW_MEMBERS, FEW_CHARACTERS = 64, 8192
# The end of the year 9999, which the calendars of SQLite and Python end with: every event has a day.
MAX_TIMESTAMP_MS = 253_402_300_799_999

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")


class Event(NamedTuple):
    """One event, checked. A tuple, because a body has up to a thousand: it is made in a quarter of the time.

    Attributes:
        metadata: what the sender said about the event, beside its properties; None where it said nothing.
    """

    id: str
    event: str
    component: str | None
    properties: Mapping[str, Any]
    metadata: Mapping[str, Any] | None
    user_id: str | None
    session_id: str
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Failure:
    """An event that was not accepted.

    Attributes:
        index: its place in the body, from 0.
        id: as it was sent, or None.
    """

    index: int
    id: str | None
    field: str
    message: str

    def as_json(self) -> dict[str, Any]:
        """Return it as the answer says it."""
        return {"index": self.index, "id": self.id, "field": self.field, "message": self.message}


@dataclass(slots=True)
class Batch:
    """One body's events: those to store and those that are wrong."""

    events: list[Event] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


class _WrongField(Exception):
    def __init__(self, name: str, problem: str) -> None:
        super().__init__(problem)
        self.name = name
        self.problem = problem


def read_batch(body: Any, *, now_ms: int, new_id: Callable[[], str]) -> Batch:
    """Read a body.

    Args:
        now_ms: the time of events that do not say theirs.
        new_id: makes ids, for events and for the session of events that have none.

    Raises:
        HttpError: 400 the body is none of the three shapes, 413 it holds more than MAX_EVENTS.
    """
    items, common = _items(body)
    if len(items) > MAX_EVENTS:
        raise HttpError(413, f"Too many events: {len(items)}, at most {MAX_EVENTS} in one request", field="events")
    batch = Batch()
    metadata = _common_metadata(common)
    default_session = new_id() if items else ""
    for index, item in enumerate(items):
        try:
            batch.events.append(_event(item, common, metadata, default_session, now_ms, new_id))
        except _WrongField as wrong:
            batch.failures.append(Failure(index, _sent_id(item), wrong.name, f"{wrong.name} {wrong.problem}"))
    return batch


def _items(body: Any) -> tuple[list[Any], Mapping[str, Any]]:
    if isinstance(body, list):
        return body, {}
    if not isinstance(body, dict):
        raise HttpError(400, "Invalid request: body must be an event or an array of events", field="body")
    if "events" not in body:
        return [body], {}
    if not isinstance(body["events"], list):
        raise HttpError(400, "Invalid request: events must be an array", field="events")
    return body["events"], body


def _common_metadata(common: Mapping[str, Any]) -> Mapping[str, Any] | _WrongField | None:
    """Return the body's own metadata, or what is wrong with it, which is then wrong with each event."""
    try:
        return _object(common, "metadata", MAX_COMMON_METADATA_BYTES) if common else None
    except _WrongField as wrong:
        return wrong


def _event(
    item: Any,
    common: Mapping[str, Any],
    common_metadata: Mapping[str, Any] | _WrongField | None,
    default_session: str,
    now_ms: int,
    new_id: Callable[[], str],
) -> Event:
    if not isinstance(item, dict):
        raise _WrongField("event", "must be an object")
    name = _name(item)
    properties = _first_object(item, ("properties", "data"))
    if isinstance(common_metadata, _WrongField):
        raise _WrongField(common_metadata.name, common_metadata.problem)
    own_metadata = _object(item, "metadata")
    metadata = {**(common_metadata or {}), **(own_metadata or {})} if common_metadata or own_metadata else None
    component = _text(item, "component", MAX_NAME_CHARACTERS)
    if component is None and isinstance(properties.get("component"), str):
        component = properties["component"][:MAX_NAME_CHARACTERS]
    session = _identity(item, "sessionId") or (_identity(common, "sessionId") if common else None) or default_session
    return Event(
        _identity(item, "id") or new_id(),
        name,
        component,
        properties,
        metadata,
        _identity(item, "userId") or (_identity(common, "userId") if common else None),
        session,
        _timestamp_ms(item.get("timestamp"), now_ms),
    )


def _name(item: Mapping[str, Any]) -> str:
    name = item.get("event")
    if type(name) is str and 0 < len(name) <= MAX_NAME_CHARACTERS:
        return name
    key = "type" if name in (None, "") and item.get("type") is not None else "event"
    value = item.get(key)
    if value is None or value == "":
        raise _WrongField(key, "is required")
    if not isinstance(value, str) or len(value) > MAX_NAME_CHARACTERS:
        raise _WrongField(key, f"must be a string of at most {MAX_NAME_CHARACTERS} characters")
    return value


def _text(item: Mapping[str, Any], name: str, max_characters: int) -> str | None:
    return _checked_text(item.get(name), name, max_characters)


def _checked_text(value: Any, name: str, max_characters: int) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > max_characters:
        raise _WrongField(name, f"must be a string of at most {max_characters} characters")
    return value


def _identity(item: Mapping[str, Any], name: str) -> str | None:
    """Return an id; whole numbers are taken as their digits."""
    value = item.get(name)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return _checked_text(value, name, MAX_ID_CHARACTERS)


def _first_object(item: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any]:
    for name in names:
        value = _object(item, name)
        if value is not None:
            return value
    return {}


def _object(item: Mapping[str, Any], name: str, max_bytes: int = MAX_PROPERTIES_BYTES) -> Mapping[str, Any] | None:
    value = item.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _WrongField(name, "must be an object")
    is_far = max_bytes == MAX_PROPERTIES_BYTES and _is_small(value)
    if not is_far and len(json.dumps(value, ensure_ascii=False).encode()) > max_bytes:
        raise _WrongField(name, f"must be at most {max_bytes} bytes of JSON")
    return value


def _is_small(value: Mapping[str, Any]) -> bool:
    """Tell whether an object is far from its limit, as nearly all are, which costs less than to write it as JSON."""
    if len(value) > FEW_MEMBERS:
        return False
    characters = 0
    for name, member in value.items():
        if type(member) is str:
            characters += len(member)
        elif type(member) is int:
            if not -MAX_TIMESTAMP_MS < member < MAX_TIMESTAMP_MS:
                return False
        elif not (type(member) is float or type(member) is bool or member is None):
            return False
        characters += len(name)
    return characters <= FEW_CHARACTERS


def _timestamp_ms(value: Any, now_ms: int) -> int:
    """Return a time: milliseconds since the epoch, or ISO 8601, UTC where it names no zone."""
    if value is None:
        return now_ms
    if isinstance(value, str) and _ISO.fullmatch(value):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise _WrongField("timestamp", "must be milliseconds since the epoch or an ISO 8601 time") from None
        value = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= MAX_TIMESTAMP_MS:
        raise _WrongField("timestamp", "must be milliseconds since the epoch or an ISO 8601 time")
    time_ms: int = round(value)
    return time_ms


def _sent_id(item: Any) -> str | None:
    value = item.get("id") if isinstance(item, dict) else None
    return value[:MAX_ID_CHARACTERS] if isinstance(value, str) else None
