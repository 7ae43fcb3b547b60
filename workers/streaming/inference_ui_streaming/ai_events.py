"""What a text model of Workers AI streams, in each of the platform's dialects, as one kind of event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from .tools import ToolDelta, read_deltas

DONE = "[DONE]"
_REASONS: Final = {"stop": "stop", "length": "length", "tool_calls": "tool-calls"}


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one generation; ``prompt_tokens`` is None where the model did not say."""

    prompt_tokens: int | None
    completion_tokens: int

    def as_json(self) -> dict[str, int]:
        """Return it as answers say it."""
        prompt = self.prompt_tokens or 0
        return {
            "promptTokens": prompt,
            "completionTokens": self.completion_tokens,
            "totalTokens": prompt + self.completion_tokens,
        }


@dataclass(frozen=True, slots=True)
class AIEvent:
    """One event of a model's stream: a piece of text, pieces of calls, the usage, an error, or several of these.

    Attributes:
        finish_reason: stop, length or tool-calls; None where the event does not say.
        is_end: nothing comes after it.
    """

    text: str = ""
    usage: Usage | None = None
    error: str | None = None
    calls: tuple[ToolDelta, ...] = ()
    finish_reason: str | None = None
    is_end: bool = False


def read_event(data: str) -> AIEvent:
    """Read the data of one server-sent event.

    Understands the platform's own frames (`{"response": ...}`), OpenAI's chunks and the Responses API's deltas; what it
    does not know is an empty event.
    """
    if data == DONE:
        return AIEvent(is_end=True)
    try:
        frame = json.loads(data)
    except ValueError:
        return AIEvent(error="the model sent a frame that is no JSON")
    if not isinstance(frame, Mapping):
        return AIEvent()
    if frame.get("error") or frame.get("errors"):
        return AIEvent(error=_error_text(frame.get("error") or frame["errors"]))
    return _event(frame)


def whole_answer(result: Any) -> AIEvent:
    """Read an answer that did not come as a stream."""
    if isinstance(result, Mapping):
        return replace(_event(result), is_end=True)
    return AIEvent(text=_as_text(result), is_end=True)


def _event(frame: Mapping[str, Any]) -> AIEvent:
    choice = _first_choice(frame)
    calls, reason = frame.get("tool_calls"), frame.get("finish_reason")
    if choice is not None:
        part = choice.get("delta") or choice.get("message")
        calls = part.get("tool_calls") if isinstance(part, Mapping) else None
        reason = choice.get("finish_reason")
    reason = _REASONS.get(reason) if isinstance(reason, str) else None
    return AIEvent(text=_text(frame), usage=_usage(frame), calls=read_deltas(calls), finish_reason=reason)


def _first_choice(frame: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = frame.get("choices")
    if not isinstance(choices, list):
        return None
    return choices[0] if choices and isinstance(choices[0], Mapping) else {}


def _text(frame: Mapping[str, Any]) -> str:
    first = _first_choice(frame)
    if first is not None:
        part = first.get("delta") or first.get("message") or {}
        return _as_text(part.get("content")) if isinstance(part, Mapping) else ""
    if frame.get("type") == "response.output_text.delta":
        return _as_text(frame.get("delta"))
    for key in ("response", "content"):
        if frame.get(key) is not None and not isinstance(frame.get("type"), str):
            return _as_text(frame[key])
    return ""


def _as_text(value: Any) -> str:
    """Return a token as text: the platform sends some as numbers, and JSON mode sends values."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _usage(frame: Mapping[str, Any]) -> Usage | None:
    usage = frame.get("usage")
    if usage is None and isinstance(frame.get("response"), Mapping):
        usage = frame["response"].get("usage")  # response.completed of the Responses API
    if not isinstance(usage, Mapping):
        return None
    prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
    completion = usage.get("completion_tokens", usage.get("output_tokens"))
    if not isinstance(completion, int):
        return None
    return Usage(prompt if isinstance(prompt, int) else None, completion)


def _error_text(error: Any) -> str:
    if isinstance(error, list):
        error = error[0] if error else "unknown error"
    if isinstance(error, Mapping):
        error = error.get("message", "unknown error")
    return str(error)
