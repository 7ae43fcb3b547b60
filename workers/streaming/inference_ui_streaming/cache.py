"""Answers that are kept in KV, each tenant's for itself, and replayed as the stream they were.

What is kept: answers that a model would give again, which are those of temperature 0, and those whose request says
`"cache": true`. `"cache": false`, `Cache-Control: no-cache` and a regenerated message go past it.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .ai_events import AIEvent, Usage
from .generation_requests import GenerationRequest
from .tools import ToolCall, ToolDelta

TTL_S: Final = 3600
MAX_CHARACTERS: Final = 262_144
VERSION: Final = 1  # of what is kept: raised when its shape changes


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes:
        pieces: its text as it came.
    """

    model: str
    pieces: list[str]
    calls: list[ToolCall]
    usage: Usage
    finish_reason: str


class ReplayedStream:
    """An answer from the cache, with the members of an `AIStream`."""

    def __init__(self, answer: Answer) -> None:
        events = [AIEvent(text=piece) for piece in answer.pieces]
        calls = tuple(ToolDelta(None, call.id, call.name, json.dumps(call.arguments)) for call in answer.calls)
        end = AIEvent(calls=calls, usage=answer.usage, finish_reason=answer.finish_reason, is_end=True)
        self._events = deque([*events, end])
        self.is_cancelled = False

    async def next(self) -> AIEvent:
        """Return the next event; an end event after the last."""
        return self._events.popleft() if self._events else AIEvent(is_end=True)

    @property
    def has_ready(self) -> bool:
        """Tell whether `next` may be called again before what there is has been sent: pieces stay pieces."""
        return False

    async def cancel(self) -> None:
        """Stop; there is no model to stop."""
        self.is_cancelled = True
        self._events.clear()


def cache_key(tenant_id: str, request: GenerationRequest) -> str:
    """Return where an answer is kept: the tenant, and the hash of all that the answer depends on."""
    content = [
        VERSION,
        request.endpoint,
        request.model,
        request.messages,
        request.temperature,
        request.max_tokens,
        request.schema,
        request.tools,
        request.tool_choice,
    ]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    tenant = hashlib.sha256(tenant_id.encode()).hexdigest()[:32]  # of one length, whatever the id
    return f"answers/{tenant}/{hashlib.sha256(text.encode()).hexdigest()}"


async def read_answer(kv: Any, key: str) -> Answer | None:
    """Return a kept answer; None also where KV fails, for an answer can be made without it."""
    try:
        text = await kv.get(key)
        return None if not isinstance(text, str) else _decode(json.loads(text))
    except Exception as error:
        print(f"cache: not read: {error}")  # for the worker's log
        return None


async def keep_answer(kv: Any, key: str, answer: Answer) -> None:
    """Keep an answer for an hour, unless it is very long."""
    if sum(map(len, answer.pieces)) > MAX_CHARACTERS:
        return
    try:
        await kv.put(key, _encode(answer), expirationTtl=TTL_S)
    except Exception as error:
        print(f"cache: not written: {error}")  # for the worker's log


def _encode(answer: Answer) -> str:
    calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in answer.calls]
    usage = [answer.usage.prompt_tokens, answer.usage.completion_tokens]
    kept = {
        "model": answer.model,
        "pieces": answer.pieces,
        "calls": calls,
        "usage": usage,
        "finishReason": answer.finish_reason,
    }
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def _decode(kept: Mapping[str, Any]) -> Answer:
    calls = [ToolCall(call["id"], call["name"], call["arguments"]) for call in kept["calls"]]
    return Answer(kept["model"], list(kept["pieces"]), calls, Usage(*kept["usage"]), kept["finishReason"])
