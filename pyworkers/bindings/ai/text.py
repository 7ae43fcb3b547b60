"""Text generation: the platform's inputs to an engine's request, the engine's answer to the platform's shapes.

Source: workerd types/defines/ai.d.ts; developers.cloudflare.com/workers-ai/features/{json-mode,function-calling};
stream frames as captured from the platform by several public clients.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyworkers.bindings.ai.catalogue import PlatformModel
from pyworkers.bindings.ai.check import RESPONSES, TEXT, TEXT_WITH_PARTS, Mismatch, check
from pyworkers.bindings.ai.errors import AIError, bad_input
from pyworkers.engines.ai.protocol import (
    ChatMessage,
    JsonSchema,
    TextEnd,
    TextEvent,
    TextRequest,
    TextResult,
    Tool,
    ToolCall,
    Usage,
)

__all__ = ["TextCall", "read_text_inputs"]

# What the platform uses when nothing is said.
MAX_TOKENS = 256
TEMPERATURE = 0.6
# `p` pads each frame, so that its length does not tell the token's; the platform cuts it from this text.
_PADDING = "abdefghijklmnoprstuvxyz1234567890"


@dataclass(frozen=True, slots=True)
class TextCall:
    """One call of a text model.

    Attributes:
        is_stream: answer with server-sent events.
        legacy_tools: the tools were given without OpenAI's `{"type": "function"}` around them.
        wants_json: `response_format` was given; the answer is the value.
        id, created_s: what OpenAI's shapes carry.
    """

    model: PlatformModel
    request: TextRequest
    is_stream: bool
    legacy_tools: bool
    id: str
    created_s: int
    padding: random.Random

    @property
    def wants_json(self) -> bool:
        """Return whether the answer is to be parsed JSON."""
        return self.request.json_schema is not None

    def result(self, answer: TextResult, value: object) -> dict[str, object]:
        """Return the whole answer in the model's dialect.

        Args:
            value: the parsed JSON, with ``wants_json``.
        """
        calls = answer.tool_calls
        if self.model.dialect == "openai":
            return self._chat_completion(answer)
        if self.model.dialect == "responses":
            return self._response(answer)
        response = None if calls and self.legacy_tools else value if self.wants_json else answer.text
        return {
            "response": response,
            "tool_calls": self._calls(calls),
            "usage": _usage(answer.usage),
        }

    async def frames(self, events: AsyncIterator[TextEvent]) -> AsyncIterator[bytes]:
        """Turn a stream into server-sent events, one a token, as they come."""
        first = True
        async for event in events:
            if isinstance(event, TextEnd):
                for frame in self._last_frames(event, is_first=first):
                    yield frame
            else:
                yield self._frame(event.text, is_first=first)
            first = False
        yield b"data: [DONE]\n\n"

    # -- shapes ---------------------------------------------------------------------------------

    def _frame(self, text: str, *, is_first: bool) -> bytes:
        if self.model.dialect == "native":
            return _event({"response": text, "tool_calls": [], "p": self._pad()})
        if self.model.dialect == "responses":
            return _event({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": text})
        delta = {"role": "assistant", "content": text} if is_first else {"content": text}
        return _event({**self._chunk(delta, None), "p": self._pad()})

    def _last_frames(self, end: TextEnd, *, is_first: bool) -> list[bytes]:
        usage = _event({"response": "", "usage": _usage(end.usage)})
        if self.model.dialect == "native":
            if end.tool_calls:
                calls = self._calls(end.tool_calls)
                return [_event({"response": "", "tool_calls": calls, "p": self._pad()}), usage]
            return [usage]
        if self.model.dialect == "responses":
            done = {"type": "response.completed", "response": {"id": self.id, "usage": _responses_usage(end.usage)}}
            return [_event(done)]
        frames = []
        if end.tool_calls:
            calls = [{"index": index, **call} for index, call in enumerate(self._openai_calls(end.tool_calls))]
            delta: dict[str, object] = {"role": "assistant"} if is_first else {}
            frames.append(_event({**self._chunk({**delta, "tool_calls": calls}, None), "p": self._pad()}))
        frames.append(_event({**self._chunk({}, end.finish_reason), "p": self._pad()}))
        return [*frames, usage]

    def _chunk(self, delta: Mapping[str, object], reason: str | None) -> dict[str, object]:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created_s,
            "model": self.model.name,
            "choices": [{"index": 0, "delta": dict(delta), "logprobs": None, "finish_reason": reason}],
        }

    def _chat_completion(self, answer: TextResult) -> dict[str, object]:
        message = {
            "role": "assistant",
            "content": answer.text or None if answer.tool_calls else answer.text,
            "refusal": None,
            "reasoning_content": None,
            "tool_calls": self._openai_calls(answer.tool_calls),
        }
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created_s,
            "model": self.model.name,
            "choices": [choice],
            "usage": _usage(answer.usage),
        }

    def _response(self, answer: TextResult) -> dict[str, object]:
        output: list[dict[str, object]] = [
            {
                "id": f"fc_{call.id or uuid.uuid4().hex}",
                "type": "function_call",
                "call_id": call.id or f"call_{uuid.uuid4().hex}",
                "name": call.name,
                "arguments": json.dumps(call.arguments, ensure_ascii=False),
                "status": "completed",
            }
            for call in answer.tool_calls
        ]
        if answer.text or not output:
            part: dict[str, object] = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": None}
            message = {"id": f"msg_{self.id}", "type": "message", "role": "assistant", "status": "completed"}
            output.append({**message, "content": [part]})
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created_s,
            "model": self.model.name,
            "status": "incomplete" if answer.finish_reason == "length" else "completed",
            "output": output,
            "usage": _responses_usage(answer.usage),
        }

    def _calls(self, calls: Sequence[ToolCall]) -> list[dict[str, object]]:
        if self.legacy_tools:
            return [{"name": call.name, "arguments": call.arguments} for call in calls]
        return self._openai_calls(calls)

    def _openai_calls(self, calls: Sequence[ToolCall]) -> list[dict[str, object]]:
        return [
            {
                "id": call.id or f"chatcmpl-tool-{uuid.uuid4().hex}",
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
            }
            for call in calls
        ]

    def _pad(self) -> str:
        length = self.padding.randint(1, 3 * len(_PADDING))
        return (_PADDING * 3)[:length]


def read_text_inputs(
    model: PlatformModel, inputs: Mapping[str, Any], *, created_s: int, padding: random.Random
) -> TextCall:
    """Check the inputs and turn them into a call.

    Raises:
        AIError: 5006 they do not satisfy the model's schema; 5023 a JSON schema together with a stream.
    """
    schema = TEXT if model.dialect == "native" and not model.takes_parts else TEXT_WITH_PARTS
    try:
        check(RESPONSES if model.dialect == "responses" else schema, inputs)
    except Mismatch as error:
        raise bad_input(str(error)) from None
    json_schema = _json_schema(inputs.get("response_format"), inputs.get("guided_json"))
    is_stream = inputs.get("stream") is True
    if is_stream and json_schema is not None and _kind(inputs.get("response_format")) == "json_schema":
        raise AIError(5023, "JSON Schema mode is not supported with stream mode", status=400)
    tools, is_legacy = _tools(inputs.get("tools"))
    messages = _messages(inputs)
    request = TextRequest(
        messages=messages,
        prompt=None if messages else str(inputs.get("prompt", "")),
        raw=inputs.get("raw") is True,
        max_tokens=_max_tokens(inputs),
        temperature=float(inputs.get("temperature", TEMPERATURE)),
        top_p=inputs.get("top_p"),
        top_k=inputs.get("top_k"),
        seed=None if inputs.get("seed") is None else int(inputs["seed"]),
        repetition_penalty=float(inputs.get("repetition_penalty") or 1.0),
        frequency_penalty=float(inputs.get("frequency_penalty") or 0.0),
        presence_penalty=float(inputs.get("presence_penalty") or 0.0),
        stop=_stop(inputs.get("stop")),
        json_schema=json_schema,
        tools=tools,
        tool_choice=_tool_choice(inputs.get("tool_choice"), tools),
    )
    made = uuid.UUID(int=padding.getrandbits(128)).hex
    prefix = "resp_" if model.dialect == "responses" else "chatcmpl-"
    return TextCall(model, request, is_stream, is_legacy, f"{prefix}{made}", created_s, padding)


def _max_tokens(inputs: Mapping[str, Any]) -> int:
    for key in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        if isinstance(inputs.get(key), int | float):
            return max(1, int(inputs[key]))
    return MAX_TOKENS


def _kind(form: object) -> str:
    return str(form.get("type", "")) if isinstance(form, Mapping) else ""


def _json_schema(form: object, guided: object) -> JsonSchema | None:
    """Return the schema that `response_format`, or the older `guided_json`, asks for."""
    if isinstance(guided, Mapping):
        return guided
    kind = _kind(form)
    if kind == "json_object":
        return {"type": "object"}
    if kind != "json_schema":
        return None
    assert isinstance(form, Mapping)
    schema = form.get("json_schema")
    if isinstance(schema, Mapping) and isinstance(schema.get("schema"), Mapping) and "type" not in schema:
        schema = schema["schema"]  # OpenAI's {"name": ..., "schema": {...}}
    if not isinstance(schema, Mapping | bool):
        raise bad_input("required properties at '/response_format' are 'json_schema'")
    return schema


def _messages(inputs: Mapping[str, Any]) -> tuple[ChatMessage, ...]:
    """Return the conversation of `messages`, or of the Responses API's `instructions` and `input`."""
    if "messages" in inputs:
        return tuple(_message(message) for message in inputs["messages"])
    if "input" not in inputs:
        return ()
    turns = [] if not inputs.get("instructions") else [ChatMessage("system", str(inputs["instructions"]))]
    given = inputs["input"]
    if isinstance(given, str):
        return (*turns, ChatMessage("user", given))
    return (*turns, *(_message(message) for message in given if isinstance(message, Mapping)))


def _message(message: Mapping[str, Any]) -> ChatMessage:
    calls = [_read_call(call) for call in message.get("tool_calls") or () if isinstance(call, Mapping)]
    return ChatMessage(
        role=str(message.get("role", "user")),
        content=_content(message.get("content")),
        tool_calls=tuple(calls),
        tool_call_id=str(message.get("tool_call_id") or ""),
        name=str(message.get("name") or ""),
    )


def _content(content: object) -> str:
    """Return the text of a message; of parts the texts, images are not seen by text models."""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return "\n".join(str(part["text"]) for part in content if isinstance(part, Mapping) and "text" in part)
    return "" if content is None else json.dumps(content)


def _read_call(call: Mapping[str, Any]) -> ToolCall:
    function = call.get("function") if isinstance(call.get("function"), Mapping) else call
    assert isinstance(function, Mapping)
    arguments = function.get("arguments") or {}
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            arguments = {"arguments": arguments}
    return ToolCall(str(function.get("name", "")), arguments, id=str(call.get("id") or ""))


def _tools(given: object) -> tuple[tuple[Tool, ...], bool]:
    """Return the tools, and whether they came in the platform's own, older form."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        return (), False
    tools = []
    is_legacy = False
    for tool in given:
        if not isinstance(tool, Mapping):
            continue
        inner = tool.get("function")
        is_legacy = is_legacy or (not isinstance(inner, Mapping) and tool.get("type") != "function")
        function = inner if isinstance(inner, Mapping) else tool
        if not isinstance(function.get("name"), str):
            raise bad_input("required properties at '/tools/0' are 'name,description,parameters'")
        parameters = function.get("parameters")
        tools.append(
            Tool(
                function["name"],
                str(function.get("description") or ""),
                parameters if isinstance(parameters, Mapping) else {},
            )
        )
    return tuple(tools), is_legacy


def _tool_choice(choice: object, tools: Sequence[Tool]) -> str:
    if isinstance(choice, Mapping):
        function = choice.get("function")
        choice = function.get("name") if isinstance(function, Mapping) else choice.get("name")
    if choice == "any":
        return "required"
    known = {"auto", "none", "required", *(tool.name for tool in tools)}
    return choice if isinstance(choice, str) and choice in known else "auto"


def _stop(stop: object) -> tuple[str, ...]:
    if isinstance(stop, str):
        return (stop,)
    return tuple(str(text) for text in stop) if isinstance(stop, Sequence) else ()


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


def _responses_usage(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


def _event(value: Mapping[str, object]) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()
