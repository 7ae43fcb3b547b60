"""Parts of statements that several figures share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from .periods import TimeRange

# Who did something: the end user, or the session of somebody who is not known. The prefix keeps a user whose id is
# also the id of a session apart from that session.
ACTOR: Final = "coalesce('u:' || user_id, 's:' || session_id)"


class Values:
    """The bound values of a statement that is put together. ``?1`` is the tenant; see `TenantData`."""

    def __init__(self, values: Sequence[Any] = ()) -> None:
        self.list: list[Any] = list(values)

    def add(self, value: Any) -> str:
        """Bind a value; returns its name in the statement."""
        self.list.append(value)
        return f"?{len(self.list) + 1}"


def in_range(values: Values, time_range: TimeRange) -> str:
    """Return the condition on an event's or conversion's tenant and time."""
    start, end = values.add(time_range.start_ms), values.add(time_range.end_ms)
    return f"tenant_id = ?1 AND timestamp_ms BETWEEN {start} AND {end}"
