"""Conversations: the two shapes that clients send, made into what a text model takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .web import invalid

ROLES = ("user", "assistant", "system", "tool")
MAX_MESSAGES = 500


def read_messages(value: Any) -> list[dict[str, str]]:
    """Return `{"role", "content"}` of each message that says something.

    A message has `parts` (`[{"type": "text", "text": ...}]`, as the React client sends) or `content` (a string or such
    parts, as OpenAI's clients send). Texts are joined with a line break; a tool's result is its JSON; other parts are
    not for a text model.

    Raises:
        HttpError: 400, which names the message.
    """
    if not isinstance(value, list):
        raise invalid("messages", "required")
    if len(value) > MAX_MESSAGES:
        raise invalid("messages", f"must be at most {MAX_MESSAGES}")
    messages = [_message(f"messages[{index}]", item) for index, item in enumerate(value)]
    spoken = [message for message in messages if message["content"]]
    if not spoken:
        raise invalid("messages", "must hold a message with text")
    return spoken


def _message(path: str, message: Any) -> dict[str, str]:
    if not isinstance(message, Mapping):
        raise invalid(path, "must be an object")
    role = message.get("role")
    if role not in ROLES:
        raise invalid(f"{path}.role", f"must be one of {', '.join(ROLES)}")
    parts, content = message.get("parts"), message.get("content")
    if parts is not None:
        return {"role": role, "content": _join(f"{path}.parts", parts)}
    if isinstance(content, str):
        return {"role": role, "content": content}
    if content is None and role == "assistant":
        return {"role": role, "content": ""}  # a turn that only called tools
    if content is None:
        raise invalid(path, "must have parts or content")
    return {"role": role, "content": _join(f"{path}.content", content)}


def _join(path: str, parts: Any) -> str:
    if not isinstance(parts, list):
        raise invalid(path, "must be a list of parts")
    return "\n".join(text for index, part in enumerate(parts) if (text := _part(f"{path}[{index}]", part)))


def _part(path: str, part: Any) -> str:
    if not isinstance(part, Mapping):
        raise invalid(path, "must be an object")
    if part.get("type") == "text":
        text = part.get("text")
        if not isinstance(text, str):
            raise invalid(f"{path}.text", "must be a string")
        return text
    if part.get("type") == "tool-result" and "result" in part:
        result = part["result"]
        return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    if not isinstance(part.get("type"), str):
        raise invalid(f"{path}.type", "must be a string")
    return ""
