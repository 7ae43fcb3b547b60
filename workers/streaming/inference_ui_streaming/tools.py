"""Tools: what clients offer a model, and the calls that it makes of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .web import invalid
from .zod import is_zod_map, zod_to_json_schema

MAX_TOOLS: Final = 64
MAX_TOOL_CHARACTERS: Final = 65_536
_CHOICES: Final = ("auto", "none", "required")


@dataclass(frozen=True, slots=True)
class ToolDelta:
    """A piece of a call, as models stream it.

    Attributes:
        index: which call it belongs to; None: it is a whole one.
        arguments: JSON text, or a part of it.
    """

    index: int | None
    id: str | None
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool; the client runs it."""

    id: str
    name: str
    arguments: Any


class ToolCalls:
    """Puts calls together from their pieces."""

    def __init__(self) -> None:
        self._calls: dict[int, list[str]] = {}

    def add(self, deltas: Iterable[ToolDelta]) -> None:
        """Take pieces."""
        for delta in deltas:
            index = len(self._calls) if delta.index is None else delta.index
            call = self._calls.setdefault(index, ["", "", ""])
            call[0] = call[0] or (delta.id or "")
            call[1] = call[1] or delta.name
            call[2] += delta.arguments

    def finish(self) -> list[ToolCall]:
        """Return the calls, in order; arguments that are no JSON stay text."""
        return [
            ToolCall(call_id or f"call_{uuid.uuid4().hex[:24]}", name, _parse(arguments))
            for _, (call_id, name, arguments) in sorted(self._calls.items())
            if name
        ]


def read_deltas(value: Any) -> tuple[ToolDelta, ...]:
    """Read a frame's `tool_calls`: the platform's own, which are whole, or OpenAI's, which come in pieces."""
    if not isinstance(value, list):
        return ()
    return tuple(_delta(call) for call in value if isinstance(call, Mapping))


def read_tools(value: Any) -> list[dict[str, Any]]:
    """Return tools in OpenAI's form, which the platform takes.

    Accepted are lists of `{"name", "description", "parameters"}` (the React client's, whose parameters are zod's own
    fields) and of OpenAI's form, and a map from names to `{"description", "parameters" | "inputSchema"}`.

    Raises:
        HttpError: 400, which names the tool.
    """
    if value is None:
        return []
    items = (
        [{"name": name, **_mapping(f"tools.{name}", tool)} for name, tool in value.items()]
        if isinstance(value, Mapping)
        else value
    )
    if not isinstance(items, list) or len(items) > MAX_TOOLS:
        raise invalid("tools", f"must be a list of at most {MAX_TOOLS} tools")
    tools = [_tool(f"tools[{index}]", item) for index, item in enumerate(items)]
    if len(json.dumps(tools)) > MAX_TOOL_CHARACTERS:
        raise invalid("tools", f"must be at most {MAX_TOOL_CHARACTERS} characters")
    return tools


def read_choice(value: Any, tools: list[dict[str, Any]]) -> Any:
    """Return OpenAI's `tool_choice`; None where the client did not choose.

    Raises:
        HttpError: 400.
    """
    if value is None:
        return None
    name = value if isinstance(value, str) and value not in _CHOICES else None
    if isinstance(value, Mapping):
        function = value.get("function")
        name = value.get("toolName") or (function.get("name") if isinstance(function, Mapping) else None)
    elif name is None and value in _CHOICES:
        return value
    if name not in [tool["function"]["name"] for tool in tools]:
        raise invalid("toolChoice", f"must be one of {', '.join(_CHOICES)}, or name one of the tools")
    return {"type": "function", "function": {"name": name}}


def _tool(path: str, item: Any) -> dict[str, Any]:
    tool = _mapping(path, item)
    function = _mapping(f"{path}.function", tool["function"]) if "function" in tool else tool
    name, description = function.get("name"), function.get("description")
    if not isinstance(name, str) or not name or len(name) > 64:
        raise invalid(f"{path}.name", "must be a string of 1 to 64 characters")
    if description is not None and not isinstance(description, str):
        raise invalid(f"{path}.description", "must be a string")
    parameters = function.get("parameters") or function.get("inputSchema") or {"type": "object", "properties": {}}
    parameters = _mapping(f"{path}.parameters", parameters)
    if is_zod_map(parameters):
        parameters = zod_to_json_schema(parameters)
    described = {"name": name, "description": description or name, "parameters": dict(parameters)}
    return {"type": "function", "function": described}


def _mapping(path: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise invalid(path, "must be an object")
    return value


def _delta(call: Mapping[str, Any]) -> ToolDelta:
    function = call.get("function") if isinstance(call.get("function"), Mapping) else call
    assert function is not None
    index, arguments = call.get("index"), function.get("arguments")
    text = "" if arguments is None else arguments if isinstance(arguments, str) else json.dumps(arguments)
    call_id = call.get("id")
    return ToolDelta(
        index if isinstance(index, int) else None,
        call_id if isinstance(call_id, str) else None,
        str(function.get("name") or ""),
        text,
    )


def _parse(arguments: str) -> Any:
    try:
        return json.loads(arguments) if arguments.strip() else {}
    except (ValueError, RecursionError):
        return arguments
