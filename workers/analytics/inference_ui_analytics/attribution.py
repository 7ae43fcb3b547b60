"""Conversions, and which touches they are credited to.

The touches of a conversion are the events of its actor up to its time, of all sessions; `lookbackDays` shortens that.
A conversion without a touch is credited to the group of touches that say nothing (`direct`, `none`, `unknown`). One
without a value counts as 1 where values are credited, and as nothing in sums of values; 0 is a value.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

from .actors import ACTOR, Values, in_range
from .arguments import Arguments
from .periods import DAY_MS
from .tenancy import Row, TenantData

MODELS: Final[Mapping[str, str]] = {
    "FIRST_TOUCH": "100% credit to the first interaction",
    "LAST_TOUCH": "100% credit to the last interaction before conversion",
    "LINEAR": "Equal credit to all interactions",
    "TIME_DECAY": "More credit to recent interactions (7-day half-life)",
    "POSITION_BASED": "40% first, 40% last, 20% distributed to middle",
}
HALF_LIFE_MS: Final = 7 * DAY_MS
MAX_PATHS: Final = 1000
MAX_VALUE: Final = 10**15  # so that sums stay numbers
_SOURCE: Final = "coalesce(nullif(properties ->> 'source', ''), nullif(properties ->> 'utm_source', ''))"
# What touches are grouped by, and the group of those that say nothing.
GROUPS: Final[Mapping[str, tuple[str, str]]] = {
    "SOURCE": (_SOURCE, "direct"),
    "MEDIUM": ("coalesce(nullif(properties ->> 'medium', ''), nullif(properties ->> 'utm_medium', ''))", "none"),
    "CAMPAIGN": ("coalesce(nullif(properties ->> 'campaign', ''), nullif(properties ->> 'utm_campaign', ''))", "none"),
    "COMPONENT": ("component", "unknown"),
}
_CREDITS: Final[Mapping[str, str]] = {
    "FIRST_TOUCH": "first",
    "LAST_TOUCH": "last",
    "LINEAR": "linear",
    "TIME_DECAY": "decay",
    "POSITION_BASED": "position",
}
# Shares of a conversion; they add up to 1. `n` is the number of its touches, `place` counts from 1.
_SHARES: Final = """place = 1 AS first, place = n AS last, 1.0 / n AS linear, weight / sum(weight) OVER whole AS decay,
  CASE WHEN n = 1 THEN 1.0 WHEN n = 2 THEN 0.5 WHEN place IN (1, n) THEN 0.4 ELSE 0.2 / (n - 2) END AS position"""


async def track_conversion(data: TenantData, arguments: Arguments, *, now_ms: int) -> dict[str, Any]:
    """Store a conversion and return GraphQL's `Conversion`.

    `event` is required. `id` makes it idempotent: the conversion that the tenant has under it is returned as it is.
    `userId` is the end user, `sessionId` their session; one of them links it to its touches.
    """
    metadata = arguments.json_object("metadata")
    session_id = arguments.optional_text("sessionId", max_characters=256)
    conversion_id = arguments.id("id") or str(uuid.uuid4())
    values = (
        conversion_id,
        arguments.optional_text("userId", max_characters=256),
        session_id or f"conversion-{conversion_id}",
        arguments.text("event", max_characters=256),
        _value(arguments),
        None if metadata is None else json.dumps(metadata, ensure_ascii=False),
        arguments.time_ms("timestamp", now_ms),
    )
    insert = """INSERT INTO conversions (tenant_id, id, user_id, session_id, event, value, metadata, timestamp_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (tenant_id, id) DO NOTHING"""
    read = "SELECT * FROM conversions WHERE tenant_id = ?1 AND id = ?2"
    _, _, ([row], _) = await data.transaction([(insert, values), (RAISE_VERSION, ()), (read, [conversion_id])])
    return _conversion_json(row)


def _value(arguments: Arguments) -> float | None:
    value = arguments.number("value")
    if value is not None and abs(value) > MAX_VALUE:
        raise arguments.wrong("value", f"must be a number from -{MAX_VALUE} to {MAX_VALUE}")
    return value


RAISE_VERSION: Final = """INSERT INTO analytics_versions (tenant_id, version) VALUES (?1, 1)
ON CONFLICT (tenant_id) DO UPDATE SET version = version + 1"""


async def attribution_analysis(data: TenantData, arguments: Arguments) -> list[dict[str, Any]]:
    """Return GraphQL's `AttributionResult` for each group, the most valuable first.

    `timeRange` is of the conversions. `model` (LAST_TOUCH) decides `totalValue`, `conversions`, which counts those of
    which the group has a share, and `creditedConversions`, the sum of the shares. `attribution` holds the value that
    each of the models credits.
    """
    credit = _CREDITS[arguments.choice("model", "LAST_TOUCH", tuple(MODELS))]
    column, nothing = GROUPS[arguments.choice("groupBy", "SOURCE", tuple(GROUPS))]
    values = Values()
    touches = _touches_sql(arguments, values, f"coalesce(CAST({column} AS TEXT), {values.add(nothing)})", nothing)
    shared = ", ".join(
        f"sum({each} * worth) AS {name}"
        for name, each in (
            ("firstTouch", "first"),
            ("lastTouch", "last"),
            ("linear", "linear"),
            ("timeDecay", "decay"),
            ("positionBased", "position"),
            ("totalValue", credit),
        )
    )
    sql = (
        f"WITH {touches}, shares AS (SELECT label, conversion, worth, {_SHARES} FROM touches "
        "WINDOW whole AS (PARTITION BY conversion)) "
        f"SELECT label, count(DISTINCT iif({credit} > 0, conversion, NULL)) AS conversions, "
        f"sum({credit}) AS credited, {shared} FROM shares GROUP BY label ORDER BY totalValue DESC, credited DESC, label"
    )
    return [_result_json(row) for row in await data.rows(sql, *values.list)]


async def conversion_summary(data: TenantData, arguments: Arguments) -> dict[str, Any]:
    """Return GraphQL's `ConversionSummary` of a `timeRange`; the mean is of the conversions that have a value."""
    values = Values()
    where = in_range(values, arguments.time_range())
    sql = (
        f"SELECT count(*) AS totalConversions, count(DISTINCT {ACTOR}) AS uniqueConverters, "
        f"total(value) AS totalValue, avg(value) AS averageValue FROM conversions WHERE {where}"
    )
    [row] = await data.rows(sql, *values.list)
    return {**row, "averageValue": row["averageValue"] or 0}


async def top_converting_paths(data: TenantData, arguments: Arguments) -> list[dict[str, Any]]:
    """Return GraphQL's `ConvertingPath` of a `timeRange`, the most frequent first, `limit` (10) of them.

    A path names each touch by its source, else its component, else `direct`.
    """
    limit = arguments.integer("limit", 10, lowest=1, highest=MAX_PATHS)
    values = Values()
    label = f"coalesce(CAST({_SOURCE} AS TEXT), component, 'direct')"
    touches = _touches_sql(arguments, values, label, "direct")
    sql = (
        f"WITH {touches}, paths AS (SELECT place, n, worth, group_concat(label, ' → ') OVER "
        "(PARTITION BY conversion ORDER BY place ROWS UNBOUNDED PRECEDING) AS path FROM touches) "
        "SELECT path, count(*) AS conversions, total(worth) AS totalValue FROM paths WHERE place = n "
        f"GROUP BY path ORDER BY conversions DESC, totalValue DESC, path LIMIT {limit}"
    )
    return await data.rows(sql, *values.list)


def attribution_models() -> list[dict[str, str]]:
    """Return GraphQL's `AttributionModelInfo` of the five models."""
    return [{"type": name, "description": description} for name, description in MODELS.items()]


def _touches_sql(arguments: Arguments, values: Values, label: str, nothing: str) -> str:
    """Return the table `touches (conversion, worth, label, place, n, weight)`, at least one row a conversion."""
    in_time = in_range(values, arguments.time_range())
    oldest = "0"
    if arguments.has("lookbackDays"):
        days = arguments.integer("lookbackDays", 0, lowest=1, highest=3660)
        oldest = f"converted.t - {values.add(days * DAY_MS)}"
    fallback = values.add(nothing)
    return (
        f"converted AS MATERIALIZED (SELECT id AS conversion, {ACTOR} AS actor, timestamp_ms AS t, "
        f"coalesce(value, 1.0) AS worth FROM conversions WHERE {in_time}), "
        f"labelled AS MATERIALIZED (SELECT {ACTOR} AS actor, timestamp_ms AS t, id, {label} AS label FROM events "
        f"WHERE tenant_id = ?1 AND {ACTOR} IN (SELECT actor FROM converted)), "
        # The join by itself: inside of a query with windows SQLite makes no index for it.
        f"touched AS MATERIALIZED (SELECT conversion, worth, label, labelled.t AS t, id FROM converted LEFT JOIN "
        f"labelled ON labelled.actor = converted.actor AND labelled.t <= converted.t AND labelled.t >= {oldest}), "
        f"touches AS (SELECT conversion, worth, coalesce(label, {fallback}) AS label, "
        "row_number() OVER (PARTITION BY conversion ORDER BY t, id) AS place, "
        "count(*) OVER (PARTITION BY conversion) AS n, "
        # Relative to the last touch, so that a long time before the conversion does not make all weights zero.
        f"pow(2.0, coalesce(t - max(t) OVER (PARTITION BY conversion), 0) / {HALF_LIFE_MS}.0) AS weight FROM touched)"
    )


def _result_json(row: Row) -> dict[str, Any]:
    models = ("firstTouch", "lastTouch", "linear", "timeDecay", "positionBased")
    return {
        "source": row["label"],
        "conversions": row["conversions"],
        "creditedConversions": row["credited"],
        "totalValue": row["totalValue"],
        "averageValue": row["totalValue"] / row["conversions"] if row["conversions"] else 0,
        "attribution": {model: row[model] for model in models},
    }


def _conversion_json(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "userId": row["user_id"] or row["session_id"],
        "sessionId": row["session_id"],
        "event": row["event"],
        "value": row["value"],
        "timestamp": row["timestamp_ms"],
        "metadata": None if row["metadata"] is None else json.loads(row["metadata"]),
    }
