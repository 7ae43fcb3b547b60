"""What generations took and how they ended: the streaming worker writes `ai_usage`, this reads it."""

from __future__ import annotations

from typing import Any

from .actors import Values
from .arguments import Arguments
from .failures import NotReady
from .tenancy import TenantData

_QUANTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))


async def streaming_metrics(data: TenantData, arguments: Arguments) -> dict[str, Any]:
    """Return figures of the generations in a `timeRange`: counts, tokens, the error rate (0 to 1), and `firstTokenMs`
    and `durationMs`, each `{"p50", "p95", "p99"}` or null; the nearest rank.
    """
    values = Values()
    time_range = arguments.time_range()
    start, end = values.add(time_range.start_ms), values.add(time_range.end_ms)
    where = f"tenant_id = ?1 AND created_at_ms BETWEEN {start} AND {end}"
    total = (
        "SELECT count(*) AS requests, count(nullif(outcome = 'error', 0)) AS errors, "
        "count(nullif(outcome = 'cancelled', 0)) AS cancelled, coalesce(sum(prompt_tokens), 0) AS promptTokens, "
        f"coalesce(sum(completion_tokens), 0) AS completionTokens FROM ai_usage WHERE {where}"
    )
    statements = [
        (sql, values.list) for sql in (total, _quantiles("first_token_ms", where), _quantiles("duration_ms", where))
    ]
    try:
        results = await data.transaction(statements)
    except NotReady:  # the streaming worker makes the table with its first generation
        return _empty()
    [totals], [first_token], [duration] = (rows for rows, _ in results)
    return {
        **totals,
        "errorRate": totals["errors"] / totals["requests"] if totals["requests"] else 0,
        "firstTokenMs": first_token,
        "durationMs": duration,
    }


def _quantiles(column: str, where: str) -> str:
    wanted = ", ".join(f"min(iif(place >= {share} * n, value, NULL)) AS {name}" for name, share in _QUANTILES)
    return (
        f"SELECT {wanted} FROM (SELECT {column} AS value, row_number() OVER (ORDER BY {column}) AS place, "
        f"count(*) OVER () AS n FROM ai_usage WHERE {where} AND {column} IS NOT NULL)"
    )


def _empty() -> dict[str, Any]:
    none = {name: None for name, _ in _QUANTILES}
    counts = ("requests", "errors", "cancelled", "promptTokens", "completionTokens")
    return {**dict.fromkeys(counts, 0), "errorRate": 0, "firstTokenMs": none, "durationMs": dict(none)}
