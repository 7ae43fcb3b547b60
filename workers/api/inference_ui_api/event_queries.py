"""Reading a tenant's events: the statements, each of one tenant, every value bound."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .tenancy import Statement, TenantData

MAX_LIMIT = 1000
MAX_GROUPS = 1000
_PERIOD = re.compile(r"([1-9]\d{0,3})([hdw])")
_PERIOD_MS = {"h": 3_600_000, "d": 86_400_000, "w": 604_800_000}

_COLUMNS = "id, event, component, properties, metadata, user_id, session_id, timestamp_ms, intent, sentiment"
# The names of the published clients' documentation.
METRICS = {
    "events": "count(*)",
    "users": "count(DISTINCT user_id)",
    "sessions": "count(DISTINCT session_id)",
    "eventsPerSession": "count(*) * 1.0 / nullif(count(DISTINCT session_id), 0)",
}
GROUPS = {
    "event": "event",
    "component": "component",
    "user": "user_id",
    "session": "session_id",
    "hour": "strftime('%Y-%m-%dT%H:00:00Z', timestamp_ms / 1000, 'unixepoch')",
    "day": "strftime('%Y-%m-%d', timestamp_ms / 1000, 'unixepoch')",
    "week": "date(timestamp_ms / 1000, 'unixepoch', 'weekday 0', '-6 days')",  # its Monday
    "month": "strftime('%Y-%m', timestamp_ms / 1000, 'unixepoch')",
}
PERIODS = ("hour", "day", "week", "month")


class BadArgument(ValueError):
    """An argument is wrong; its text is for the client."""


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events; times in milliseconds since the epoch, both included. None does not narrow."""

    id: str | None = None
    event: str | None = None
    component: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None

    def where(self) -> tuple[str, list[Any]]:
        """Return the condition, with the tenant as `?1`, and the values of its other parameters."""
        conditions = ["tenant_id = ?1"]
        values: list[Any] = []
        for column, operator, value in (
            ("id", "=", self.id),
            ("event", "=", self.event),
            ("component", "=", self.component),
            ("user_id", "=", self.user_id),
            ("session_id", "=", self.session_id),
            ("timestamp_ms", ">=", self.from_ms),
            ("timestamp_ms", "<=", self.to_ms),
        ):
            if value is not None:
                conditions.append(f"{column} {operator} ?")
                values.append(value)
        return " AND ".join(conditions), values


async def list_events(data: TenantData, query: EventQuery, *, limit: int, offset: int = 0) -> list[Any]:
    """Return events as GraphQL's type `Event` has them, the newest first.

    Raises:
        BadArgument: ``limit`` or ``offset`` is out of range.
    """
    check_page(limit, offset)
    where, values = query.where()
    sql = f"SELECT {_COLUMNS} FROM events WHERE {where} ORDER BY timestamp_ms DESC, id LIMIT ? OFFSET ?"  # noqa: S608
    return [_event(row) for row in await data.rows(sql, *values, limit, offset)]


async def count_events(data: TenantData, query: EventQuery) -> int:
    """Return how many events there are."""
    where, values = query.where()
    sql = f"SELECT count(*) AS events FROM events WHERE {where}"  # noqa: S608  # the conditions are constants
    row = await data.row(sql, *values)
    return int(row["events"]) if row else 0


async def measure_events(
    data: TenantData, query: EventQuery, *, metrics: Sequence[str] | None, group_by: str | None
) -> dict[str, Any]:
    """Return `metrics`, name to number, and `breakdown`, a list of `{"key", "value"}` or None.

    Raises:
        BadArgument: a metric or the group is none of those there are.
    """
    names = list(METRICS) if metrics is None else list(dict.fromkeys(metrics))
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise BadArgument(f'Unknown metric "{unknown[0]}"; known are {", ".join(METRICS)}')
    if group_by is not None and group_by not in GROUPS:
        raise BadArgument(f'Cannot group by "{group_by}"; known are {", ".join(GROUPS)}')
    where, values = query.where()
    wanted = ", ".join(f"{METRICS[name]} AS {name}" for name in names) or "count(*)"
    statements: list[Statement] = [(f"SELECT {wanted} FROM events WHERE {where}", values)]  # noqa: S608
    if group_by is not None:
        order = "key" if group_by in PERIODS else "value DESC, key"
        sql = (
            f"SELECT {GROUPS[group_by]} AS key, count(*) AS value FROM events WHERE {where} "  # noqa: S608
            f"GROUP BY 1 ORDER BY {order} LIMIT {MAX_GROUPS}"
        )
        statements.append((sql, values))
    total, *groups = await data.transaction(statements)
    row = total[0][0]
    return {
        "metrics": {name: row[name] or 0 for name in names},
        "breakdown": groups[0][0] if groups else None,
    }


def period_start_ms(period: str | None, now_ms: int) -> int | None:
    """Return where a period such as `24h`, `7d` or `4w` that ends now begins.

    Raises:
        BadArgument: it is no period.
    """
    if period is None:
        return None
    match = _PERIOD.fullmatch(period)
    if match is None:
        raise BadArgument(f'period must be a number of hours, days or weeks, such as "24h" or "7d", not "{period}"')
    return now_ms - int(match[1]) * _PERIOD_MS[match[2]]


def check_page(limit: int, offset: int) -> None:
    """Check a page.

    Raises:
        BadArgument: it is out of range.
    """
    if not 0 <= limit <= MAX_LIMIT:
        raise BadArgument(f"limit must be from 0 to {MAX_LIMIT}")
    if offset < 0:
        raise BadArgument("offset must not be negative")


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    properties = json.loads(row["properties"])
    return {
        "id": row["id"],
        "type": row["event"],
        "event": row["event"],
        "component": row["component"],
        "data": properties,
        "properties": properties,
        "metadata": None if row["metadata"] is None else json.loads(row["metadata"]),
        "userId": row["user_id"],
        "sessionId": row["session_id"],
        "timestamp": row["timestamp_ms"],
        "intent": row["intent"],
        "sentiment": row["sentiment"],
    }
