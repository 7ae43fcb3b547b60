"""The wire formats that a generation can be sent in.

Chosen by `?protocol=` or by the header that Vercel's AI SDK names its formats with; without either it is the superset
of frames that the Inference UI clients read.

Source: ai-sdk.dev/docs/ai-sdk-ui/stream-protocol; the published clients, see frames.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from . import frames
from .ai_events import Usage
from .tools import ToolCall

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_TEXT_ID: Final = "0"
_HEADERS: Final = {
    "cache-control": "no-cache",
    "x-accel-buffering": "no",  # proxies of the nginx family would hold tokens back
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a message ended.

    Attributes:
        created_at: ISO 8601, UTC.
        finish_reason: stop, length or tool-calls.
    """

    message_id: str
    text: str
    calls: Sequence[ToolCall]
    usage: Usage
    created_at: str
    finish_reason: str


class WireFormat(Protocol):
    """What a generation is written in; one object for each generation."""

    headers: Mapping[str, str]
    # Whether an error after the first token has to cut the connection, because nothing in the format can say it.
    cuts_on_error: bool

    def start(self, endpoint: str, message_id: str, chat_id: str | None) -> bytes:
        """Return what comes before the first token."""
        ...

    def text(self, text: str) -> bytes:
        """Return one token."""
        ...

    def end(self, ending: Ending) -> bytes:
        """Return what comes after the last token: the calls of tools, and the end."""
        ...

    def error(self, message: str) -> bytes:
        """Return the error that ends a stream."""
        ...


class SupersetFrames:
    """The frames of the Inference UI clients."""

    headers: Mapping[str, str] = {**_HEADERS, "content-type": "text/event-stream"}
    cuts_on_error = True  # the published React client takes no notice of error frames

    def start(self, endpoint: str, message_id: str, chat_id: str | None) -> bytes:  # noqa: ARG002
        """Return the start frame."""
        return frames.chat_start(chat_id) if endpoint == "chat" else frames.plain_start()

    def text(self, text: str) -> bytes:
        """Return a part."""
        return frames.text_part(text)

    def end(self, ending: Ending) -> bytes:
        """Return the calls, the whole message, and the two ends that clients wait for."""
        calls = b"".join(frames.tool_call(call) for call in ending.calls)
        return calls + frames.end(
            ending.message_id, ending.text, ending.calls, created_at=ending.created_at, usage=ending.usage
        )

    def error(self, message: str) -> bytes:
        """Return an error frame."""
        return frames.error(message)


class UIMessageStream:
    """The AI SDK's UI message stream, version 1."""

    headers: Mapping[str, str] = {
        **_HEADERS,
        "content-type": "text/event-stream",
        "x-vercel-ai-ui-message-stream": "v1",
    }
    cuts_on_error = False

    def __init__(self) -> None:
        self._has_text = False

    def start(self, endpoint: str, message_id: str, chat_id: str | None) -> bytes:  # noqa: ARG002
        """Return the start of the message and of its only step."""
        return _sse({"type": "start", "messageId": message_id}) + _sse({"type": "start-step"})

    def text(self, text: str) -> bytes:
        """Return a delta, the first one with the start of the text."""
        delta = f'data: {{"type":"text-delta","id":"{_TEXT_ID}","delta":{_encode(text)}}}\n\n'.encode()
        if self._has_text:
            return delta
        self._has_text = True
        return _sse({"type": "text-start", "id": _TEXT_ID}) + delta

    def end(self, ending: Ending) -> bytes:
        """Return the end of the text, the calls, and the end of step and message."""
        parts: list[Mapping[str, Any]] = [{"type": "text-end", "id": _TEXT_ID}] if self._has_text else []
        parts += [
            {"type": "tool-input-available", "toolCallId": call.id, "toolName": call.name, "input": call.arguments}
            for call in ending.calls
        ]
        metadata = {"usage": ending.usage.as_json()}
        finish = {"type": "finish", "finishReason": ending.finish_reason, "messageMetadata": metadata}
        parts += [{"type": "finish-step"}, finish]
        return b"".join(map(_sse, parts)) + frames.DONE_MARK

    def error(self, message: str) -> bytes:
        """Return the error part."""
        return _sse({"type": "error", "errorText": message}) + frames.DONE_MARK


class TextStream:
    """Plain text: the AI SDK's text stream, and what its `useObject` reads."""

    headers: Mapping[str, str] = {**_HEADERS, "content-type": "text/plain; charset=utf-8"}
    cuts_on_error = True

    def start(self, endpoint: str, message_id: str, chat_id: str | None) -> bytes:  # noqa: ARG002
        """Return nothing."""
        return b""

    def text(self, text: str) -> bytes:
        """Return the text."""
        return text.encode()

    def end(self, ending: Ending) -> bytes:  # noqa: ARG002
        """Return nothing."""
        return b""

    def error(self, message: str) -> bytes:  # noqa: ARG002
        """Return nothing."""
        return b""


class DataStream:
    """The data stream of the AI SDK 4, version 1."""

    headers: Mapping[str, str] = {
        **_HEADERS,
        "content-type": "text/plain; charset=utf-8",
        "x-vercel-ai-data-stream": "v1",
    }
    cuts_on_error = False

    def start(self, endpoint: str, message_id: str, chat_id: str | None) -> bytes:  # noqa: ARG002
        """Return the message's id."""
        return _line("f", {"messageId": message_id})

    def text(self, text: str) -> bytes:
        """Return a text part."""
        return _line("0", text)

    def end(self, ending: Ending) -> bytes:
        """Return the calls, and the end of step and message."""
        calls = [{"toolCallId": call.id, "toolName": call.name, "args": call.arguments} for call in ending.calls]
        usage = {"promptTokens": ending.usage.prompt_tokens, "completionTokens": ending.usage.completion_tokens}
        finish = {"finishReason": ending.finish_reason, "usage": usage}
        step = {**finish, "isContinued": False}
        return b"".join(_line("9", call) for call in calls) + _line("e", step) + _line("d", finish)

    def error(self, message: str) -> bytes:
        """Return an error part."""
        return _line("3", message)


FORMATS: Final[Mapping[str, type[WireFormat]]] = {
    "inference-ui": SupersetFrames,
    "ui-message": UIMessageStream,
    "text": TextStream,
    "data-v1": DataStream,
}


def choose_format(query: str | None, headers: Mapping[str, str | None]) -> str | None:
    """Return the name of the format that a request asks for; None where there is none of that name.

    Args:
        query: the value of `?protocol=`.
        headers: the AI SDK's two headers, by name.
    """
    if query is not None:
        return query if query in FORMATS else None
    if headers.get("x-vercel-ai-ui-message-stream") == "v1":
        return "ui-message"
    return "data-v1" if headers.get("x-vercel-ai-data-stream") == "v1" else "inference-ui"


def _sse(part: Mapping[str, Any]) -> bytes:
    return f"data: {_encode(part)}\n\n".encode()


def _line(kind: str, value: Any) -> bytes:
    return f"{kind}:{_encode(value)}\n".encode()
