"""Conversations: the two shapes that clients send, made into what a text model takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .web import invalid

ROLES = ("user", "assistant", "system", "tool")
MAX_MESSAGES = 500
MAX_CHARACTERS = 131_072  # of a message: the platform's own limit


def read_messages(value: Any) -> list[dict[str, str]]:
    """Return `{"role", "content"}` of each message that says something.

    A message has `parts` (`[{"type": "text", "text": ...}]`, as the React client sends) or `content` (a string or such
    parts, as OpenAI's clients send), which also counts beside an empty list of parts. Texts are joined with a line
    break; a tool's result is its JSON, and a message of its own where it stands in the assistant's turn, as the AI SDK
    has it; other parts are not for a text model.

    Raises:
        HttpError: 400, which names the message.
    """
    if not isinstance(value, list):
        raise invalid("messages", "required")
    if len(value) > MAX_MESSAGES:
        raise invalid("messages", f"must be at most {MAX_MESSAGES}")
    messages: list[dict[str, str]] = []
    for index, item in enumerate(value):
        read = _messages(f"messages[{index}]", item)
        if max(len(message["content"]) for message in read) > MAX_CHARACTERS:
            raise invalid(f"messages[{index}]", f"must have at most {MAX_CHARACTERS} characters of text")
        messages += read
    spoken = [message for message in messages if message["content"]]
    if not spoken:
        raise invalid("messages", "must hold a message with text")
    return spoken


def _messages(path: str, message: Any) -> list[dict[str, str]]:
    """Return a message, and the results of tools that stand in it."""
    plain = _message(path, message)
    parts = message.get("parts") if plain["role"] == "assistant" else None
    outputs = [part["output"] for part in parts or () if _is_tool_output(part)]
    return [plain, *({"role": "tool", "content": _as_text(output)} for output in outputs)]


def _is_tool_output(part: Any) -> bool:
    """Tell whether a part is the AI SDK's `tool-<name>` or `dynamic-tool` with its output."""
    kind = part.get("type")
    return isinstance(kind, str) and (kind == "dynamic-tool" or kind.startswith("tool-")) and "output" in part


def _message(path: str, message: Any) -> dict[str, str]:
    if not isinstance(message, Mapping):
        raise invalid(path, "must be an object")
    role = message.get("role")
    if role not in ROLES:
        raise invalid(f"{path}.role", f"must be one of {', '.join(ROLES)}")
    parts, content = message.get("parts"), message.get("content")
    if parts or (parts is not None and not isinstance(content, str)):
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
        return _as_text(part["result"])
    if part.get("type") == "tool-result" and "output" in part and "state" not in part:  # with it, a tool named "result"
        return _as_text(_output(part["output"]))
    if not isinstance(part.get("type"), str):
        raise invalid(f"{path}.type", "must be a string")
    return ""


def _output(output: Any) -> Any:
    """Return what a tool gave, of the AI SDK's `{"type": "text" | "json" | ..., "value"}`."""
    return output["value"] if isinstance(output, Mapping) and "value" in output and "type" in output else output


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
