"""The queue's messages, one by one: what fails is tried again, and in the end kept as a dead letter."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Any, Final

from .dead_letters import keep_dead_letter
from .enrichment import enrich
from .intake import BadMessage, read_announcement, take_message
from .rpc import now_ms
from .store import QuotaExceeded
from .tenancy import TenantData

DEAD_SUFFIX: Final = "-dead"


async def consume(batch: Any, env: Any) -> None:
    """Process a batch. Each message is acknowledged or retried by itself, but all that only want enrichment go
    through it together, tenant by tenant: a busy tenant's events come in many small messages.
    """
    is_dead = str(batch.queue).endswith(DEAD_SUFFIX)
    waiting: dict[str, list[tuple[Any, list[str]]]] = {}
    for message in batch.messages:
        body = _body(message)
        announced = None if is_dead else read_announcement(body)
        if announced is not None:
            waiting.setdefault(announced.tenant_id, []).append((message, announced.ids))
        elif is_dead:
            await _settle([message], _keep(env, message, body, "it failed every time; the worker's log says why"))
        else:
            await _settle([message], _take(env, message, body))
    for tenant_id, announced_messages in waiting.items():
        ids = [each for _, ids in announced_messages for each in ids]
        messages = [message for message, _ in announced_messages]
        await _settle(messages, enrich(env, TenantData(env, tenant_id), ids, now_ms=now_ms()))


async def _settle(messages: Sequence[Any], work: Awaitable[object]) -> None:
    """Acknowledge messages when their work is done; where it fails, have them delivered again."""
    try:
        await work
    except Exception as error:
        ids = ", ".join(str(message.id) for message in messages)
        print(f"queue: tried again are {ids}: {error}")  # for the worker's log
        for message in messages:
            message.retry()
    else:
        for message in messages:
            message.ack()


async def _take(env: Any, message: Any, body: Any) -> None:
    try:
        await take_message(env, body, now_ms=now_ms())
    except (BadMessage, QuotaExceeded) as error:
        await _keep(env, message, body, str(error))  # trying again would not help


async def _keep(env: Any, message: Any, body: Any, reason: str) -> None:
    await keep_dead_letter(
        env,
        str(message.id),
        body,
        reason=reason,
        attempts=int(message.attempts),
        sent_at_ms=_time_ms(message.timestamp),
        now_ms=now_ms(),
    )


def _body(message: Any) -> Any:
    """Return a message's body as JSON values; None where it has no JSON form."""
    body = message.body
    body = body.to_py() if hasattr(body, "to_py") else body
    try:
        return json.loads(json.dumps(body))
    except (TypeError, ValueError):
        return None


def _time_ms(moment: Any) -> int:
    """Return a message's time: the SDK makes a datetime of it, in the machine's time zone."""
    seconds = moment.timestamp() if isinstance(moment, datetime) else moment.getTime() / 1000
    return round(seconds * 1000)
