"""What clients ask for: the bodies of /chat, /completion and /object, checked and turned into a model's inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .messages import read_messages
from .tools import read_choice, read_tools
from .web import HttpError, invalid
from .zod import is_zod_map, zod_to_json_schema

Endpoint = Literal["chat", "completion", "object"]

DEFAULT_MODEL = "@cf/meta/llama-3.1-8b-instruct"
# Short names that the published clients' documentation uses.
MODEL_ALIASES = {
    "llama-3.1-8b": "@cf/meta/llama-3.1-8b-instruct",
    "llama-3.1-70b": "@cf/meta/llama-3.1-70b-instruct",
    "mistral-7b": "@cf/mistral/mistral-7b-instruct-v0.1",
}
TEMPERATURES: Mapping[Endpoint, float] = {"chat": 0.7, "completion": 0.7, "object": 0.3}
MAX_TOKENS: Mapping[Endpoint, int] = {"chat": 2048, "completion": 1024, "object": 2048}

MIN_TEMPERATURE, MAX_TEMPERATURE = 0, 5  # the platform's own bounds
TOKEN_LIMIT = 8192
MAX_PROMPT_CHARACTERS = 131_072
MAX_SCHEMA_CHARACTERS = 65_536
MAX_CHAT_ID_CHARACTERS = 256

OBJECT_PROMPT = (
    "You are a JSON generator. Answer with one JSON value that satisfies the JSON Schema below, and with nothing else: "
    "no explanation, no Markdown, no code fences.\n\nJSON Schema:\n{schema}"
)


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One generation.

    Attributes:
        messages: `{"role", "content"}` each, as the model takes them.
        schema: what the answer must satisfy, for an object.
        chat_id: the client's name for the conversation.
        tools: what the model may call, in OpenAI's form.
        is_cacheable: whether an answer may come from the cache, and be kept there.
    """

    endpoint: Endpoint
    model: str
    messages: list[dict[str, str]]
    temperature: float
    max_tokens: int
    schema: Mapping[str, Any] | None = None
    chat_id: str | None = None
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_choice: Any = None
    is_cacheable: bool = False

    def inputs(self) -> dict[str, Any]:
        """Return the inputs of `env.AI.run`.

        The platform refuses `response_format` of a JSON schema together with `stream` (its error 5023); `guided_json`
        is what it streams with, for the models that have it. The prompt says the same to the others.
        """
        inputs: dict[str, Any] = {
            "messages": self.messages,
            "stream": True,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
        }
        if self.schema is not None:
            inputs["guided_json"] = dict(self.schema)
        if self.tools:
            inputs["tools"] = self.tools
            if self.tool_choice is not None:
                inputs["tool_choice"] = self.tool_choice
        return inputs


def read_request(endpoint: Endpoint, body: Any, *, token_cap: int = TOKEN_LIMIT) -> GenerationRequest:
    """Check a body.

    Args:
        token_cap: the most tokens that the caller's tier may have; more is brought down to it.

    Raises:
        HttpError: 400, which names the field.
    """
    if not isinstance(body, Mapping):
        raise HttpError(400, "Invalid request: body must be a JSON object", field="body")
    schema, chat_id, tools = None, None, []
    if endpoint == "chat":
        messages = read_messages(body.get("messages"))
        # Vercel's clients name the chat `id`.
        chat_id = _chat_id(body["chatId"] if body.get("chatId") is not None else body.get("id"))
        tools = read_tools(body.get("tools"))
    elif endpoint == "completion":
        messages = [{"role": "user", "content": _prompt(body)}]
        system = _optional_text(body, "systemPrompt")
        if system:
            messages.insert(0, {"role": "system", "content": system})
    else:
        prompt = _prompt(body)
        schema = _schema(body)
        text = json.dumps(schema, ensure_ascii=False)
        messages = [
            {"role": "system", "content": OBJECT_PROMPT.format(schema=text)},
            {"role": "user", "content": prompt},
        ]
    temperature = _temperature(body.get("temperature"), TEMPERATURES[endpoint])
    return GenerationRequest(
        endpoint=endpoint,
        model=read_model(body.get("model")),
        messages=messages,
        temperature=temperature,
        max_tokens=min(token_cap, _max_tokens(body.get("maxTokens"), MAX_TOKENS[endpoint])),
        schema=schema,
        chat_id=chat_id,
        tools=tools,
        tool_choice=read_choice(body.get("toolChoice"), tools),
        is_cacheable=_is_cacheable(body, temperature),
    )


def _is_cacheable(body: Mapping[str, Any], temperature: float) -> bool:
    wanted = body.get("cache")
    if wanted is not None and not isinstance(wanted, bool):
        raise invalid("cache", "must be true or false")
    if body.get("trigger") == "regenerate-message":  # the AI SDK's word for "another answer, please"
        return False
    return temperature == 0 if wanted is None else wanted


def read_model(value: Any) -> str:
    """Return the model that a request names, or the default.

    Raises:
        HttpError: 400, it is the name of none.
    """
    if value is None or value == "":
        return DEFAULT_MODEL
    if not isinstance(value, str):
        raise invalid("model", "must be a string")
    name = MODEL_ALIASES.get(value, value)
    if not name.startswith(("@cf/", "@hf/")):
        raise invalid("model", f'must be a Workers AI model such as "{DEFAULT_MODEL}", not "{value[:100]}"')
    return name


def _temperature(value: Any, default: float) -> float:
    if value is None:
        return default
    problem = f"must be a number from {MIN_TEMPERATURE} to {MAX_TEMPERATURE}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid("temperature", problem)
    if not MIN_TEMPERATURE <= value <= MAX_TEMPERATURE:
        raise invalid("temperature", problem)
    return value


def _max_tokens(value: Any, default: int) -> int:
    """Return the limit; 0 means the default, as it always has."""
    if value is None or (value == 0 and not isinstance(value, bool)):
        return default
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    if not is_whole or not 0 < value <= TOKEN_LIMIT:
        raise invalid("maxTokens", f"must be a whole number from 1 to {TOKEN_LIMIT}")
    return int(value)


def _prompt(body: Mapping[str, Any]) -> str:
    prompt = body.get("prompt")
    if prompt is None or prompt == "":
        raise invalid("prompt", "required")
    return _text("prompt", prompt)


def _optional_text(body: Mapping[str, Any], field: str) -> str:
    value = body.get(field)
    return "" if value is None else _text(field, value)


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise invalid(field, "must be a string")
    if len(value) > MAX_PROMPT_CHARACTERS:
        raise invalid(field, f"must be at most {MAX_PROMPT_CHARACTERS} characters")
    return value


def _chat_id(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_CHAT_ID_CHARACTERS:
        raise invalid("chatId", f"must be a string of at most {MAX_CHAT_ID_CHARACTERS} characters")
    return value


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the JSON Schema of the three forms that clients send: text, an object, zod's own fields."""
    value = body.get("schema")
    if value is None or value == "":
        raise invalid("schema", "required")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise invalid("schema", "must be a JSON Schema, as an object or as JSON text") from None
    if value is False:
        raise invalid("schema", "allows no value at all")
    if value is True:  # any value at all
        value = {}
    if not isinstance(value, Mapping):
        raise invalid("schema", "must be a JSON Schema, as an object or as JSON text")
    try:
        schema = zod_to_json_schema(value) if is_zod_map(value) else value
        length = len(json.dumps(schema))
    except RecursionError:
        raise invalid("schema", "is nested too deeply") from None
    if length > MAX_SCHEMA_CHARACTERS:
        raise invalid("schema", f"must be at most {MAX_SCHEMA_CHARACTERS} characters")
    return schema
