"""Daily figures, one row a day (UTC) and event name. They stay when the events are deleted."""

from __future__ import annotations

from typing import Any, Final

from .arguments import Arguments
from .periods import iso
from .tenancy import Statement, TenantData

MAX_LIST: Final = 10_000
MAX_DAYS: Final = 50  # that one run makes again; the rest is for the next
_DAYS: Final = f"SELECT date FROM event_summary_days WHERE tenant_id = ?1 ORDER BY date DESC LIMIT {MAX_DAYS}"
_UNMARK: Final = "DELETE FROM event_summary_days WHERE tenant_id = ?1 AND date = ?2"
_SUMMARISE: Final = """INSERT INTO event_summaries (tenant_id, date, event, total_events, unique_sessions, unique_users,
  positive, neutral, negative, updated_at_ms)
SELECT ?1, ?2, event, count(*), count(DISTINCT session_id),
  count(DISTINCT coalesce('u:' || user_id, 's:' || session_id)), count(nullif(sentiment = 'positive', 0)),
  count(nullif(sentiment = 'neutral', 0)), count(nullif(sentiment = 'negative', 0)), ?3
FROM events WHERE tenant_id = ?1 AND timestamp_ms >= unixepoch(?2) * 1000
  AND timestamp_ms < (unixepoch(?2) + 86400) * 1000 GROUP BY event
ON CONFLICT (tenant_id, date, event) DO UPDATE SET total_events = excluded.total_events,
  unique_sessions = excluded.unique_sessions, unique_users = excluded.unique_users, positive = excluded.positive,
  neutral = excluded.neutral, negative = excluded.negative, updated_at_ms = excluded.updated_at_ms"""
_READ: Final = f"""SELECT * FROM event_summaries WHERE tenant_id = ?1 AND date BETWEEN ?2 AND ?3
  AND (?4 IS NULL OR event = ?4) ORDER BY date, event LIMIT {MAX_LIST}"""


async def summarise(data: TenantData, *, oldest_date: str, now_ms: int) -> int:
    """Make the figures of marked days again; returns how many days.

    Args:
        oldest_date: of days before it, events have been deleted already; their figures stay as they are.
    """
    days = [row["date"] for row in await data.rows(_DAYS)]
    for date in days:
        # The mark goes first: what comes in meanwhile marks the day again.
        statements: list[Statement] = [(_UNMARK, (date,))]
        if date >= oldest_date:
            statements.append((_SUMMARISE, (date, now_ms)))
        await data.transaction(statements)
    return len([date for date in days if date >= oldest_date])


async def list_summaries(data: TenantData, arguments: Arguments) -> list[dict[str, Any]]:
    """Return the figures of the days in `timeRange`, by day and name; `event` narrows them to one name."""
    span = arguments.time_range().as_json()
    start, end = span["start"][:10], span["end"][:10]
    rows = await data.rows(_READ, start, end, arguments.optional_text("event"))
    return [
        {
            "date": row["date"],
            "event": row["event"],
            "totalEvents": row["total_events"],
            "uniqueSessions": row["unique_sessions"],
            "uniqueUsers": row["unique_users"],
            "sentiments": {name: row[name] for name in ("positive", "neutral", "negative")},
            "updatedAt": iso(row["updated_at_ms"]),
        }
        for row in rows
    ]
