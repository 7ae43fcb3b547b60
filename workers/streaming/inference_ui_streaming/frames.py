"""The frames that clients read: one line of JSON each, after `data: ` and before an empty line.

They satisfy three kinds of reader at once: the documented protocol reads `type` and `part`, the published React client
takes a text part from every frame that has a top-level `text`, and others stop at `[DONE]`. Nothing else may be sent:
the React client shows comments, `event:` lines and CRs as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .ai_events import Usage
from .tools import ToolCall

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
DONE_MARK = b"data: [DONE]\n\n"
DONE = b'data: {"type":"done"}\n\n' + DONE_MARK


def chat_start(chat_id: str | None) -> bytes:
    """Return the first frame of a chat."""
    metadata = {} if chat_id is None else {"chatId": chat_id}
    return _frame({"type": "message-start", "message": {"role": "assistant", "parts": [], "metadata": metadata}})


def plain_start() -> bytes:
    """Return the first frame of a completion or an object."""
    return _frame({"type": "message-start", "message": {"metadata": {}}})


def text_part(text: str) -> bytes:
    """Return the frame of one token."""
    quoted = _encode(text)  # by hand: this runs for every token
    frame = f'data: {{"type":"message-part","part":{{"type":"text","text":{quoted}}},"text":{quoted}}}\n\n'
    return frame.encode()


def tool_call(call: ToolCall) -> bytes:
    """Return a call of a tool twice: as the documented protocol has it, and as the published React client reads it."""
    return _frame({"type": "message-part", "part": _call_part(call)}) + _frame(
        {"type": "tool-call", "id": call.id, "name": call.name, "args": call.arguments}
    )


def end(message_id: str, text: str, calls: Sequence[ToolCall] = (), *, created_at: str, usage: Usage) -> bytes:
    """Return the frames that end a message: all of its parts, and what it cost.

    Args:
        created_at: ISO 8601, UTC.
    """
    message: dict[str, Any] = {
        "id": message_id,
        "role": "assistant",
        "parts": [*([{"type": "text", "text": text}] if text else []), *map(_call_part, calls)],
        "createdAt": created_at,
        "usage": usage.as_json(),
    }
    return _frame({"type": "message-end", "message": message}) + DONE


def error(message: str) -> bytes:
    """Return the frame that comes before a stream is cut."""
    return _frame({"type": "error", "error": {"message": message}})


def _call_part(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool-call", "toolCallId": call.id, "toolName": call.name, "args": call.arguments}


def _frame(value: Mapping[str, Any]) -> bytes:
    return f"data: {_encode(value)}\n\n".encode()
