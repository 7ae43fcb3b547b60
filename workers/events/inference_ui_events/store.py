"""Events into D1, all or none of a batch, each once by its id.

The statements are those of the API worker's event_store.py: events, the sessions that they are of, and the month's
count, whose grant also tells the analytics worker that its cached results are old.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from .events import Event
from .tenancy import Statement, TenantData

MAX_VALUE_BYTES: Final = 1_000_000  # D1 takes 2 MB a bound value
UNLIMITED: Final = -1

_RESERVE: Final = """INSERT INTO usage (tenant_id, month, events_count, grant_id, updated_at_ms)
SELECT ?1, ?2, new.n, ?3, ?4
FROM (SELECT count(*) AS n FROM json_each(?5) AS sent
  WHERE NOT EXISTS (SELECT 1 FROM events WHERE tenant_id = ?1 AND id = sent.value)) AS new
WHERE ?6 < 0 OR new.n <= ?6
ON CONFLICT (tenant_id, month) DO UPDATE SET
  events_count = events_count + excluded.events_count, grant_id = excluded.grant_id,
  updated_at_ms = excluded.updated_at_ms
WHERE ?6 < 0 OR events_count + excluded.events_count <= ?6"""
_GRANTED: Final = "EXISTS (SELECT 1 FROM usage WHERE tenant_id = ?1 AND month = ?2 AND grant_id = ?3)"
_INSERT: Final = f"""INSERT INTO events (tenant_id, id, event, component, properties, user_id, session_id, timestamp_ms,
  metadata, created_at_ms)
SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value -> 3, value ->> 4, value ->> 5, value ->> 6, value -> 7, ?4
FROM json_each(?5)
WHERE {_GRANTED} ON CONFLICT (tenant_id, id) DO NOTHING"""
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
  step_at_ms = max(coalesce(step_at_ms, excluded.step_at_ms), coalesce(excluded.step_at_ms, step_at_ms))"""


class QuotaExceeded(Exception):
    """The events do not fit into the month."""


async def store_events(data: TenantData, events: Sequence[Event], *, limit: int, now_ms: int) -> int:
    """Store events in one transaction; returns how many were new.

    Args:
        limit: events that the tenant may store in a month (UTC); -1 is unlimited.

    Raises:
        QuotaExceeded: nothing was stored.
    """
    if not events:
        return 0
    month = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m")
    grant = (month, str(uuid.uuid4()))
    ids = json.dumps(list({event.id: None for event in events}), ensure_ascii=False)
    arrays = _arrays([_row(event) for event in events])
    statements: list[Statement] = [
        (_RESERVE, (*grant, now_ms, ids, limit)),
        *((_INSERT, (*grant, now_ms, values)) for values in arrays),
        *((_SESSIONS, (*grant, values)) for values in _arrays(_sessions(events))),
    ]
    results = await data.transaction(statements)
    if not results[0][1]:
        raise QuotaExceeded(f"The month's limit of {limit} events is used up")
    return sum(changed for _, changed in results[1 : 1 + len(arrays)])


def _arrays(rows: Sequence[Any]) -> list[str]:
    """Return JSON arrays of the rows, none longer than a bound value may be."""
    arrays: list[list[str]] = [[]]
    size = 0
    for row in rows:
        text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
        size += len(text.encode()) + 1
        if arrays[-1] and size > MAX_VALUE_BYTES:
            arrays.append([])
            size = len(text.encode()) + 1
        arrays[-1].append(text)
    return [f"[{','.join(array)}]" for array in arrays]


def _row(event: Event) -> Sequence[Any]:
    """Return what `_INSERT` takes; the metadata is left out where there is none."""
    row = event.id, event.event, event.component, event.properties, event.user_id, event.session_id, event.timestamp_ms
    return row if event.metadata is None else (*row, event.metadata)


def _sessions(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return what the events say about their sessions."""
    sessions: dict[str, dict[str, Any]] = {}
    for event in sorted(events, key=lambda event: event.timestamp_ms):
        time_ms = event.timestamp_ms
        new = {"id": event.session_id, "startedAt": time_ms, "completed": 0, "userId": event.user_id}
        session = sessions.setdefault(event.session_id, new)
        session["endedAt"] = time_ms
        session["userId"] = session["userId"] or event.user_id
        flow, step = event.properties.get("flow"), event.properties.get("step")
        if isinstance(flow, str) and flow:
            session.setdefault("flow", flow)
        if isinstance(step, str) and step:
            session.update(step=step, stepAt=time_ms)
        if event.event == "flow_completed":
            session["completed"] = 1
    return list(sessions.values())
