"""Enrichment: every event gets an intent and a sentiment, by rules, or by a model where the rules know nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from .ai_labels import ask_label
from .rules import Label, label_by_rules
from .tenancy import Row, Statement, TenantData

# Tiers that include `aiInsights`; see the API worker's tiers.py.
AI_TIERS: Final = ("business", "enterprise")
MAX_QUESTIONS: Final = 10  # that one call asks the model
# A row for each name and component, which are few, not for each event. CROSS JOIN is the order in which SQLite reads:
# of itself it would go through all of the events that the tenant has, which are ever more.
_READ: Final = """SELECT event, component, count(*) AS count, json_group_array(id) AS ids
FROM (SELECT DISTINCT value FROM json_each(?2)) AS asked CROSS JOIN events
WHERE tenant_id = ?1 AND id = asked.value AND enriched_at_ms IS NULL GROUP BY event, component"""
_KNOWN: Final = "SELECT event, component, intent, sentiment FROM event_labels WHERE tenant_id = ?1"
_TIER: Final = "SELECT tier FROM (SELECT id AS tenant_id, tier FROM tenants) WHERE tenant_id = ?1"
_REMEMBER: Final = """INSERT INTO event_labels (tenant_id, event, component, intent, sentiment, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING"""
# Once a label, which are few: joined to a list of labels, SQLite would go through all of the tenant's events.
_WRITE: Final = """UPDATE events SET intent = ?2, sentiment = ?3, enriched_at_ms = ?4
WHERE tenant_id = ?1 AND id IN (SELECT value FROM json_each(?5))"""
_MARK_DAYS: Final = """INSERT INTO event_summary_days (tenant_id, date)
SELECT ?1, date(timestamp_ms / 1000, 'unixepoch') AS date FROM events
WHERE tenant_id = ?1 AND id IN (SELECT value FROM json_each(?2)) AND date IS NOT NULL ON CONFLICT DO NOTHING"""


async def enrich(env: Any, data: TenantData, ids: Sequence[str], *, now_ms: int) -> int:
    """Label those of the events that have no label yet; returns how many that were. Doing it twice changes nothing."""
    asked = json.dumps(list(ids), ensure_ascii=False)
    rows = await data.rows(_READ, asked)
    if not rows:
        return 0
    labels = await _labels(env, data, rows, now_ms=now_ms)
    ids_of: dict[Label, list[str]] = {}
    for row, label in zip(rows, labels, strict=True):
        ids_of.setdefault(label, []).append(row["ids"][1:-1])
    writes: list[Statement] = [
        (_WRITE, (label.intent, label.sentiment, now_ms, f"[{','.join(labelled)}]"))
        for label, labelled in ids_of.items()
    ]
    await data.transaction([*writes, (_MARK_DAYS, (asked,))])
    return sum(row["count"] for row in rows)


async def _labels(env: Any, data: TenantData, rows: Sequence[Row], *, now_ms: int) -> list[Label]:
    labels = {(row["event"], row["component"]): label_by_rules(row["event"]) for row in rows}
    mode = getattr(env, "AI_ENRICHMENT", "unknown")
    unsure = [key for key, label in labels.items() if mode == "all" or (mode != "off" and label.intent == "unknown")]
    if unsure:
        (known, _), (tiers, _) = await data.transaction([(_KNOWN, ()), (_TIER, ())])
        labels.update(
            {(row["event"], row["component"] or None): Label(row["intent"], row["sentiment"]) for row in known}
        )
        remembered = {(row["event"], row["component"] or None) for row in known}
        if tiers and tiers[0]["tier"] in AI_TIERS:
            new = [key for key in unsure if key not in remembered][:MAX_QUESTIONS]
            labels.update(await _asked(env, data, new, now_ms=now_ms))
    return [labels[row["event"], row["component"]] for row in rows]


async def _asked(
    env: Any, data: TenantData, keys: Sequence[tuple[str, str | None]], *, now_ms: int
) -> dict[tuple[str, str | None], Label]:
    """Return what the model says of names and components, and keep it."""
    found = {}
    for event, component in keys:
        label = await ask_label(env, data.tenant_id, event, component)
        if label is None:
            break  # what fails once fails the next time too, and each failure may take long
        found[event, component] = label
        values = (event, component or "", label.intent, label.sentiment, now_ms)
        await data.change(_REMEMBER, *values)
    return found
