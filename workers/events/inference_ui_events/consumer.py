"""The queue's messages, one by one: what fails is tried again, and in the end kept as a dead letter."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from .dead_letters import keep_dead_letter
from .intake import BadMessage, take_message
from .rpc import now_ms
from .store import QuotaExceeded

DEAD_SUFFIX: Final = "-dead"


async def consume(batch: Any, env: Any) -> None:
    """Process a batch; each message is acknowledged or retried by itself."""
    is_dead = str(batch.queue).endswith(DEAD_SUFFIX)
    for message in batch.messages:
        body = _body(message)
        try:
            if is_dead:
                await _keep(env, message, body, "it failed every time; the worker's log says why")
            else:
                await _take(env, message, body)
        except Exception as error:
            print(f"queue {batch.queue}: message {message.id} is tried again: {error}")  # for the worker's log
            message.retry()
        else:
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
