"""Funnels: how many get from a first step to a last one, in this order.

An actor enters with the first event that matches the first step, and reaches each further step with the earliest
event that matches it, is not earlier than the event of the step before, and is none of the events that stand for
steps before. With `windowMs` the whole way must fit into so much time; it may then begin with any event of the first
step, and of all ways that one counts which gets furthest, the earliest among them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from .actors import ACTOR, Values, in_range
from .arguments import Arguments
from .failures import BadArgument
from .periods import MAX_TIME_MS, TimeRange
from .tenancy import Row, TenantData

MAX_STEPS: Final = 20
MAX_WINDOW_MS: Final = 366 * 86_400_000


@dataclass(frozen=True, slots=True)
class Step:
    """A step is matched by an event's name, its component, or both."""

    id: str
    name: str
    event: str | None
    component: str | None
    order_index: int

    def as_json(self) -> dict[str, Any]:
        """Return GraphQL's `FunnelStep`."""
        return {
            "id": self.id,
            "name": self.name,
            "event": self.event,
            "component": self.component,
            "orderIndex": self.order_index,
        }


def read_steps(arguments: Arguments, *, new_id: Any) -> list[Step]:
    """Return the steps of `steps`, in the order of their `orderIndex`; those without one keep their places.

    Raises:
        BadArgument: a step matches nothing in particular, or there are too few or many.
    """
    steps = []
    for index, given in enumerate(arguments.list("steps", highest=MAX_STEPS)):
        inner = Arguments(given, f"steps[{index}].")
        step = Step(
            id=inner.id("id") or new_id(),
            name=inner.text("name"),
            event=inner.optional_text("event"),
            component=inner.optional_text("component"),
            order_index=inner.integer("orderIndex", index, lowest=0, highest=1_000_000),
        )
        if step.event is None and step.component is None:
            raise BadArgument(f"steps[{index}]", "must have an event or a component")
        steps.append(step)
    return sorted(steps, key=lambda step: step.order_index)


def stored_steps(text: str) -> list[Step]:
    """Return steps as they were stored."""
    return [
        Step(step["id"], step["name"], step["event"], step["component"], step["orderIndex"])
        for step in json.loads(text)
    ]


async def analyze(
    data: TenantData, funnel: Row, time_range: TimeRange, *, window_ms: int | None = None
) -> dict[str, Any]:
    """Return GraphQL's `FunnelAnalysis`; rates in per cent, times in milliseconds.

    `dropoffCount` and `dropoffRate` of a step are about those who reached the step before it. The bottleneck is the
    step with the highest drop-off rate, the first among several; None where nobody dropped off.
    """
    steps = stored_steps(funnel["steps"])
    values = Values()
    sql = _reached_sql(steps, time_range, values, window_ms)
    [row] = await data.rows(sql, *values.list)
    analyzed = [_step_analysis(steps, row, index) for index in range(len(steps))]
    last = analyzed[-1]
    worst = max(analyzed, key=lambda step: step["dropoffRate"])
    return {
        "funnelId": funnel["id"],
        "funnelName": funnel["name"],
        "timeRange": time_range.as_json(),
        "totalEntered": analyzed[0]["totalUsers"],
        "totalCompleted": last["totalUsers"],
        "overallConversion": last["conversionFromStart"],
        "averageCompletionTime": last["averageTimeFromStart"],
        "steps": analyzed,
        "bottleneckStepId": worst["stepId"] if worst["dropoffRate"] > 0 else None,
    }


def insights(analysis: dict[str, Any]) -> dict[str, Any]:
    """Return GraphQL's `FunnelInsights` of an analysis."""
    names = {step["stepId"]: step["stepName"] for step in analysis["steps"]}
    conversion = analysis["overallConversion"]
    return {
        "conversionRate": conversion,
        "dropoffRate": 100 - conversion if analysis["totalEntered"] else 0,
        "bottleneckStep": names.get(analysis["bottleneckStepId"]),
        "averageTime": analysis["averageCompletionTime"],
        "totalUsers": analysis["totalEntered"],
    }


def _step_analysis(steps: Sequence[Step], row: Row, index: int) -> dict[str, Any]:
    users, entered = row[f"n{index}"], row["n0"]
    before = row[f"n{index - 1}"] if index else users
    return {
        "stepId": steps[index].id,
        "stepName": steps[index].name,
        "orderIndex": steps[index].order_index,
        "totalUsers": users,
        "conversionFromPrevious": _percent(users, before),
        "conversionFromStart": _percent(users, entered),
        "dropoffCount": before - users,
        "dropoffRate": _percent(before - users, before),
        "averageTimeFromPrevious": row[f"p{index}"] or 0,
        "averageTimeFromStart": row[f"s{index}"] or 0,
    }


def _percent(part: int, whole: int) -> float:
    return part / whole * 100 if whole else 0


def _reached_sql(steps: Sequence[Step], time_range: TimeRange, values: Values, window_ms: int | None) -> str:
    """Return the statement whose row says how many reached each step (n0 …) and in what mean time (p0 …, s0 …)."""
    matches = [_match(step, values) for step in steps]
    found = (
        f"found AS MATERIALIZED (SELECT {ACTOR} AS actor, timestamp_ms AS t, event, component, "
        f"row_number() OVER (ORDER BY timestamp_ms, id) AS place FROM events "
        f"WHERE {in_range(values, time_range)} AND {_any(matches)})"
    )
    tables = [found, _entry_sql(matches[0], None if window_ms is None else values.add(window_ms))]
    tables += [_next_sql(index, matches[index]) for index in range(1, len(steps))]
    tables.append(_best_sql(len(steps)))
    figures = ["count(t0) AS n0", "0 AS p0", "0 AS s0"]
    for index in range(1, len(steps)):
        figures += [
            f"count(t{index}) AS n{index}",
            f"avg(t{index} - t{index - 1}) AS p{index}",
            f"avg(t{index} - t0) AS s{index}",
        ]
    return f"WITH {', '.join(tables)} SELECT {', '.join(figures)} FROM best"


def _match(step: Step, values: Values) -> str:
    conditions = []
    if step.event is not None:
        conditions.append(f"event = {values.add(step.event)}")
    if step.component is not None:
        conditions.append(f"component = {values.add(step.component)}")
    return f"({' AND '.join(conditions)})"


def _any(conditions: Sequence[str]) -> str:
    """Return the condition that one of the conditions holds, as a tree of few levels (see `_next_sql`)."""
    if len(conditions) == 1:
        return conditions[0]
    half = len(conditions) // 2
    return f"({_any(conditions[:half])} OR {_any(conditions[half:])})"


def _entry_sql(match: str, window: str | None) -> str:
    """Return the ways' beginnings: each actor's first event of the first step, every one where there is a window.

    `place` is unique, in the order of time. Beside a min(), SQLite takes the other columns from the row that has it.
    """
    until = MAX_TIME_MS if window is None else f"t + {window}"
    one = "actor" if window is None else "actor, place"
    columns = f"actor, t AS t0, min(place) AS place0, {until} AS until"
    return f"way0 AS MATERIALIZED (SELECT {columns} FROM found WHERE {match} GROUP BY {one})"


def _next_sql(index: int, match: str) -> str:
    """Return the ways with one more step, which is null where a way does not reach it.

    The ways lie in each other. SQLite adds up the levels of the deepest expression of each, and D1 allows it 100: so
    this is one SELECT, and its condition has four levels, with names of one part.
    """
    kept = ", ".join(f"t{each}, place{each}" for each in range(index))
    used = ", ".join(f"place{each}" for each in range(index))
    return (
        f"step{index} AS MATERIALIZED (SELECT actor AS whose, t AS t{index}, place AS found_place FROM found "
        f"WHERE {match}), way{index} AS MATERIALIZED (SELECT actor, until, {kept}, t{index}, "
        f"min(found_place) AS place{index} FROM way{index - 1} LEFT JOIN step{index} ON (whose = actor "
        f"AND t{index} BETWEEN t{index - 1} AND until) AND found_place NOT IN ({used}) GROUP BY actor, place0)"
    )


def _best_sql(count: int) -> str:
    """Return each actor's best way: the one that gets furthest, the earliest among them."""
    furthest = ", ".join(f"t{index} IS NULL" for index in reversed(range(count)))
    rank = f"row_number() OVER (PARTITION BY actor ORDER BY {furthest}, place0) AS rank"
    return f"best AS (SELECT * FROM (SELECT *, {rank} FROM way{count - 1}) WHERE rank = 1)"
