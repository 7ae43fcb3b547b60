"""What a tenant has used this month, and what its generations cost: the streaming worker writes `ai_usage`."""

from __future__ import annotations

from typing import Any

from pyodide.ffi import JsException

from .identity import Identity
from .quotas import month
from .tenancy import TenantData
from .tiers import level, percentage

_MODELS = """SELECT model, count(*) AS requests, sum(outcome = 'error') AS errors,
  sum(outcome = 'cancelled') AS cancelled, sum(coalesce(prompt_tokens, 0)) AS promptTokens,
  sum(completion_tokens) AS completionTokens, avg(first_token_ms) AS firstTokenMs
FROM ai_usage WHERE tenant_id = ?1 AND created_at_ms >= ?2 GROUP BY model ORDER BY requests DESC, model"""
_USAGE = """SELECT coalesce(max(events_count), 0) AS events, coalesce(max(ai_requests_count), 0) AS ai_requests,
  (SELECT count(*) FROM flows WHERE tenant_id = ?1) AS flows
FROM usage WHERE tenant_id = ?1 AND month = ?2"""


async def list_model_usage(data: TenantData, *, from_ms: int | None) -> list[dict[str, Any]]:
    """Return the usage by model, the most used first; nothing where no generation has ever run."""
    try:
        return await data.rows(_MODELS, from_ms or 0)
    except JsException as error:
        if "no such table" in error.message:  # the streaming worker makes it with its first generation
            return []
        raise


async def read_usage(data: TenantData, *, now_ms: int) -> dict[str, int]:
    """Return GraphQL's `Usage` of the current month."""
    row = await data.row(_USAGE, month(now_ms))
    assert row is not None  # an aggregate has a row
    return {
        "eventsThisMonth": row["events"],
        "flowsCount": row["flows"],
        "aiRequestsThisMonth": row["ai_requests"],
    }


async def read_usage_metrics(data: TenantData, identity: Identity, *, now_ms: int) -> dict[str, Any]:
    """Return GraphQL's `UsageMetrics`."""
    usage = await read_usage(data, now_ms=now_ms)
    tier = identity.tier
    figures = {
        "events": (usage["eventsThisMonth"], tier.events_per_month),
        "flows": (usage["flowsCount"], tier.max_flows),
        "aiRequests": (usage["aiRequestsThisMonth"], tier.ai_requests_per_month),
    }
    return {
        "userId": identity.user_id,
        "tier": tier.name.upper(),
        "eventsThisMonth": usage["eventsThisMonth"],
        "eventsLimit": tier.events_per_month,
        "aiRequestsThisMonth": usage["aiRequestsThisMonth"],
        "aiRequestsLimit": tier.ai_requests_per_month,
        "usage": usage,
        "limits": tier.limits(),
        "warnings": {name: level(*figure) for name, figure in figures.items()},
        "percentages": {name: percentage(*figure) for name, figure in figures.items()},
    }
