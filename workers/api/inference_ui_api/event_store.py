"""Events in D1."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .events import Event
from .ids import new_id
from .quotas import month, quota_exceeded
from .tenancy import Statement, TenantData

# D1 takes 2 MB a bound value and 100 variables a statement: many events travel as one JSON array.
MAX_VALUE_BYTES: Final = 1_000_000
FEW_ROWS: Final = 100  # are written as JSON at once

# Counts the events that are new, where they fit into the month. The row then bears this request's grant, which is the
# condition of the statements after it; they are of one transaction.
_RESERVE: Final = """INSERT INTO usage (tenant_id, month, events_count, grant_id, updated_at_ms)
SELECT ?1, ?2, new.n, ?3, ?4
FROM (SELECT count(*) AS n FROM json_each(?5) AS sent
  WHERE NOT EXISTS (SELECT 1 FROM events WHERE tenant_id = ?1 AND id = sent.value)) AS new
WHERE ?6 < 0 OR new.n <= ?6
ON CONFLICT (tenant_id, month) DO UPDATE SET
  events_count = events_count + excluded.events_count, grant_id = excluded.grant_id,
  updated_at_ms = excluded.updated_at_ms
WHERE ?6 < 0 OR events_count + excluded.events_count <= ?6"""
_READ: Final = "SELECT events_count AS current FROM usage WHERE tenant_id = ?1 AND month = ?2"
_GRANTED: Final = "EXISTS (SELECT 1 FROM usage WHERE tenant_id = ?1 AND month = ?2 AND grant_id = ?3)"

# A row is an array, not an object: it is shorter, and read in less time.
_INSERT: Final = f"""INSERT INTO events (tenant_id, id, event, component, properties, user_id, session_id, timestamp_ms,
  metadata, created_at_ms)
SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value -> 3, value ->> 4, value ->> 5, value ->> 6, value -> 7, ?4
FROM json_each(?5)
WHERE {_GRANTED} ON CONFLICT (tenant_id, id) DO NOTHING"""  # noqa: S608  # of constants

# A session lasts from its first event to its last; its step is that of the latest event that names one.
_SESSIONS: Final = f"""INSERT INTO sessions (tenant_id, id, user_id, flow_id, started_at_ms, ended_at_ms, completed,
  current_step, step_at_ms)
SELECT ?1, value ->> 'id', value ->> 'userId', value ->> 'flow', value ->> 'startedAt', value ->> 'endedAt',
  value ->> 'completed', value ->> 'step', value ->> 'stepAt'
FROM json_each(?4)
WHERE {_GRANTED} ON CONFLICT (tenant_id, id) DO UPDATE SET
  user_id = coalesce(user_id, excluded.user_id),
  flow_id = coalesce(flow_id, excluded.flow_id),
  started_at_ms = min(started_at_ms, excluded.started_at_ms),
  ended_at_ms = max(ended_at_ms, excluded.ended_at_ms),
  completed = max(completed, excluded.completed),
  current_step = iif(excluded.step_at_ms >= coalesce(step_at_ms, 0), excluded.current_step, current_step),
  step_at_ms = max(coalesce(step_at_ms, excluded.step_at_ms), coalesce(excluded.step_at_ms, step_at_ms))"""  # noqa: S608

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a request's events.

    Attributes:
        added: how many were new.
    """

    added: int


async def store_events(data: TenantData, events: Sequence[Event], *, limit: int, now_ms: int) -> Stored:
    """Store events in one transaction, all or none. An id that the tenant has used is kept as it was.

    Args:
        limit: events that the tenant may store in a month; -1 is unlimited.

    Raises:
        HttpError: 429, the new ones among them do not fit into the month.
    """
    if not events:
        return Stored(0)
    grant = (month(now_ms), new_id())
    ids = json.dumps(list({event.id: None for event in events}), ensure_ascii=False)
    arrays = [(_INSERT, (*grant, now_ms, values)) for values in _json_arrays(map(_row, events))]
    sessions = [(_SESSIONS, (*grant, values)) for values in _json_arrays(_session_rows(events))]
    statements: list[Statement] = [
        (_RESERVE, (*grant, now_ms, ids, limit)),
        *arrays,
        *sessions,
    ]
    results = await data.transaction(statements)
    if not results[0][1]:
        usage = await data.row(_READ, grant[0])
        raise quota_exceeded("events", int(usage["current"]) if usage else 0, limit, now_ms=now_ms)
    return Stored(sum(changed for _, changed in results[1 : 1 + len(arrays)]))


def _json_arrays(rows: Iterable[Any]) -> Iterator[str]:
    """Yield JSON arrays of the rows, none longer than a bound value may be."""
    rows = list(rows)
    if len(rows) <= FEW_ROWS:
        whole = _encode(rows)
        if len(whole) * 4 <= MAX_VALUE_BYTES:  # a character has at most 4 bytes
            yield whole
            return
    array: list[str] = []
    size = 0
    for row in rows:
        text = _encode(row)
        length = len(text) if text.isascii() else len(text.encode())
        if array and size + length > MAX_VALUE_BYTES:
            yield f"[{','.join(array)}]"
            array, size = [], 0
        array.append(text)
        size += length + 1
    yield f"[{','.join(array)}]"


def _row(event: Event) -> Sequence[Any]:
    """Return what `_INSERT` takes; the metadata is left out where there is none."""
    row = event.id, event.event, event.component, event.properties, event.user_id, event.session_id, event.timestamp_ms
    return row if event.metadata is None else (*row, event.metadata)


def _session_rows(events: Sequence[Event]) -> Iterator[dict[str, Any]]:
    """Yield what the events say about their sessions."""
    sessions: dict[str, dict[str, Any]] = {}
    for event in sorted(events, key=lambda event: event.timestamp_ms):
        time_ms = event.timestamp_ms
        session = sessions.setdefault(
            event.session_id, {"id": event.session_id, "startedAt": time_ms, "completed": 0, "userId": event.user_id}
        )
        session["endedAt"] = time_ms
        session["userId"] = session["userId"] or event.user_id
        flow, step = event.properties.get("flow"), event.properties.get("step")
        if isinstance(flow, str) and flow:
            session.setdefault("flow", flow)
        if isinstance(step, str) and step:
            session.update(step=step, stepAt=time_ms)
        if event.event == "flow_completed":
            session["completed"] = 1
    yield from sessions.values()
