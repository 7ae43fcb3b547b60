"""Cohorts: actors who have something in common, and how many of them stay.

Three kinds of cohort, all of the tenant's own end users (actors):
- SIGNUP_DATE: their first event of all lies between `startDate` and `endDate`;
- FIRST_EVENT: their first event that matches `event`, `component` and `properties` does;
- CUSTOM: any event that matches does.
A date that is left out does not bound. Events that retention has deleted no longer count as first ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from .actors import ACTOR, Values
from .arguments import Arguments
from .failures import BadArgument
from .periods import MAX_TIME_MS, TimeRange, add_periods, iso
from .tenancy import Row, TenantData

TYPES: Final = ("SIGNUP_DATE", "FIRST_EVENT", "CUSTOM")
PERIOD_TYPES: Final = ("DAY", "WEEK", "MONTH")
MAX_PERIODS: Final = 120
DEFAULT_PERIODS: Final = 12
ACTIVE_DAYS: Final = 30
_LABELS: Final = {"DAY": "Day", "WEEK": "Week", "MONTH": "Month"}


@dataclass(frozen=True, slots=True)
class Criteria:
    """Who belongs to a cohort.

    Attributes:
        start: as it was given, or None; see `Arguments.time_ms`.
        properties: name to a JSON value that is no array or object; an event's properties must have them all.
    """

    type: str
    start: Any
    end: Any
    start_ms: int
    end_ms: int
    event: str | None
    component: str | None
    properties: dict[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """Return GraphQL's `CohortCriteria`."""
        return {
            "type": self.type,
            "startDate": self.start,
            "endDate": self.end,
            "event": self.event,
            "component": self.component,
            "properties": self.properties,
        }


def read_criteria(arguments: Arguments) -> Criteria:
    """Return the criteria of `{"type", "startDate", "endDate", "event", "component", "properties"}`.

    Raises:
        BadArgument: they contradict themselves.
    """
    start_ms = arguments.time_ms("startDate", 0)
    end_ms = arguments.time_ms("endDate", MAX_TIME_MS, is_end=True)
    assert start_ms is not None
    assert end_ms is not None
    if start_ms > end_ms:
        raise arguments.wrong("startDate", "must not be after endDate")
    properties = arguments.json_object("properties")
    for name, value in (properties or {}).items():
        if isinstance(value, dict | list):
            raise arguments.wrong(f"properties.{name}", "must be a string, a number, a boolean or null")
    given = arguments.as_json()
    return Criteria(
        type=arguments.choice("type", None, TYPES),
        start=_as_text(given.get("startDate"), start_ms),
        end=_as_text(given.get("endDate"), end_ms),
        start_ms=start_ms,
        end_ms=end_ms,
        event=arguments.optional_text("event"),
        component=arguments.optional_text("component"),
        properties=properties or None,
    )


async def cohort_size(data: TenantData, criteria: Criteria, active_in: TimeRange) -> dict[str, int]:
    """Return GraphQL's `CohortSize`: how many belong to it, and how many of them did something in a range of time."""
    values = Values()
    members = _members_sql(criteria, values)
    start, end = values.add(active_in.start_ms), values.add(active_in.end_ms)
    sql = (
        f"WITH {members} SELECT count(*) AS total, count(nullif(actor IN (SELECT actor FROM seen "
        f"WHERE t BETWEEN {start} AND {end}), 0)) AS active FROM members"
    )
    [row] = await data.rows(_with_seen(sql), *values.list)
    return {"total": row["total"], "active": row["active"], "inactive": row["total"] - row["active"]}


async def cohort_retention(
    data: TenantData, cohort: Row, criteria: Criteria, *, period: str, max_periods: int, now_ms: int
) -> dict[str, Any]:
    """Return GraphQL's `CohortRetention`: how many of the members did something in each period; rates in per cent.

    Period 0 begins with the cohort's `startDate`, or with its first member's first event that made it one. Periods
    that have not begun yet are left out, of the mean as well. `lifetimeValue` is the mean value of a member's
    conversions.
    """
    values = Values()
    members = _members_sql(criteria, values)
    found = await data.transaction(
        [
            (f"WITH {members} SELECT count(*) AS size, min(joined_ms) AS first_ms FROM members", values.list),
            (_value_sql(members), values.list),
        ]
    )
    [summary], [value] = (rows for rows, _ in found)
    size = summary["size"]
    start_ms = criteria.start_ms if criteria.start is not None else summary["first_ms"]
    periods: list[dict[str, Any]] = []
    if size:
        bounds = _bounds(int(start_ms), period, max_periods, now_ms)
        retained = await _retained(data, criteria, bounds)
        periods = [_period_json(index, period, count, size) for index, count in enumerate(retained)]
    rates = [each["retentionRate"] for each in periods]
    return {
        "cohortId": cohort["id"],
        "cohortName": cohort["name"],
        "cohortSize": size,
        "periodType": period,
        "startDate": iso(now_ms if start_ms is None else start_ms),
        "periods": periods,
        "averageRetention": sum(rates) / len(rates) if rates else 0,
        "lifetimeValue": value["value"] / size if size and value["value"] is not None else None,
    }


def compare(retentions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return GraphQL's `CohortComparison`, by mean retention; of equals the first is the best, the last the worst."""
    summaries = [
        {
            "id": retention["cohortId"],
            "name": retention["cohortName"],
            "size": retention["cohortSize"],
            "retentionRate": retention["averageRetention"],
            "churnRate": 100 - retention["averageRetention"],
        }
        for retention in retentions
    ]
    by_rate = sorted(summaries, key=lambda summary: -summary["retentionRate"])
    return {"cohorts": summaries, "bestPerforming": by_rate[0]["id"], "worstPerforming": by_rate[-1]["id"]}


def _bounds(start_ms: int, period: str, max_periods: int, now_ms: int) -> list[int]:
    """Return where the periods begin, those that have begun, and where the last of them ends."""
    begun = [0]
    while len(begun) < max_periods and add_periods(start_ms, period, len(begun)) <= now_ms:
        begun.append(len(begun))
    return [add_periods(start_ms, period, index) for index in [*begun, len(begun)]]


async def _retained(data: TenantData, criteria: Criteria, bounds: Sequence[int]) -> list[int]:
    """Return how many members did something in each period, in one statement for all of them."""
    values = Values()
    members = _members_sql(criteria, values)
    spans = json.dumps([[start, end] for start, end in pairwise(bounds)])
    sql = (
        f"WITH {members}, spans AS MATERIALIZED (SELECT key AS place, value ->> 0 AS start_ms, value ->> 1 AS end_ms "
        f"FROM json_each({values.add(spans)})) SELECT place, count(DISTINCT seen.actor) AS retained FROM spans "
        "LEFT JOIN seen ON t >= start_ms AND t < end_ms AND seen.actor IN (SELECT actor FROM members) "
        "GROUP BY place ORDER BY place"
    )
    return [row["retained"] for row in await data.rows(_with_seen(sql), *values.list)]


def _with_seen(sql: str) -> str:
    """Return a statement with the table `seen (actor, t)`, when the tenant's actors did something, in front."""
    seen = f"seen AS (SELECT {ACTOR} AS actor, timestamp_ms AS t FROM events WHERE tenant_id = ?1)"
    return sql.replace("WITH ", f"WITH {seen}, ", 1)


def _value_sql(members: str) -> str:
    return (
        f"WITH {members} SELECT sum(value) AS value FROM conversions "
        f"WHERE tenant_id = ?1 AND {ACTOR} IN (SELECT actor FROM members)"
    )


def _members_sql(criteria: Criteria, values: Values) -> str:
    """Return the table `members (actor, joined_ms)`, joined with the first event that made one a member."""
    conditions = ["tenant_id = ?1"]
    if criteria.type != "SIGNUP_DATE":
        if criteria.event is not None:
            conditions.append(f"event = {values.add(criteria.event)}")
        if criteria.component is not None:
            conditions.append(f"component = {values.add(criteria.component)}")
        if criteria.properties:
            conditions.append(_has_properties(values.add(json.dumps(criteria.properties, ensure_ascii=False))))
    start, end = values.add(criteria.start_ms), values.add(criteria.end_ms)
    having = f"HAVING min(timestamp_ms) BETWEEN {start} AND {end}"
    if criteria.type == "CUSTOM":
        conditions.append(f"timestamp_ms BETWEEN {start} AND {end}")
        having = ""
    return (
        f"members AS MATERIALIZED (SELECT {ACTOR} AS actor, min(timestamp_ms) AS joined_ms FROM events "
        f"WHERE {' AND '.join(conditions)} GROUP BY 1 {having})"
    )


def _has_properties(wanted: str) -> str:
    return (
        f"NOT EXISTS (SELECT 1 FROM json_each({wanted}) AS wanted WHERE NOT EXISTS ("
        "SELECT 1 FROM json_each(events.properties) AS had WHERE had.key = wanted.key AND had.atom IS wanted.atom "
        "AND replace(had.type, 'real', 'integer') = replace(wanted.type, 'real', 'integer')))"
    )


def _period_json(index: int, period: str, retained: int, size: int) -> dict[str, Any]:
    rate = retained / size * 100
    return {
        "periodIndex": index,
        "periodLabel": f"{_LABELS[period]} {index}",
        "retained": retained,
        "retentionRate": rate,
        "churnedCount": size - retained,
        "churnRate": 100 - rate,
    }


def _as_text(given: Any, time_ms: int) -> str | None:
    """Return a bound as GraphQL's String has it: as it was written, milliseconds as ISO 8601."""
    if given is None:
        return None
    return given if isinstance(given, str) else iso(time_ms)


def read_period(arguments: Arguments) -> tuple[str, int]:
    """Return `periodType` (WEEK) and `maxPeriods` (12)."""
    period = arguments.choice("periodType", "WEEK", PERIOD_TYPES)
    return period, arguments.integer("maxPeriods", DEFAULT_PERIODS, lowest=1, highest=MAX_PERIODS)


def read_ids(arguments: Arguments) -> list[str]:
    """Return `cohortIds`.

    Raises:
        BadArgument: there are none, too many, or one is no text.
    """
    ids = arguments.list("cohortIds", highest=20)
    for index, each in enumerate(ids):
        if not isinstance(each, str) or not each:
            raise BadArgument(f"cohortIds[{index}]", "must be a string, not empty")
    return list(ids)
