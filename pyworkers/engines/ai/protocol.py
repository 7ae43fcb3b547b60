"""What an AI engine is: values in, values out, and the laws between them.

An engine knows models, not the platform: it gets valid arguments and never speaks one of Cloudflare's texts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

__all__ = [
    "ChatMessage",
    "EmbeddingResult",
    "FinishReason",
    "Json",
    "JsonSchema",
    "TextChunk",
    "TextEnd",
    "TextEngine",
    "TextEvent",
    "TextRequest",
    "TextResult",
    "Tool",
    "ToolCall",
    "Usage",
    "collect",
]

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonSchema: TypeAlias = "bool | Mapping[str, Json]"
FinishReason: TypeAlias = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that the model wants made.

    Attributes:
        id: chosen by the caller of the engine; empty in what an engine returns.
    """

    name: str
    arguments: Mapping[str, Json]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call; ``parameters`` is the JSON schema of its arguments, an object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn of a conversation.

    Attributes:
        role: "system", "user", "assistant" or "tool"; others are passed to the model's template as they are.
        tool_calls: what an assistant turn called.
        tool_call_id: in a tool turn, the call that it answers.
    """

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class TextRequest:
    """One generation.

    Attributes:
        messages: the conversation; empty when ``prompt`` is used.
        prompt: text that becomes one user turn, or, with ``raw``, goes to the model as it is.
        max_tokens: at least 1; an engine lowers it to what the context leaves.
        temperature: 0 is greedy.
        top_p, top_k, seed: None leaves the choice to the engine (0.95, 40, random).
        repetition_penalty: 1 is none.
        stop: texts that end the generation and are not part of it.
        json_schema: the text must be compact JSON that satisfies it; None for free text.
        tools, tool_choice: "auto" lets the model choose between text and calls, "required" asks for at least
            one call, a tool's name for a call of that tool, "none" hides the tools.
    """

    messages: tuple[ChatMessage, ...] = ()
    prompt: str | None = None
    raw: bool = False
    max_tokens: int = 256
    temperature: float = 0.6
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    json_schema: JsonSchema | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens used by one request."""

    prompt_tokens: int
    completion_tokens: int

    @property
    def total_tokens(self) -> int:
        """Return prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class TextChunk:
    """A piece of the answer, usually one token, never empty and never half a character."""

    text: str


@dataclass(frozen=True, slots=True)
class TextEnd:
    """The last event of every stream that ran to its end."""

    finish_reason: FinishReason
    usage: Usage
    tool_calls: tuple[ToolCall, ...] = ()


TextEvent: TypeAlias = TextChunk | TextEnd


@dataclass(frozen=True, slots=True)
class TextResult:
    """A whole answer."""

    text: str
    finish_reason: FinishReason
    usage: Usage
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    """Vectors of one length, in the order of the texts, each of Euclidean length 1."""

    vectors: tuple[tuple[float, ...], ...]
    prompt_tokens: int


class TextEngine(Protocol):
    """Runs language models.

    ``model`` is the path of a GGUF file for engines that run here, the served name for engines that ask a server.

    Laws, tested for every engine by tests/ai/test_engine_contract.py:

    - The chunks of a stream joined are the text; the last event is one TextEnd and nothing follows it.
    - Chunks arrive as they are made; the event loop is never blocked by loading or by inference.
    - ``aclose()`` of a stream stops its generation within one token; when it returns, the engine no longer
      works for it, and other streams go on.
    - The same request with a seed gives the same text again.
    - A stop text ends the generation, is not part of the text, and gives finish_reason "stop".
    - Reaching ``max_tokens`` gives finish_reason "length".
    - With ``json_schema`` a text that finished with "stop" is JSON that satisfies the schema.
    - Tool calls are never part of the text; their arguments satisfy the tool's schema.
    - A model that is missing or broken raises, and the engine goes on serving the others.
    - ``close()`` stops every generation, is idempotent, and a closed engine raises EngineClosed.

    Errors: those of pyworkers.engines.ai.errors, and EngineClosed.
    """

    name: str

    def stream(self, model: str, request: TextRequest) -> AsyncIterator[TextEvent]:
        """Generate; an asynchronous generator, so it has ``aclose()``."""
        ...

    async def embed(self, model: str, texts: Sequence[str]) -> EmbeddingResult:
        """Return one vector a text, the mean over its tokens unless the model's file says otherwise."""
        ...

    async def count_tokens(self, model: str, text: str) -> int:
        """Return how many tokens the model reads ``text`` as, without markers of begin or end."""
        ...

    async def close(self) -> None:
        """Stop everything and free the models."""
        ...


async def collect(events: AsyncIterator[TextEvent]) -> TextResult:
    """Run a stream to its end and return the whole answer.

    Raises:
        whatever the stream raises.
    """
    pieces: list[str] = []
    end: TextEnd | None = None
    async for event in events:
        if isinstance(event, TextEnd):
            end = event
        else:
            pieces.append(event.text)
    assert end is not None, "a stream ends with TextEnd"
    return TextResult("".join(pieces), end.finish_reason, end.usage, end.tool_calls)
