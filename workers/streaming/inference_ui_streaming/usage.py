"""What generations cost: a row in D1, a data point in Analytics Engine."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from .generation import Outcome, now_ms
from .generation_requests import GenerationRequest
from .migrations import ensure_schema

_INSERT = """INSERT INTO ai_usage (id, tenant_id, endpoint, model, outcome, error, prompt_tokens, completion_tokens,
  first_token_ms, duration_ms, created_at_ms, cached, fallback_from, finish_reason, request_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"""
MAX_ERROR_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a generation is for, as the API worker says.

    Attributes:
        request_id: names the request in every worker's log.
        token_cap: the most tokens that the caller's tier may have in one generation.
    """

    tenant_id: str
    request_id: str | None
    token_cap: int


async def record_usage(env: Any, caller: Caller, request: GenerationRequest, outcome: Outcome) -> None:
    """Write one generation's usage; a store that fails is reported in the log and holds nothing up."""
    try:
        _write_point(env.ANALYTICS, caller.tenant_id, request, outcome)
    except Exception as error:
        print(f"usage: the data point was not written: {error}")  # the worker's log
    try:
        await _insert(env.DB, caller, request, outcome)
    except Exception as error:
        print(f"usage: the row was not written: {error}")


async def _insert(db: Any, caller: Caller, request: GenerationRequest, outcome: Outcome) -> None:
    await ensure_schema(db)
    usage = outcome.usage
    values = (
        str(uuid.uuid4()),
        caller.tenant_id,
        request.endpoint,
        outcome.model,
        outcome.result,
        None if outcome.error is None else outcome.error[:MAX_ERROR_CHARACTERS],
        usage.prompt_tokens,
        usage.completion_tokens,
        outcome.first_token_ms,
        outcome.duration_ms,
        now_ms(),
        int(outcome.cache == "hit"),
        request.model if request.model != outcome.model else None,
        outcome.finish_reason,
        caller.request_id,
    )
    await db.prepare(_INSERT).bind(*values).run()


def _write_point(analytics: Any, tenant_id: str, request: GenerationRequest, outcome: Outcome) -> None:
    """index: tenant; blobs: kind, endpoint, model, outcome, cache; doubles: first token, duration (ms), prompt,
    completion tokens. A generation without a first token has -1 there.
    """
    first_token_ms = -1 if outcome.first_token_ms is None else outcome.first_token_ms
    tokens = (outcome.usage.prompt_tokens or 0, outcome.usage.completion_tokens)
    analytics.writeDataPoint(
        {
            "indexes": [tenant_id[:96]],
            "blobs": ["generation", request.endpoint, outcome.model, outcome.result, outcome.cache],
            "doubles": [first_token_ms, outcome.duration_ms, *tokens],
        }
    )
