"""What the streaming worker's generations cost: it writes `ai_usage`, this reads it."""

from __future__ import annotations

from typing import Any

from pyodide.ffi import JsException

_SQL = """SELECT model, count(*) AS requests, sum(outcome = 'error') AS errors, sum(outcome = 'cancelled') AS cancelled,
  sum(coalesce(prompt_tokens, 0)) AS promptTokens, sum(completion_tokens) AS completionTokens,
  avg(first_token_ms) AS firstTokenMs
FROM ai_usage WHERE tenant_id = ?1 AND created_at_ms >= ?2 GROUP BY model ORDER BY requests DESC, model"""


async def list_model_usage(db: Any, tenant_id: str, *, from_ms: int | None) -> list[dict[str, Any]]:
    """Return the usage by model, the most used first; nothing where no generation has ever run."""
    try:
        found = await db.prepare(_SQL).bind(tenant_id, from_ms or 0).all()
    except JsException as error:
        if "no such table" in error.message:  # the streaming worker makes it with its first generation
            return []
        raise
    return [dict(row) for row in found["results"]]
