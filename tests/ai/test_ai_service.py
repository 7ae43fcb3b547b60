"""What the service behind `env.AI` answers, model family by model family."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from pyworkers.bindings.ai import AIService
from pyworkers.bindings.ai.catalogue import MODELS
from pyworkers.clock import ManualClock
from pyworkers.engines.ai import AISettings
from pyworkers.engines.ai.models import ModelStore
from pyworkers.engines.ai.protocol import EmbeddingResult, TextChunk, TextEnd, TextRequest, ToolCall, Usage
from pyworkers.errors import EngineError

LLAMA = "@cf/meta/llama-3.1-8b-instruct"
QWEN = "@cf/qwen/qwen3-30b-a3b-fp8"
GPT_OSS = "@cf/openai/gpt-oss-20b"
BGE = "@cf/baai/bge-small-en-v1.5"
USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


class ScriptedEngine:
    """Says what it is told to, and remembers what it was asked."""

    name = "scripted"

    def __init__(self, pieces: Sequence[str] = ("Hel", "lo"), calls: tuple[ToolCall, ...] = ()) -> None:
        self.pieces = pieces
        self.calls = calls
        self.requests: list[TextRequest] = []
        self.targets: list[str] = []
        self.stopped = 0
        self.error: EngineError | None = None

    async def stream(self, model: str, request: TextRequest):
        self.targets.append(model)
        self.requests.append(request)
        try:
            for piece in self.pieces:
                yield TextChunk(piece)
                await asyncio.sleep(0)
            if self.error is not None:
                raise self.error
            yield TextEnd("tool_calls" if self.calls else "stop", Usage(7, 2), self.calls)
        finally:
            self.stopped += 1

    async def embed(self, model: str, texts: Sequence[str]) -> EmbeddingResult:
        return EmbeddingResult(tuple((1.0, float(len(text))) for text in texts), 3)

    async def count_tokens(self, model: str, text: str) -> int:
        return len(text)

    async def close(self) -> None:
        self.stopped += 100


def service_of(engine: ScriptedEngine, tmp_path: Path, **settings) -> AIService:
    return AIService(
        AISettings(url="http://127.0.0.1:1/v1", **settings),
        clock=ManualClock(),
        store=ModelStore(tmp_path),
        source=random.Random(1),
        open_=lambda _settings: engine,
    )


@pytest.fixture
def run(tmp_path: Path):
    """Call one model with a scripted engine; returns (status, answer)."""

    def call(model, inputs, engine=None, options=None, **settings):
        async def main():
            service = service_of(engine or ScriptedEngine(), tmp_path, **settings)
            reply = await service.run(model, inputs, options)
            if isinstance(reply.body, bytes):
                return reply.status, reply.json()
            assert reply.content_type == "text/event-stream"
            return reply.status, [piece async for piece in reply.body]

        return asyncio.run(main())

    return call


def error(code: int, description: str) -> dict[str, object]:
    return {
        "internalCode": code,
        "message": f"AiError: {description}",
        "name": "AiError",
        "description": description,
    }


def events(frames: list[bytes]) -> list[object]:
    texts = [frame.decode() for frame in frames]
    assert all(text.startswith("data: ") and text.endswith("\n\n") for text in texts)
    assert texts[-1] == "data: [DONE]\n\n"
    parsed = [json.loads(text[6:]) for text in texts[:-1]]
    for event in parsed:
        if "p" in event:
            assert "abdefghijklmnoprstuvxyz1234567890".startswith(event["p"][:33])
            del event["p"]
    return parsed


def test_a_prompt_is_answered_with_the_defaults(run) -> None:
    engine = ScriptedEngine()
    assert run(LLAMA, {"prompt": "Hi"}, engine) == (
        200,
        {"response": "Hello", "tool_calls": [], "usage": USAGE},
    )
    assert engine.targets == [LLAMA]
    assert engine.requests == [TextRequest(prompt="Hi", max_tokens=256, temperature=0.6)]


def test_messages_and_sampling_reach_the_engine(run) -> None:
    engine = ScriptedEngine()
    inputs = {
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {"a": 1}}]},
            {"role": "tool", "name": "f", "tool_call_id": "x", "content": "3"},
        ],
        "max_tokens": 12,
        "temperature": 0,
        "top_p": 0.5,
        "top_k": 3,
        "seed": 4,
        "repetition_penalty": 1.1,
        "frequency_penalty": 0.2,
        "presence_penalty": -0.3,
    }
    run(LLAMA, inputs, engine)
    (request,) = engine.requests
    assert [(m.role, m.content, m.tool_calls, m.tool_call_id) for m in request.messages] == [
        ("system", "Be brief", (), ""),
        ("assistant", "", (ToolCall("f", {"a": 1}),), ""),
        ("tool", "3", (), "x"),
    ]
    assert (request.max_tokens, request.temperature, request.top_p, request.top_k) == (12, 0, 0.5, 3)
    assert (request.seed, request.repetition_penalty) == (4, 1.1)
    assert (request.frequency_penalty, request.presence_penalty) == (0.2, -0.3)


def test_a_stream_is_frames_a_usage_frame_and_done(run) -> None:
    status, frames = run(LLAMA, {"prompt": "Hi", "stream": True})
    assert status == 200
    assert b'{"response":"Hel","tool_calls":[],"p":"' in frames[0]
    assert events(frames) == [
        {"response": "Hel", "tool_calls": []},
        {"response": "lo", "tool_calls": []},
        {"response": "", "usage": USAGE},
    ]


def test_newer_models_stream_openai_chunks_and_the_same_usage_frame(run) -> None:
    _, frames = run(QWEN, {"messages": [{"role": "user", "content": "Hi"}], "stream": True})
    *chunks, usage = events(frames)
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": "Hel"},
        {"content": "lo"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "stop"]
    assert {(chunk["object"], chunk["model"], chunk["created"]) for chunk in chunks} == {
        ("chat.completion.chunk", QWEN, 1_700_000_000)
    }
    assert usage == {"response": "", "usage": USAGE}


def test_newer_models_answer_chat_completions(run) -> None:
    _, answer = run(QWEN, {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]})
    assert answer.pop("id").startswith("chatcmpl-")
    assert answer == {
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": QWEN,
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hello",
                    "refusal": None,
                    "reasoning_content": None,
                    "tool_calls": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }


def test_gpt_oss_answers_the_responses_api(run) -> None:
    engine = ScriptedEngine()
    _, answer = run(GPT_OSS, {"instructions": "Be brief", "input": "Hi"}, engine)
    assert [(m.role, m.content) for m in engine.requests[0].messages] == [("system", "Be brief"), ("user", "Hi")]
    assert answer["object"] == "response"
    assert answer["output"][0]["content"][0]["text"] == "Hello"
    assert answer["usage"] == {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9}


FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}


def test_tools_in_the_older_form_are_called_in_the_older_form(run) -> None:
    engine = ScriptedEngine((), (ToolCall("f", {"a": 1}),))
    _, answer = run(LLAMA, {"prompt": "Hi", "tools": [FUNCTION]}, engine)
    assert answer == {"response": None, "tool_calls": [{"name": "f", "arguments": {"a": 1}}], "usage": USAGE}
    assert engine.requests[0].tools[0].parameters == FUNCTION["parameters"]


def test_tools_in_openai_form_are_called_in_openai_form(run) -> None:
    engine = ScriptedEngine((), (ToolCall("f", {"a": 1}, id="call_1"),))
    tools = [{"type": "function", "function": FUNCTION}]
    _, answer = run(LLAMA, {"prompt": "Hi", "tools": tools, "tool_choice": "any"}, engine)
    assert answer["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    ]
    assert engine.requests[0].tool_choice == "required"


def test_json_mode_answers_the_value(run) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    engine = ScriptedEngine(['{"a"', ":1}"])
    inputs = {"prompt": "Hi", "response_format": {"type": "json_schema", "json_schema": schema}}
    assert run(LLAMA, inputs, engine)[1]["response"] == {"a": 1}
    assert engine.requests[0].json_schema == schema
    wrapped = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert run(LLAMA, {"prompt": "Hi", "response_format": wrapped}, engine)[1]["response"] == {"a": 1}
    assert engine.requests[1].json_schema == schema


@pytest.mark.parametrize("said", ['{"a"', '{"a":"x"}', "[1]"])
def test_json_that_was_not_met_is_5024(run, said: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    inputs = {"prompt": "Hi", "response_format": {"type": "json_schema", "json_schema": schema}}
    assert run(LLAMA, inputs, ScriptedEngine([said])) == (400, error(5024, "JSON Model couldn't be met"))


def test_a_json_schema_does_not_stream(run) -> None:
    inputs = {"prompt": "Hi", "stream": True, "response_format": {"type": "json_schema", "json_schema": {}}}
    assert run(LLAMA, inputs) == (400, error(5023, "JSON Schema mode is not supported with stream mode"))


@pytest.mark.parametrize(
    ("model", "inputs", "found"),
    [
        (
            LLAMA,
            {},
            "oneOf at '/' not met, 0 matches: required properties at '/' are 'prompt', "
            "required properties at '/' are 'messages'",
        ),
        (
            LLAMA,
            {"messages": [{"role": "user"}]},
            "oneOf at '/' not met, 0 matches: required properties at '/' are 'prompt', "
            "required properties at '/messages/0' are 'role,content'",
        ),
        (
            LLAMA,
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
            "oneOf at '/' not met, 0 matches: required properties at '/' are 'prompt', "
            "Type mismatch of '/messages/0/content', 'string' not in 'array'",
        ),
        (
            LLAMA,
            {"prompt": "x", "temperature": 9},
            "oneOf at '/' not met, 0 matches: '/temperature' must be <= 5",
        ),
        (
            LLAMA,
            {"prompt": "x", "max_tokens": "9"},
            "oneOf at '/' not met, 0 matches: Type mismatch of '/max_tokens', 'integer' not in 'string'",
        ),
        (
            BGE,
            {},
            "oneOf at '/' not met, 0 matches: required properties at '/' are 'text', "
            "required properties at '/' are 'requests'",
        ),
        (LLAMA, "x", "Type mismatch of '/', 'object' not in 'string'"),
    ],
)
def test_bad_input_is_5006_in_the_validators_words(run, model: str, inputs, found: str) -> None:
    assert run(model, inputs) == (400, error(5006, f"Error: {found}"))


def test_an_unknown_model_is_5007(run) -> None:
    assert run("@cf/none/such", {"prompt": "x"}) == (400, error(5007, "No such model @cf/none/such or task"))


def test_a_name_that_the_project_maps_is_known(run) -> None:
    engine = ScriptedEngine()
    assert run("@cf/none/such", {"prompt": "x"}, engine, models={"@cf/none/such": "mine"})[0] == 200
    assert engine.targets == ["mine"]


def test_a_model_that_is_not_here_names_the_command(tmp_path: Path) -> None:
    async def main():
        service = AIService(
            AISettings(engine="xllamacpp"), clock=ManualClock(), store=ModelStore(tmp_path), source=random.Random(1)
        )
        return service.describe(), (await service.run(LLAMA, {"prompt": "x", "stream": True})).json()

    described, answer = asyncio.run(main())
    assert described == [
        "every chat model -> SmolLM2-135M-Instruct Q4_1, not here yet: run `pyworkers models pull smollm2`",
        "every embedding model -> hashed words, of the model's dimensions (no model)",
    ]
    assert answer == error(
        5007,
        f"No such model {LLAMA} or task on this machine: the model smollm2, which answers for {LLAMA}, is not here; "
        "run `pyworkers models pull smollm2`",
    )


def test_an_engine_that_fails_at_once_is_an_error_also_for_a_stream(run) -> None:
    engine = ScriptedEngine(())
    engine.error = EngineError("it broke")
    assert run(LLAMA, {"prompt": "x", "stream": True}, engine) == (
        500,
        error(3043, "Internal server error: it broke"),
    )


def test_an_engine_that_fails_in_the_middle_ends_the_stream(run) -> None:
    engine = ScriptedEngine()
    engine.error = EngineError("it broke")
    _, frames = run(LLAMA, {"prompt": "x", "stream": True}, engine)
    assert frames[-2:] == [b'data: {"error": "3043: Internal server error: it broke"}\n\n', b"data: [DONE]\n\n"]


def test_closing_a_stream_stops_the_engine(tmp_path: Path) -> None:
    engine = ScriptedEngine(["x"] * 100)

    async def main():
        reply = await service_of(engine, tmp_path).run(LLAMA, {"prompt": "x", "stream": True})
        await anext(reply.body)
        await reply.body.aclose()

    asyncio.run(main())
    assert engine.stopped == 1


def test_embeddings_have_the_models_dimensions_without_a_model(tmp_path: Path) -> None:
    async def main(inputs):
        service = AIService(AISettings(), clock=ManualClock(), store=ModelStore(tmp_path))
        return (await service.run(BGE, inputs)).json()

    answer = asyncio.run(main({"text": ["the quick brown fox", "a quick fox", "tax law"]}))
    assert (answer["shape"], answer["pooling"]) == ([3, 384], "mean")
    first, near, far = answer["data"]
    assert [len(vector) for vector in answer["data"]] == [384, 384, 384]
    assert sum(a * b for a, b in zip(first, near, strict=True)) > 0.4
    assert abs(sum(a * b for a, b in zip(first, far, strict=True))) < 0.3
    assert asyncio.run(main({"text": "the quick brown fox"}))["data"] == [first]


def test_embeddings_come_from_a_configured_model(run) -> None:
    status, answer = run(BGE, {"text": ["a", "bcd"]}, models={"embeddings": "vectors"})
    assert (status, answer) == (200, {"shape": [2, 2], "data": [[1.0, 1.0], [1.0, 3.0]], "pooling": "mean"})


def test_contexts_are_ranked_best_first(tmp_path: Path) -> None:
    async def main():
        service = AIService(AISettings(), clock=ManualClock(), store=ModelStore(tmp_path))
        contexts = [{"text": "tax law"}, {"text": "a brown fox"}, {"text": "fox"}]
        inputs = {"query": "brown fox", "contexts": contexts, "top_k": 2}
        return (await service.run("@cf/baai/bge-reranker-base", inputs)).json()

    ranked = asyncio.run(main())["response"]
    assert [entry["id"] for entry in ranked] == [1, 2]
    assert ranked[0]["score"] > ranked[1]["score"] > 0


def test_a_sentiment_is_two_labels(run) -> None:
    engine = ScriptedEngine(['{"positive":0.75}'])
    assert run("@cf/huggingface/distilbert-sst-2-int8", {"text": "nice"}, engine) == (
        200,
        [{"label": "NEGATIVE", "score": 0.25}, {"label": "POSITIVE", "score": 0.75}],
    )


def test_summaries_and_translations_are_asked_of_the_chat_model(run) -> None:
    assert run("@cf/facebook/bart-large-cnn", {"input_text": "long"}) == (200, {"summary": "Hello"})
    inputs = {"text": "hi", "source_lang": "en", "target_lang": "de"}
    assert run("@cf/meta/m2m100-1.2b", inputs) == (200, {"translated_text": "Hello"})


def test_what_no_engine_here_does_says_so(run) -> None:
    model = "@cf/openai/whisper"
    assert run(model, {"audio": [1]}) == (
        400,
        error(
            5007,
            f"No such model {model} or task on this machine: no engine here does Automatic Speech Recognition; "
            "call it with wrangler's remote mode",
        ),
    )


def test_the_catalogue_can_be_searched(tmp_path: Path) -> None:
    service = service_of(ScriptedEngine(), tmp_path)
    found = service.models({"search": "bge", "task": "Text Embeddings", "per_page": 2, "page": 2})
    assert [entry["name"] for entry in found] == ["@cf/baai/bge-large-en-v1.5", "@cf/baai/bge-m3"]
    assert len(service.models({})) == len(MODELS) > 80
