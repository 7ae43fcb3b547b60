"""What generations cost: a row in D1, a data point in Analytics Engine."""

from __future__ import annotations

import uuid
from typing import Any

from .generation import Outcome, now_ms
from .generation_requests import GenerationRequest
from .migrations import ensure_schema

_INSERT = """INSERT INTO ai_usage (id, tenant_id, endpoint, model, outcome, error, prompt_tokens, completion_tokens,
  first_token_ms, duration_ms, created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"""
MAX_ERROR_CHARACTERS = 500


async def record_usage(env: Any, tenant_id: str, request: GenerationRequest, outcome: Outcome) -> None:
    """Write one generation's usage; a store that fails is reported in the log and holds nothing up."""
    try:
        _write_point(env.ANALYTICS, tenant_id, request, outcome)
    except Exception as error:
        print(f"usage: the data point was not written: {error}")  # the worker's log
    try:
        await _insert(env.DB, tenant_id, request, outcome)
    except Exception as error:
        print(f"usage: the row was not written: {error}")


async def _insert(db: Any, tenant_id: str, request: GenerationRequest, outcome: Outcome) -> None:
    await ensure_schema(db)
    usage = outcome.usage
    values = (
        str(uuid.uuid4()),
        tenant_id,
        request.endpoint,
        request.model,
        outcome.result,
        None if outcome.error is None else outcome.error[:MAX_ERROR_CHARACTERS],
        usage.prompt_tokens,
        usage.completion_tokens,
        outcome.first_token_ms,
        outcome.duration_ms,
        now_ms(),
    )
    await db.prepare(_INSERT).bind(*values).run()


def _write_point(analytics: Any, tenant_id: str, request: GenerationRequest, outcome: Outcome) -> None:
    """index: tenant; blobs: kind, endpoint, model, outcome; doubles: first token, duration (ms), prompt, completion
    tokens. A generation without a first token has -1 there.
    """
    first_token_ms = -1 if outcome.first_token_ms is None else outcome.first_token_ms
    tokens = (outcome.usage.prompt_tokens or 0, outcome.usage.completion_tokens)
    analytics.writeDataPoint(
        {
            "indexes": [tenant_id[:96]],
            "blobs": ["generation", request.endpoint, request.model, outcome.result],
            "doubles": [first_token_ms, outcome.duration_ms, *tokens],
        }
    )
