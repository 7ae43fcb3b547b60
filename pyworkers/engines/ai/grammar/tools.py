"""Tool calls as a grammar: what small models cannot be asked to format, they are held to.

One form for every model, Hermes' `<tool_call>{"name":…,"arguments":{…}}</tool_call>`, whatever its template says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pyworkers.engines.ai.errors import InvalidSchema, StructuredOutputUnmet
from pyworkers.engines.ai.grammar.schema import Budget, SchemaWriter
from pyworkers.engines.ai.grammar.strings import literal
from pyworkers.engines.ai.grammar.validate import parse_json
from pyworkers.engines.ai.protocol import Tool, ToolCall

__all__ = ["TOOL_CALL_OPEN", "parse_tool_calls", "tools_prompt", "tools_to_gbnf"]

TOOL_CALL_OPEN = "<tool_call>"
TOOL_CALL_CLOSE = "</tool_call>"
_MOST_CALLS = 4


def tools_prompt(tools: Sequence[Tool]) -> str:
    """Return what the system message tells the model about its tools."""
    lines = [
        json.dumps(
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters}, ensure_ascii=False
        )
        for tool in tools
    ]
    return (
        "You can call functions. When one of them helps to answer, reply with only this, and nothing else:\n"
        f'{TOOL_CALL_OPEN}{{"name":"FUNCTION","arguments":{{...}}}}{TOOL_CALL_CLOSE}\n'
        "Otherwise answer in plain words. The functions:\n" + "\n".join(lines)
    )


def tools_to_gbnf(tools: Sequence[Tool], *, choice: str, budget: Budget) -> str:
    """Return a grammar for calls of ``tools``; with choice "auto", for plain text too.

    Args:
        choice: "auto", "required", or the name of the one tool to call.

    Raises:
        InvalidSchema: a tool's parameters cannot be satisfied, or ``choice`` is not one of the tools.
    """
    calls: list[str] = []
    writer = SchemaWriter({})
    if choice not in ("auto", "required") and choice not in [tool.name for tool in tools]:
        raise InvalidSchema(f"the tool {choice} was asked for, but is not one of those given")
    for tool in [tool for tool in tools if choice in ("auto", "required", tool.name)]:
        writer.use_document(tool.parameters or {})
        arguments = writer.expression({"type": "object", **tool.parameters}, budget)
        head = literal(f'{{"name":{json.dumps(tool.name, ensure_ascii=False)},"arguments":')
        calls.append(writer.rule(f'{head} {arguments} "}}"'))
    one = writer.rule(f'"{TOOL_CALL_OPEN}" ({" | ".join(calls)}) "{TOOL_CALL_CLOSE}"')
    single = choice not in ("auto", "required")
    many = one if single else f'{one} ("\\n" {one}){{0,{_MOST_CALLS - 1}}}'
    return writer.text(many if choice != "auto" else f"{many} | ([^<] [^\\x00]*)?")


def parse_tool_calls(text: str, tools: Sequence[Tool]) -> tuple[ToolCall, ...]:
    """Read the calls out of a text and validate their arguments.

    Raises:
        StructuredOutputUnmet: the text was cut, or does not satisfy a tool's parameters.
        InvalidSchema: a tool's parameters are not a schema.
    """
    known = {tool.name: tool for tool in tools}
    calls: list[ToolCall] = []
    rest = text.strip()
    decoder = json.JSONDecoder()
    while rest:
        if not rest.startswith(TOOL_CALL_OPEN):
            raise StructuredOutputUnmet("the model's tool call has text around it", text=text)
        rest = rest[len(TOOL_CALL_OPEN) :].lstrip()
        try:
            call, end = decoder.raw_decode(rest)
        except ValueError:
            raise StructuredOutputUnmet("the model's tool call was cut off", text=text) from None
        calls.append(_checked(call, known, text))
        rest = rest[end:].lstrip().removeprefix(TOOL_CALL_CLOSE).lstrip()
    return tuple(calls)


def _checked(call: Any, known: dict[str, Tool], text: str) -> ToolCall:
    tool = known.get(call.get("name", "")) if isinstance(call, dict) else None
    arguments = call.get("arguments") if isinstance(call, dict) else None
    if tool is None or not isinstance(arguments, dict):
        raise StructuredOutputUnmet("the model called a tool that it was not given", text=text)
    parse_json(json.dumps(arguments), {"type": "object", **tool.parameters})
    return ToolCall(tool.name, arguments)
