"""Figures of events, sessions, flows, components, and their trends. Everything is computed from the events.

A session is what its events in the range say: it lasts from the first of them to the last. A flow is what events name
in `properties.flow`; it is completed by `flow_completed`, and its steps are in `properties.step`.
"""

from __future__ import annotations

import json
from typing import Any, Final

from .actors import ACTOR, Values, in_range
from .arguments import Arguments
from .periods import BUCKET_SQL, PERIODS, label
from .tenancy import Row, Statement, TenantData

TOP: Final = 10
TOP_FLOWS = TOP_COMPONENT_EVENTS = 5
METRICS: Final = ("EVENTS", "SESSIONS", "FLOWS")
FLOW: Final = "properties ->> 'flow'"
STEP: Final = "properties ->> 'step'"
NO_STEP: Final = "unknown"


async def event_metrics(data: TenantData, arguments: Arguments) -> dict[str, Any]:
    """Return GraphQL's `EventMetrics` of a `timeRange`; users are actors: end users, and sessions of unknown ones."""
    values = Values()
    where = in_range(values, arguments.time_range())
    total = (
        "SELECT count(*) AS totalEvents, count(DISTINCT session_id) AS uniqueSessions, "
        f"count(DISTINCT {ACTOR}) AS uniqueUsers FROM events WHERE {where}"
    )
    results = await data.transaction(
        [
            (total, values.list),
            _counts("event", where, values, TOP),
            _counts("component", f"{where} AND component IS NOT NULL", values, TOP),
            _trend("EVENTS", "DAY", where, values),
        ]
    )
    [totals], events, components, trend = (rows for rows, _ in results)
    return {
        **totals,
        "eventsByType": events,
        "eventsByComponent": components,
        "trend": [{"date": row["bucket"], "count": row["value"]} for row in trend],
    }


async def session_metrics(data: TenantData, arguments: Arguments) -> dict[str, Any]:
    """Return GraphQL's `SessionMetrics` of a `timeRange`; durations in milliseconds."""
    values = Values()
    where = in_range(values, arguments.time_range())
    # The events are read once: of each session and flow first, and of these sessions by hour, and flows.
    sql = (
        f"WITH parts AS MATERIALIZED (SELECT session_id, {FLOW} AS flow, min(timestamp_ms) AS start_ms, "
        f"max(timestamp_ms) AS end_ms, count(*) AS events FROM events WHERE {where} GROUP BY 1, 2), "
        "whole AS (SELECT min(start_ms) AS start_ms, max(end_ms) AS end_ms, sum(events) AS events FROM parts "
        "GROUP BY session_id), "
        "flows AS (SELECT flow, count(*) AS sessions FROM parts WHERE flow IS NOT NULL GROUP BY 1 "
        f"ORDER BY 2 DESC, 1 LIMIT {TOP_FLOWS}) "
        "SELECT NULL AS hour, flow, sessions, NULL AS duration_ms, NULL AS events FROM flows UNION ALL "
        "SELECT CAST(strftime('%H', start_ms / 1000, 'unixepoch') AS INTEGER), NULL, count(*), sum(end_ms - start_ms), "
        "sum(events) FROM whole GROUP BY 1 ORDER BY hour, sessions DESC, flow"
    )
    rows = await data.rows(sql, *values.list)
    hours = [row for row in rows if row["hour"] is not None]
    count = sum(row["sessions"] for row in hours)
    return {
        "totalSessions": count,
        "averageSessionDuration": _mean(sum(row["duration_ms"] for row in hours), count),
        "averageEventsPerSession": _mean(sum(row["events"] for row in hours), count),
        "sessionsByHour": [{"hour": row["hour"], "count": row["sessions"]} for row in hours],
        "topFlows": [
            {"flowId": str(row["flow"]), "sessionCount": row["sessions"]} for row in rows if row["hour"] is None
        ],
    }


async def flow_metrics(data: TenantData, arguments: Arguments) -> dict[str, Any]:
    """Return GraphQL's `FlowMetricsDetailed` of a `flowId` in a `timeRange`.

    Rates are from 0 to 1, durations in milliseconds, from a session's first event of the flow to its completion. A
    session that did not complete the flow dropped off at the last step that it saw.
    """
    flow_id = arguments.text("flowId")
    values = Values()
    where = in_range(values, arguments.time_range())
    of_flow = f"{where} AND CAST({FLOW} AS TEXT) = {values.add(flow_id)}"
    # A session's latest event that names a step comes first in its window.
    latest = f"first_value({STEP}) OVER (PARTITION BY session_id ORDER BY {STEP} IS NULL, timestamp_ms DESC, id DESC)"
    sessions = (
        f"steps AS (SELECT session_id, timestamp_ms, event, {latest} AS step FROM events WHERE {of_flow}), "
        "flow_sessions AS (SELECT session_id, CAST(step AS TEXT) AS step, min(timestamp_ms) AS start_ms, "
        "min(iif(event = 'flow_completed', timestamp_ms, NULL)) AS completed_ms FROM steps GROUP BY session_id, step)"
    )
    total = (
        f"WITH {sessions} SELECT count(*) AS total, count(completed_ms) AS completed, "
        "avg(completed_ms - start_ms) AS duration FROM flow_sessions"
    )
    drops = (
        f"WITH {sessions} SELECT coalesce(step, '{NO_STEP}') AS stepId, count(*) AS dropoffCount FROM flow_sessions "
        "WHERE completed_ms IS NULL GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    definition = "SELECT steps FROM flows WHERE tenant_id = ?1 AND id = ?2"
    results = await data.transaction([(total, values.list), (drops, values.list), (definition, [flow_id])])
    [totals], dropped, defined = (rows for rows, _ in results)
    names = _step_names(defined)
    count = totals["total"]
    return {
        "flowId": flow_id,
        "totalSessions": count,
        "completedSessions": totals["completed"],
        "completionRate": totals["completed"] / count if count else 0,
        "averageDuration": totals["duration"] or 0,
        "dropoffPoints": [
            {
                "stepId": row["stepId"],
                "stepName": names.get(row["stepId"], row["stepId"]),
                "dropoffCount": row["dropoffCount"],
                "dropoffRate": row["dropoffCount"] / count,
            }
            for row in dropped
        ],
    }


async def component_analytics(data: TenantData, arguments: Arguments) -> dict[str, Any]:
    """Return GraphQL's `ComponentAnalytics` of a `component` in a `timeRange`."""
    component = arguments.text("component")
    values = Values()
    where = f"{in_range(values, arguments.time_range())} AND component = {values.add(component)}"
    total = f"SELECT count(*) AS usage, count(DISTINCT {ACTOR}) AS users FROM events WHERE {where}"
    results = await data.transaction([(total, values.list), _counts("event", where, values, TOP_COMPONENT_EVENTS)])
    [totals], events = (rows for rows, _ in results)
    return {
        "component": component,
        "totalUsage": totals["usage"],
        "uniqueUsers": totals["users"],
        "averageInteractionsPerUser": totals["usage"] / totals["users"] if totals["users"] else 0,
        "topEvents": events,
    }


async def trend_analysis(data: TenantData, arguments: Arguments) -> dict[str, Any]:
    """Return GraphQL's `TrendData` of a `metric`, a `timeRange`, and `groupBy` (DAY).

    Sessions count where they began; FLOWS are sessions in which a flow was completed. Periods without any are left out.
    """
    metric = arguments.choice("metric", None, METRICS)
    group_by = arguments.choice("groupBy", "DAY", PERIODS)
    values = Values()
    where = in_range(values, arguments.time_range())
    sql, bound = _trend(metric, group_by, where, values)
    rows = await data.rows(sql, *bound)
    return {
        "metric": metric,
        "groupBy": group_by,
        "data": [{"timestamp": label(row["bucket"], group_by), "value": row["value"]} for row in rows],
    }


def _counts(column: str, where: str, values: Values, limit: int) -> Statement:
    sql = (
        f"SELECT {column}, count(*) AS count FROM events WHERE {where} "
        f"GROUP BY {column} ORDER BY count DESC, {column} LIMIT {limit}"
    )
    return sql, values.list


def _sessions(where: str) -> str:
    return (
        "sessions_in_range AS (SELECT session_id, min(timestamp_ms) AS start_ms, max(timestamp_ms) AS end_ms, "
        f"count(*) AS events, max(event = 'flow_completed') AS completed FROM events WHERE {where} GROUP BY session_id)"
    )


def _trend(metric: str, group_by: str, where: str, values: Values) -> Statement:
    if metric == "EVENTS":
        bucket = BUCKET_SQL[group_by].format("timestamp_ms")
        return (
            f"SELECT {bucket} AS bucket, count(*) AS value FROM events WHERE {where} GROUP BY 1 ORDER BY 1",
            values.list,
        )
    bucket = BUCKET_SQL[group_by].format("start_ms")
    wanted = "WHERE completed" if metric == "FLOWS" else ""
    sql = (
        f"WITH {_sessions(where)} SELECT {bucket} AS bucket, count(*) AS value "
        f"FROM sessions_in_range {wanted} GROUP BY 1 ORDER BY 1"
    )
    return sql, values.list


def _mean(total: int, count: int) -> float:
    """Return a mean as D1 gives numbers: a whole one is an int; 0 of nothing."""
    mean = total / count if count else 0.0
    return int(mean) if mean.is_integer() else mean


def _step_names(defined: list[Row]) -> dict[str, str]:
    """Return what the steps of a flow are called: by their name, or the component that they show."""
    steps = json.loads(defined[0]["steps"]) if defined else []
    named = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    return {
        str(step["id"]): str(step.get("name") or step.get("component") or step["id"]) for step in named if "id" in step
    }
