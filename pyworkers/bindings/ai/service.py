"""The service behind `env.AI`: what the platform's workers-binding.ai and REST API answer, over the local engines.

It speaks JSON and bytes; the binding and the REST gateway wrap it in their own Response.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from pyworkers.bindings.ai.catalogue import MODELS, PlatformModel
from pyworkers.bindings.ai.check import EMBEDDINGS, RERANKER, Mismatch, check
from pyworkers.bindings.ai.errors import AIError, bad_input, from_engine, no_such_model, not_here
from pyworkers.bindings.ai.hashed import hashed_vector
from pyworkers.bindings.ai.text import TextCall, read_text_inputs
from pyworkers.clock import Clock
from pyworkers.engines.ai import AISettings, engine_name, open_engine
from pyworkers.engines.ai.grammar import parse_json
from pyworkers.engines.ai.models import ModelMap, ModelStore
from pyworkers.engines.ai.protocol import ChatMessage, TextEngine, TextEvent, TextRequest, collect
from pyworkers.errors import EngineError

__all__ = ["AIReply", "AIService"]

JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream"

_BATCH_SIZE = 100


@dataclass(frozen=True, slots=True)
class AIReply:
    """What the service answers.

    Attributes:
        body: whole, or the pieces of a stream; closing the iterator stops the generation.
    """

    status: int
    content_type: str
    request_id: str
    body: bytes | AsyncIterator[bytes]

    def json(self) -> Any:
        """Parse a whole JSON body."""
        assert isinstance(self.body, bytes)
        return json.loads(self.body)


class AIService:
    """Answers calls of the platform's models with the models of this machine.

    Args:
        settings: `[tool.pyworkers.ai]`.
        source: makes request ids and stream padding.
        open_: opens the engine, when it is first needed.
    """

    def __init__(
        self,
        settings: AISettings,
        *,
        clock: Clock,
        store: ModelStore | None = None,
        source: random.Random | None = None,
        open_: Callable[[AISettings], TextEngine] = open_engine,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._store = store or ModelStore()
        self._source = source or random.Random()
        self._open = open_
        self._engine: TextEngine | None = None
        self._is_closed = False

    def describe(self) -> list[str]:
        """Return a line for each model that answers, for the start-up lines of `pyworkers dev`."""
        try:
            name = engine_name(self._settings)
        except EngineError as error:
            return [f"no model answers: {error.message}; {error.hint}"]
        lines = ModelMap(self._settings, self._store, engine=name).describe()
        if name != "openai" and "embeddings" not in self._settings.models:
            lines.append("every embedding model -> hashed words, of the model's dimensions (no model)")
        return lines

    async def run(self, model: str, inputs: object, options: Mapping[str, Any] | None = None) -> AIReply:
        """Answer one call; never raises for what a worker did or what an engine could not do.

        Args:
            model: the platform's name, such as `@cf/meta/llama-3.1-8b-instruct`.
            inputs: the model's inputs, JSON values.
            options: of `env.AI.run`; `queueRequest` is answered at once.
        """
        request_id = self._id()
        try:
            return await self._run(model, inputs, options or {}, request_id)
        except AIError as error:
            body = json.dumps(error.body()).encode()
            return AIReply(error.status, JSON_TYPE, request_id, body)

    def models(self, search: Mapping[str, Any]) -> list[dict[str, object]]:
        """Return the catalogue's entries that fit, in the shape of `env.AI.models()`."""
        found = [
            model
            for model in MODELS.values()
            if str(search.get("search", "")).lower() in model.name.lower()
            and search.get("task", model.task) == model.task
            and model.name.split("/")[1].startswith(str(search.get("author", "")))
        ]
        size = int(search.get("per_page") or len(found) or 1)
        start = (int(search.get("page") or 1) - 1) * size
        return [_entry(model) for model in found[start : start + size]]

    async def close(self) -> None:
        """Stop what is running; idempotent."""
        self._is_closed = True
        if self._engine is not None:
            await self._engine.close()

    # -- dispatch -------------------------------------------------------------------------------

    async def _run(self, name: str, inputs: object, options: Mapping[str, Any], request_id: str) -> AIReply:
        model = self._model(name)
        if not isinstance(inputs, Mapping):
            raise bad_input(f"Type mismatch of '/', 'object' not in '{_json_type(inputs)}'")
        if options.get("queueRequest"):
            return _json_reply(request_id, {"status": "queued", "request_id": request_id, "model": name})
        if isinstance(inputs.get("requests"), Sequence):
            answers = [(await self._one(model, part, request_id)).json() for part in inputs["requests"]]
            responses = [{"id": index, "result": answer, "success": True} for index, answer in enumerate(answers)]
            return _json_reply(request_id, {"responses": responses, "usage": {}})
        return await self._one(model, inputs, request_id)

    async def _one(self, model: PlatformModel, inputs: Mapping[str, Any], request_id: str) -> AIReply:
        match model.task:
            case "Text Generation":
                return await self._text(model, inputs, request_id)
            case "Text Embeddings":
                return _json_reply(request_id, await self._embeddings(model, inputs))
            case "Text Classification" if "reranker" in model.name:
                return _json_reply(request_id, await self._rerank(model, inputs))
            case "Text Classification":
                return _json_reply(request_id, await self._sentiment(model, inputs))
            case "Summarization":
                text = _required(inputs, "input_text")
                asked = f"Summarize this text in a few sentences:\n\n{text}"
                summary = await self._ask(model, asked, int(inputs.get("max_length") or 256))
                return _json_reply(request_id, {"summary": summary})
            case "Translation":
                text = _required(inputs, "text")
                languages = f"from {inputs.get('source_lang', 'en')} to {inputs.get('target_lang', 'en')}"
                answer = await self._ask(model, f"Translate {languages}. Say only the translation:\n\n{text}", 256)
                return _json_reply(request_id, {"translated_text": answer})
        raise not_here(model.name, f"no engine here does {model.task}; call it with wrangler's remote mode")

    def _model(self, name: str) -> PlatformModel:
        known = MODELS.get(name)
        if known is None and name in self._settings.models:
            known = PlatformModel(name, "Text Generation")
        if known is None:
            raise no_such_model(name)
        return known

    # -- text -----------------------------------------------------------------------------------

    async def _text(self, model: PlatformModel, inputs: Mapping[str, Any], request_id: str) -> AIReply:
        call = read_text_inputs(model, inputs, created_s=int(self._clock.now_s()), padding=self._source)
        events = await self._started(model, call.request)
        if call.is_stream:
            return AIReply(200, STREAM_TYPE, request_id, self._frames(call, events))
        try:
            async with aclosing(events):
                answer = await collect(events)
            schema = call.request.json_schema
            value = parse_json(answer.text, schema) if schema is not None else None
        except EngineError as error:
            raise from_engine(error, model.name, max_tokens=call.request.max_tokens) from error
        return _json_reply(request_id, call.result(answer, value))

    async def _started(self, model: PlatformModel, request: TextRequest) -> Any:
        """Return the stream with its first event already there: what goes wrong at the start is a plain error."""
        try:
            engine, target = await self._resolve(model.name)
            stream = engine.stream(target, request)
            first = await anext(stream)
        except EngineError as error:
            raise from_engine(error, model.name, max_tokens=request.max_tokens) from error
        return _resumed(first, stream)

    async def _frames(self, call: TextCall, events: Any) -> AsyncIterator[bytes]:
        async with aclosing(events):
            try:
                async for frame in call.frames(events):
                    yield frame
            except EngineError as error:
                failed = from_engine(error, call.model.name, max_tokens=call.request.max_tokens)
                yield f"data: {json.dumps({'error': str(failed)})}\n\n".encode()
                yield b"data: [DONE]\n\n"

    async def _ask(self, model: PlatformModel, question: str, max_tokens: int) -> str:
        request = TextRequest(messages=(ChatMessage("user", question),), max_tokens=max_tokens, temperature=0)
        events = await self._started(model, request)
        try:
            return (await collect(events)).text.strip()
        except EngineError as error:
            raise from_engine(error, model.name, max_tokens=max_tokens) from error

    async def _sentiment(self, model: PlatformModel, inputs: Mapping[str, Any]) -> list[dict[str, object]]:
        text = _required(inputs, "text")
        schema: Mapping[str, Any] = {
            "type": "object",
            "properties": {"positive": {"type": "number", "minimum": 0, "maximum": 1}},
            "required": ["positive"],
        }
        question = f"How positive is this text, from 0 (negative) to 1 (positive)? Answer in JSON.\n\n{text}"
        request = TextRequest(
            messages=(ChatMessage("user", question),), max_tokens=32, temperature=0, json_schema=schema
        )
        try:
            answer = await collect(await self._started(model, request))
            value = parse_json(answer.text, schema)
        except EngineError as error:
            raise from_engine(error, model.name) from error
        assert isinstance(value, Mapping)
        positive = value["positive"]
        assert isinstance(positive, int | float)
        return [{"label": "NEGATIVE", "score": 1 - positive}, {"label": "POSITIVE", "score": positive}]

    # -- vectors --------------------------------------------------------------------------------

    async def _embeddings(self, model: PlatformModel, inputs: Mapping[str, Any]) -> dict[str, object]:
        if model.name.endswith("bge-m3") and "contexts" in inputs:
            return await self._rerank(model, inputs)
        try:
            check(EMBEDDINGS, inputs)
        except Mismatch as error:
            raise bad_input(str(error)) from None
        texts = [inputs["text"]] if isinstance(inputs["text"], str) else list(inputs["text"])
        if len(texts) > _BATCH_SIZE:
            raise bad_input(f"must NOT have more than {_BATCH_SIZE} items")
        vectors = await self._vectors(model, texts)
        pooling = inputs.get("pooling") or model.pooling
        return {"shape": [len(vectors), len(vectors[0]) if vectors else 0], "data": vectors, "pooling": pooling}

    async def _rerank(self, model: PlatformModel, inputs: Mapping[str, Any]) -> dict[str, object]:
        try:
            check(RERANKER, inputs)
        except Mismatch as error:
            raise bad_input(str(error)) from None
        texts = [str(context.get("text", "")) for context in inputs["contexts"]]
        query, *others = await self._vectors(model, [str(inputs["query"]), *texts])
        scores = [sum(a * b for a, b in zip(query, other, strict=True)) for other in others]
        ranked = sorted(enumerate(scores), key=lambda pair: -pair[1])[: inputs.get("top_k")]
        return {"response": [{"id": index, "score": score} for index, score in ranked]}

    async def _vectors(self, model: PlatformModel, texts: list[str]) -> list[list[float]]:
        """Return vectors from the configured model; without one, hashed words of the right length."""
        settings = self._settings
        if model.name not in settings.models and "embeddings" not in settings.models and not settings.url:
            dimensions = model.dimensions or 384
            return await asyncio.to_thread(lambda: [hashed_vector(text, dimensions) for text in texts])
        try:
            engine, target = await self._resolve(model.name, is_embedding=True)
            return [list(vector) for vector in (await engine.embed(target, texts)).vectors]
        except EngineError as error:
            raise from_engine(error, model.name) from error

    # -- engine ---------------------------------------------------------------------------------

    async def _resolve(self, name: str, *, is_embedding: bool = False) -> tuple[TextEngine, str]:
        mapped = ModelMap(self._settings, self._store, engine=engine_name(self._settings))
        target = mapped.resolve(name, "embedding" if is_embedding else "chat")
        if self._engine is None:
            self._engine = self._open(self._settings)
        return self._engine, target

    def _id(self) -> str:
        digits = f"{self._source.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


async def _resumed(first: TextEvent, rest: Any) -> AsyncIterator[TextEvent]:
    """Yield the event that was taken, then the others; closing it closes the engine's stream."""
    async with aclosing(rest):
        yield first
        async for event in rest:
            yield event


def _json_reply(request_id: str, value: object) -> AIReply:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return AIReply(200, JSON_TYPE, request_id, body)


def _required(inputs: Mapping[str, Any], name: str) -> str:
    try:
        schema = {"properties": {name: {"type": "string", "minLength": 1}}, "required": [name]}
        check(schema, inputs)
    except Mismatch as error:
        raise bad_input(str(error)) from None
    return str(inputs[name])


def _json_type(value: object) -> str:
    if value is None:
        return "null"
    return {bool: "boolean", int: "number", float: "number", str: "string"}.get(type(value), "array")


def _entry(model: PlatformModel) -> dict[str, object]:
    return {
        "id": model.name,
        "source": 1,
        "name": model.name,
        "description": "",
        "task": {"id": model.task, "name": model.task, "description": ""},
        "tags": [],
        "properties": [],
    }
