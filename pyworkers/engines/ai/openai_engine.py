"""Any OpenAI-compatible server: llama-server, vLLM, Ollama, or a hosted one."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from pyworkers.engines.ai.errors import ContextOverflow, ModelMissing, UpstreamError
from pyworkers.engines.ai.grammar import parse_json
from pyworkers.engines.ai.local import normalised
from pyworkers.engines.ai.protocol import (
    ChatMessage,
    EmbeddingResult,
    FinishReason,
    TextChunk,
    TextEnd,
    TextEvent,
    TextRequest,
    ToolCall,
    Usage,
)
from pyworkers.engines.ai.settings import AISettings
from pyworkers.errors import EngineClosed

if TYPE_CHECKING:
    import asyncio

    import httpx

__all__ = ["OpenAIEngine"]

_CONNECT_S = 10.0
_READ_S = 300.0


class OpenAIEngine:
    """A TextEngine that asks a server over HTTP.

    Args:
        url: base URL, up to and with `/v1`.
        api_key: sent as a bearer token, or None.
    """

    name = "openai"

    def __init__(self, url: str, *, api_key: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    @classmethod
    def from_settings(cls, settings: AISettings) -> OpenAIEngine:
        """Open with the URL and the key of `[tool.pyworkers.ai]`."""
        return cls(settings.url or "http://127.0.0.1:8080/v1", api_key=settings.api_key())

    async def stream(self, model: str, request: TextRequest) -> AsyncIterator[TextEvent]:
        """Generate; see TextEngine. Closing the stream closes the connection, which is what stops such servers."""
        import httpx

        path, body = _body(model, request)
        calls: dict[int, dict[str, str]] = {}
        reason: str | None = None
        usage = Usage(0, 0)
        try:
            async with self._http().stream("POST", self._url + path, json=body) as response:
                if response.status_code != httpx.codes.OK:
                    await response.aread()
                    raise _failure(response.status_code, response.text, model, self._url)
                async for line in response.aiter_lines():
                    if not line.startswith("data:") or line[5:].strip() == "[DONE]":
                        continue
                    frame = _frame(line[5:], self._url)
                    usage = _usage(frame) or usage
                    for choice in frame.get("choices") or ():
                        delta = choice.get("delta") or choice
                        reason = choice.get("finish_reason") or reason
                        _gather_calls(calls, delta.get("tool_calls") or ())
                        text = delta.get("content") or delta.get("text") or ""
                        if text:
                            yield TextChunk(text)
        except httpx.HTTPError as error:
            raise _unreachable(self._url, error) from error
        made = _tool_calls(calls, request)
        yield TextEnd(_reason(reason, bool(made)), usage, made)

    async def embed(self, model: str, texts: Sequence[str]) -> EmbeddingResult:
        """Return one vector a text; see TextEngine."""
        answer = await self._post("/embeddings", {"model": model, "input": list(texts)}, model)
        rows = sorted(answer["data"], key=lambda row: int(row["index"]))
        usage = _usage(answer)
        return EmbeddingResult(tuple(normalised(row["embedding"]) for row in rows), usage.prompt_tokens if usage else 0)

    async def count_tokens(self, model: str, text: str) -> int:
        """Return the number of tokens; from llama-server's `/tokenize` where there is one, else four letters each."""
        root = self._url.removesuffix("/v1")
        try:
            answer = await self._post("/tokenize", {"content": text, "add_special": False}, model, base=root)
        except UpstreamError:
            return -(-len(text) // 4)
        tokens = answer.get("tokens")
        return len(tokens) if isinstance(tokens, list) else -(-len(text) // 4)

    async def close(self) -> None:
        """Close the connections; idempotent."""
        self._is_closed = True
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    def _http(self) -> httpx.AsyncClient:
        import asyncio

        import httpx  # imported when first used

        if self._is_closed:
            raise EngineClosed("the AI engine is closed", hint="open a new one")
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            headers = {"authorization": f"Bearer {self._api_key}"} if self._api_key else {}
            timeout = httpx.Timeout(_READ_S, connect=_CONNECT_S)
            # A connection for each request: one that is kept may be closed by the server just when it is used again.
            limits = httpx.Limits(max_keepalive_connections=0)
            self._client = httpx.AsyncClient(headers=headers, timeout=timeout, limits=limits)
            self._loop = loop
        return self._client

    async def _post(self, path: str, body: dict[str, Any], model: str, *, base: str | None = None) -> dict[str, Any]:
        import httpx

        try:
            response = await self._http().post((base or self._url) + path, json=body)
        except httpx.HTTPError as error:
            raise _unreachable(self._url, error) from error
        if response.status_code != httpx.codes.OK:
            raise _failure(response.status_code, response.text, model, self._url)
        return _frame(response.text, self._url)


def _body(model: str, request: TextRequest) -> tuple[str, dict[str, Any]]:
    """Return the path and the body of a request."""
    body: dict[str, Any] = {
        "model": model,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
    }
    optional = {
        "top_p": request.top_p,
        "top_k": request.top_k,
        "seed": request.seed,
        "repetition_penalty": request.repetition_penalty if request.repetition_penalty != 1 else None,
        "frequency_penalty": request.frequency_penalty or None,
        "presence_penalty": request.presence_penalty or None,
        "stop": list(request.stop) or None,
    }
    body |= {key: value for key, value in optional.items() if value is not None}
    if request.prompt is not None and request.raw:
        return "/completions", {**body, "prompt": request.prompt}
    messages = request.messages or (ChatMessage("user", request.prompt or ""),)
    body["messages"] = [_message(message) for message in messages]
    if request.json_schema is not None:
        schema = request.json_schema if isinstance(request.json_schema, dict) else {"type": "object"}
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    if request.tools and request.tool_choice != "none":
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
            }
            for tool in request.tools
        ]
        body["tool_choice"] = (
            request.tool_choice
            if request.tool_choice in ("auto", "required")
            else {"type": "function", "function": {"name": request.tool_choice}}
        )
    return "/chat/completions", body


def _message(message: ChatMessage) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        out["tool_calls"] = [
            {
                "id": call.id or f"call_{index}",
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for index, call in enumerate(message.tool_calls)
        ]
    if message.role == "tool":
        out["tool_call_id"] = message.tool_call_id or "call_0"
    return out


def _gather_calls(calls: dict[int, dict[str, str]], deltas: Sequence[dict[str, Any]]) -> None:
    """Put the pieces of streamed tool calls together."""
    for delta in deltas:
        call = calls.setdefault(int(delta.get("index", len(calls))), {"id": "", "name": "", "arguments": ""})
        function = delta.get("function") or {}
        call["id"] = delta.get("id") or call["id"]
        call["name"] += function.get("name") or ""
        call["arguments"] += function.get("arguments") or ""


def _tool_calls(calls: dict[int, dict[str, str]], request: TextRequest) -> tuple[ToolCall, ...]:
    """Return the calls, their arguments validated as a local engine's are."""
    known = {tool.name: tool for tool in request.tools}
    made = []
    for _, call in sorted(calls.items()):
        parameters = known[call["name"]].parameters if call["name"] in known else {}
        arguments = parse_json(call["arguments"] or "{}", {"type": "object", **parameters})
        assert isinstance(arguments, dict)
        made.append(ToolCall(call["name"], arguments, id=call["id"] or f"call_{uuid.uuid4().hex[:24]}"))
    return tuple(made)


def _reason(reason: str | None, has_calls: bool) -> FinishReason:  # noqa: FBT001
    if has_calls:
        return "tool_calls"
    return "length" if reason == "length" else "stop"


def _usage(frame: dict[str, Any]) -> Usage | None:
    usage = frame.get("usage")
    if not isinstance(usage, dict):
        return None
    return Usage(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))


def _frame(text: str, url: str) -> dict[str, Any]:
    try:
        frame = json.loads(text)
    except ValueError:
        raise UpstreamError(f"the AI server at {url} answered what is not JSON: {text[:80]!r}") from None
    if not isinstance(frame, dict):
        raise UpstreamError(f"the AI server at {url} answered {text[:80]!r}, expected an object")
    if "error" in frame and "choices" not in frame:
        raise UpstreamError(f"the AI server at {url} failed: {_error_text(frame['error'])}")
    return frame


def _failure(status: int, text: str, model: str, url: str) -> Exception:
    try:
        error = json.loads(text).get("error") or {}
    except (ValueError, AttributeError):
        error = {}
    if isinstance(error, dict) and error.get("type") == "exceed_context_size_error":
        return ContextOverflow(
            prompt_tokens=int(error.get("n_prompt_tokens") or 0), context_tokens=int(error.get("n_ctx") or 0)
        )
    if status == 404 and "model" in text.lower():
        return ModelMissing(
            f"the AI server at {url} has no model {model!r}",
            hint="name one of its models in [tool.pyworkers.ai.models]",
        )
    hint = "set its key in the environment variable named by `api_key_env`" if status in (401, 403) else None
    return UpstreamError(
        f"the AI server at {url} answered {status}: {_error_text(error) or text[:200]}", status=status, hint=hint
    )


def _error_text(error: object) -> str:
    return str(error.get("message") or error) if isinstance(error, dict) and error else str(error or "")


def _unreachable(url: str, error: Exception) -> UpstreamError:
    return UpstreamError(
        f"the AI server at {url} does not answer: {error or type(error).__name__}",
        hint="start it, or correct `url` in [tool.pyworkers.ai]",
    )
