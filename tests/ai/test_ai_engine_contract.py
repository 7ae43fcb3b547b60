"""The laws of TextEngine, for every engine."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from contextlib import aclosing
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from pyworkers.engines.ai.errors import ContextOverflow, ModelCorrupt, ModelMissing
from pyworkers.engines.ai.grammar import JSON_OBJECT
from pyworkers.engines.ai.local import LocalTextEngine, _Pipe
from pyworkers.engines.ai.protocol import (
    ChatMessage,
    TextChunk,
    TextEnd,
    TextRequest,
    TextResult,
    Tool,
    Usage,
    collect,
)
from pyworkers.errors import EngineClosed
from pyworkers.testing.tiny_model import ANSWER, write_tiny_model

HANG_S = 120  # a guard only
HELLO = TextRequest(messages=(ChatMessage("user", "Hi"),), temperature=0)
LONG = TextRequest(prompt="Hello", raw=True, temperature=1.5, max_tokens=900, seed=4, stop=())
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 3},
        "nick": {"type": ["string", "null"]},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
WEATHER = Tool(
    "get_weather",
    "The weather in a city",
    {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}}, "required": ["city"]},
)


def test_a_stream_is_chunks_and_one_end(open_any) -> None:
    async def main():
        async with open_any() as (engine, model):
            return [event async for event in engine.stream(model, HELLO)]

    events = asyncio.run(main())
    assert "".join(event.text for event in events[:-1]) == ANSWER
    assert all(isinstance(event, TextChunk) and event.text for event in events[:-1])
    assert len(events) > 5
    assert events[-1] == TextEnd("stop", Usage(prompt_tokens=20, completion_tokens=10))


def test_max_tokens_ends_with_length(open_any) -> None:
    async def main():
        async with open_any() as (engine, model):
            return await collect(engine.stream(model, TextRequest(prompt="Hi", temperature=0, max_tokens=3)))

    assert asyncio.run(main()) == TextResult("Hello! I", "length", Usage(20, 3))


def test_a_stop_text_ends_the_answer_and_is_not_part_of_it(open_any) -> None:
    async def main():
        async with open_any() as (engine, model):
            return await collect(engine.stream(model, TextRequest(prompt="Hi", temperature=0, stop=(" happy",))))

    result = asyncio.run(main())
    assert (result.text, result.finish_reason) == ("Hello! I am", "stop")


def test_the_same_seed_gives_the_same_text(open_any) -> None:
    request = TextRequest(prompt="Hi", temperature=1.2, seed=11, max_tokens=40)

    async def main():
        async with open_any() as (engine, model):
            return [(await collect(engine.stream(model, request))).text for _ in range(3)]

    first, *others = asyncio.run(main())
    assert others == [first, first]


@pytest.mark.parametrize("temperature", [0, 0.7, 5])
def test_a_steady_model_says_the_same_at_every_temperature(open_local, steady_model: Path, temperature: float) -> None:
    request = TextRequest(messages=(ChatMessage("user", "Hi"),), temperature=temperature)

    async def main():
        async with open_local() as engine:
            return [(await collect(engine.stream(str(steady_model), request))).text for _ in range(5)]

    assert asyncio.run(main()) == [ANSWER] * 5


def test_closing_a_stream_stops_it_and_others_go_on(open_any) -> None:
    async def main():
        async with open_any() as (engine, model):
            stream = engine.stream(model, LONG)
            seen = [await anext(stream), await anext(stream)]
            await stream.aclose()
            other = await collect(engine.stream(model, HELLO))
            return seen, other.text

    seen, other = asyncio.run(main())
    assert len(seen) == 2
    assert other == ANSWER


def test_closing_a_stream_ends_its_generation_at_the_next_piece(
    open_local, random_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    told: list[bool] = []
    closing = threading.Event()
    emit = _Pipe.emit

    def emit_and_wait(self: _Pipe, piece: str) -> bool:
        if read:  # what comes now comes after the reader has gone
            assert closing.wait(HANG_S)
            while not self.is_stopped:
                time.sleep(0.001)
        told.append(emit(self, piece))
        read.extend([piece] if piece else [])
        return told[-1]

    monkeypatch.setattr(_Pipe, "emit", emit_and_wait)

    async def main():
        async with open_local() as engine:
            stream = engine.stream(str(random_model), LONG)
            await anext(stream)
            closing.set()
            await stream.aclose()

    asyncio.run(main())
    assert told == [*[False] * (len(told) - 1), True]


def test_a_cancelled_reader_stops_its_generation(open_any) -> None:
    async def main():
        async with open_any() as (engine, model):
            started = asyncio.Event()

            async def read_one_and_hang() -> None:
                async with aclosing(engine.stream(model, LONG)) as events:
                    await anext(events)
                    started.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(read_one_and_hang())
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return (await collect(engine.stream(model, HELLO))).text

    assert asyncio.run(main()) == ANSWER


def test_requests_at_the_same_time_do_not_mix(open_any) -> None:
    async def main():
        async with open_any() as (engine, model):
            requests = [TextRequest(prompt="Hi", temperature=0, max_tokens=count) for count in (1, 2, 3, 4, 30, 30)]
            results = await asyncio.gather(*(collect(engine.stream(model, request)) for request in requests))
            return [result.text for result in results]

    assert asyncio.run(main()) == ["Hello", "Hello!", "Hello! I", "Hello! I am", ANSWER, ANSWER]


def test_tokens_are_counted(open_any) -> None:
    async def main():
        async with open_any() as (engine, model):
            return await engine.count_tokens(model, "Hello! I am")

    assert asyncio.run(main()) == 4


def test_a_prompt_that_does_not_fit_says_how_long_it_is(open_any) -> None:
    async def main():
        async with open_any() as (engine, model):
            with pytest.raises(ContextOverflow) as caught:
                await collect(engine.stream(model, TextRequest(prompt="user " * 3000, raw=True)))
            return caught.value, (await collect(engine.stream(model, HELLO))).text

    error, after = asyncio.run(main())
    assert (error.prompt_tokens > 3000, error.context_tokens) == (True, 1024)
    assert after == ANSWER


def test_a_closed_engine_says_so(open_any) -> None:
    async def main():
        async with open_any() as (engine, model):
            await engine.close()
            await engine.close()
            with pytest.raises(EngineClosed, match=r"^the AI engine is closed$"):
                await collect(engine.stream(model, HELLO))

    asyncio.run(main())


@pytest.mark.parametrize(
    ("schema", "begins"),
    [
        ({"type": "array", "items": PERSON, "minItems": 1_000}, '[{"name":"'),
        ({"type": "object", "additionalProperties": PERSON, "minProperties": 1_000}, '{"'),
    ],
)
def test_as_many_items_as_a_schema_may_ask_for_are_no_trouble(open_local, random_model: Path, schema, begins) -> None:
    request = TextRequest(prompt="x", temperature=0, max_tokens=12, json_schema=schema)

    async def main():
        async with open_local() as engine:
            return await collect(engine.stream(str(random_model), request))

    result = asyncio.run(main())
    assert (result.text[: len(begins)], result.finish_reason) == (begins, "length")


@pytest.mark.parametrize("seed", range(4))
def test_json_schema_holds_on_random_weights(open_local, random_model: Path, seed: int) -> None:
    async def main():
        async with open_local() as engine:
            schemas = (PERSON, JSON_OBJECT, {"type": "number", "minimum": 0.5, "maximum": 1})
            requests = [
                TextRequest(prompt="x", temperature=1, seed=seed * 10 + index, json_schema=schema)
                for index, schema in enumerate(schemas)
            ]
            return [await collect(engine.stream(str(random_model), request)) for request in requests]

    person, free, number = asyncio.run(main())
    assert [person.finish_reason, free.finish_reason, number.finish_reason] == ["stop", "stop", "stop"]
    Draft202012Validator(PERSON).validate(json.loads(person.text))
    assert isinstance(json.loads(free.text), dict)
    assert 0.5 <= json.loads(number.text) <= 1


def test_a_longest_length_holds_whatever_bytes_the_model_writes(open_local, random_model: Path) -> None:
    """The grammar takes an overlong form for one character; so must the text, in UTF-16 code units too."""
    schema = {"type": "array", "items": {"type": "string", "maxLength": 12}, "minItems": 8, "maxItems": 8}

    async def main():
        async with open_local() as engine:
            requests = [
                TextRequest(prompt="x", temperature=1, seed=seed, max_tokens=900, json_schema=schema)
                for seed in range(12)
            ]
            return [await collect(engine.stream(str(random_model), request)) for request in requests]

    texts = [text for result in asyncio.run(main()) for text in json.loads(result.text)]
    assert len(texts) == 96
    assert [text for text in texts if len(text.encode("utf-16-le", "surrogatepass")) > 24] == []


def test_required_tools_are_called_with_valid_arguments(open_local, random_model: Path) -> None:
    request = TextRequest(
        messages=(ChatMessage("system", "Be nice"), ChatMessage("user", "Weather?")),
        tools=(WEATHER, Tool("now")),
        tool_choice="get_weather",
        temperature=1,
        seed=3,
    )

    async def main():
        async with open_local() as engine:
            return await collect(engine.stream(str(random_model), request))

    result = asyncio.run(main())
    assert (result.text, result.finish_reason) == ("", "tool_calls")
    assert [call.name for call in result.tool_calls] == ["get_weather"]
    Draft202012Validator(WEATHER.parameters).validate(result.tool_calls[0].arguments)


def test_a_model_that_wants_no_tool_answers_in_text(open_local, tiny_model: Path) -> None:
    async def main():
        async with open_local() as engine:
            request = TextRequest(prompt="Hi", temperature=0, tools=(WEATHER,))
            return await collect(engine.stream(str(tiny_model), request))

    result = asyncio.run(main())
    assert (result.text, result.finish_reason, result.tool_calls) == (ANSWER, "stop", ())


def test_texts_that_share_words_have_near_vectors(open_local, tiny_model: Path) -> None:
    async def main():
        async with open_local() as engine:
            return await engine.embed(str(tiny_model), ["Hello user", "Hello! user", "request database"])

    result = asyncio.run(main())
    assert [len(vector) for vector in result.vectors] == [384, 384, 384]
    near, far = (sum(a * b for a, b in zip(result.vectors[0], other, strict=True)) for other in result.vectors[1:])
    assert near == pytest.approx(2 / 6**0.5, abs=1e-3)
    assert far == pytest.approx(0, abs=1e-3)
    assert result.prompt_tokens == 10


def test_a_truncated_model_is_named_and_the_engine_lives(open_local, tiny_model: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny_model.read_bytes()[:500_000])

    async def main():
        async with open_local() as engine:
            with pytest.raises(ModelCorrupt) as caught:
                await collect(engine.stream(str(cut), HELLO))
            text = (await collect(engine.stream(str(tiny_model), HELLO))).text
            write_tiny_model(cut)
            return caught.value, text, (await collect(engine.stream(str(cut), HELLO))).text

    error, other, mended = asyncio.run(main())
    assert error.message.startswith(f"the model file {cut} is incomplete: it has 500000 bytes, and its tensor ")
    assert other == mended == ANSWER


def test_a_model_that_is_not_there_is_named(open_local, tmp_path: Path) -> None:
    async def main():
        async with open_local() as engine:
            with pytest.raises(ModelMissing) as caught:
                await collect(engine.stream(str(tmp_path / "no.gguf"), HELLO))
            return caught.value.message

    assert asyncio.run(main()) == f"there is no model file at {tmp_path / 'no.gguf'}"


def test_the_event_loop_runs_while_a_model_loads_and_answers(
    open_local, random_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither goes on before the loop has run: on the loop's own thread that would be never."""
    begun, turned = threading.Event(), threading.Event()
    steps: list[str] = []

    def hold(name: str) -> None:
        step = getattr(LocalTextEngine, name)

        def held(*args: object) -> object:
            begun.set()
            assert turned.wait(HANG_S)
            turned.clear()
            steps.append(name)
            return step(*args)

        monkeypatch.setattr(LocalTextEngine, name, held)

    hold("_open")
    hold("_generate")

    async def turn() -> None:
        while True:
            await asyncio.sleep(0.001)
            if begun.is_set():
                begun.clear()
                turned.set()

    async def main():
        async with open_local() as engine:
            turning = asyncio.create_task(turn())
            await collect(engine.stream(str(random_model), TextRequest(prompt="x", temperature=1, seed=1)))
            turning.cancel()

    asyncio.run(main())
    assert steps == ["_open", "_generate"]


def test_opening_an_engine_imports_no_model_library() -> None:
    code = (
        "import sys\n"
        "from pyworkers.engines.ai import AISettings, open_engine\n"
        "open_engine(AISettings(engine='xllamacpp'))\n"
        "print([name for name in ('xllamacpp', 'llama_cpp', 'numpy', 'httpx', 'jsonschema') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_using_llama_cpp_python_leaves_no_file_open(tiny_model: Path) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    code = (
        "from pathlib import Path\n"
        "from pyworkers.engines.ai.gguf import read_gguf\n"
        "from pyworkers.engines.ai.llama_cpp_engine import LlamaCppBackend\n"
        "from pyworkers.engines.ai.local import LocalSettings\n"
        f"LlamaCppBackend(read_gguf(Path({str(tiny_model)!r})), LocalSettings(512, 1, 1), False)\n"
    )
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "ResourceWarning" in line]) == (0, [])
