"""`env.AI` as a worker's values see it."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest

from pyworkers.bindings.ai import AIService
from pyworkers.bindings.ai.binding import Ai, StreamBody
from pyworkers.bindings.ai.service import AIReply
from pyworkers.clock import ManualClock
from pyworkers.engines.ai import AISettings
from pyworkers.engines.ai.models import ModelStore
from pyworkers.js.abort import AbortController, AbortSignal
from pyworkers.js.convert import to_js
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject
from pyworkers.testing.tiny_model import ANSWER

LLAMA = "@cf/meta/llama-3.1-8b-instruct"


def js(value):
    return to_js(value, dict_converter=lambda pairs: JsObject([(key, item) for key, item in pairs]))


@pytest.fixture
def with_ai(tiny_model: Path, tmp_path: Path):
    """Run a coroutine function with a binding whose chat model is the bigram model."""
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")

    def call(function):
        async def main():
            settings = AISettings(
                engine="xllamacpp", default_model=str(tiny_model), context_tokens=1024, parallel=2, threads=1
            )
            service = AIService(settings, clock=ManualClock(), store=ModelStore(tmp_path), source=random.Random(1))
            try:
                return await function(Ai(service))
            finally:
                await service.close()

        return asyncio.run(main())

    return call


def test_a_fresh_binding_has_nulls() -> None:
    ai = Ai(AIService(AISettings(), clock=ManualClock()))
    assert ai.constructor.name == "Ai"
    assert ai.own_properties() == {
        "lastRequestId": jsnull,
        "aiGatewayLogId": jsnull,
        "lastRequestHttpStatusCode": jsnull,
        "lastRequestInternalStatusCode": jsnull,
    }
    assert list(ai.getLogs()) == []


def test_an_answer_is_an_object(with_ai) -> None:
    async def main(ai):
        answer = await ai.run(LLAMA, js({"prompt": "Hi", "temperature": 0}))
        return answer.to_py(), ai.own_properties()

    answer, left = with_ai(main)
    usage = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
    assert answer == {"response": ANSWER, "tool_calls": [], "usage": usage}
    assert left["lastRequestHttpStatusCode"] == 200


def test_a_stream_is_a_stream_of_bytes(with_ai) -> None:
    async def main(ai):
        stream = await ai.run(LLAMA, js({"prompt": "Hi", "temperature": 0, "stream": True}))
        assert isinstance(stream, ReadableStream)
        reader = stream.getReader()
        pieces = []
        while not (result := await reader.read()).done:
            pieces.append(bytes(result.value.view).decode())
        return pieces

    pieces = with_ai(main)
    assert pieces[0].startswith('data: {"response":"Hello","tool_calls":[],"p":"')
    assert pieces[-2:] == [
        'data: {"response":"","usage":{"prompt_tokens":20,"completion_tokens":10,"total_tokens":30}}\n\n',
        "data: [DONE]\n\n",
    ]


def test_cancelling_a_stream_while_it_is_read_ends_the_read(with_ai) -> None:
    async def main(ai):
        inputs = {"prompt": "Hello", "raw": True, "stream": True, "temperature": 1.5, "seed": 4, "max_tokens": 900}
        stream = await ai.run(LLAMA, js(inputs))
        reader = stream.getReader()
        await reader.read()
        reading = asyncio.ensure_future(reader.read())
        await asyncio.sleep(0)
        await reader.cancel()
        await reading
        assert (await reader.read()).done
        return (await ai.run(LLAMA, js({"prompt": "Hi", "temperature": 0}))).response

    assert with_ai(main) == ANSWER


def test_a_body_that_is_closed_while_it_is_read_ends() -> None:
    stopped = []

    async def pieces():
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    async def main():
        body = StreamBody(pieces())
        first = await anext(body)
        reading = asyncio.ensure_future(anext(body, None))
        await asyncio.sleep(0)
        await body.aclose()
        return first, await reading

    assert asyncio.run(main()) == (b"one", None)
    assert stopped == [True]


def test_errors_carry_code_name_and_status(with_ai) -> None:
    async def main(ai):
        with pytest.raises(JsException) as caught:
            await ai.run("@cf/none/such", js({"prompt": "Hi"}))
        return caught.value, ai.own_properties()

    error, left = with_ai(main)
    assert (error.name, error.message) == ("AiError", "5007: No such model @cf/none/such or task")
    assert (left["lastRequestHttpStatusCode"], left["lastRequestInternalStatusCode"]) == (400, 5007)


def test_a_raw_response_is_a_response_whatever_it_says(with_ai) -> None:
    async def main(ai):
        response = await ai.run("@cf/none/such", js({"prompt": "Hi"}), js({"returnRawResponse": True}))
        answer = json.loads(await response.text())
        return response.status, response.headers.get("content-type"), answer["internalCode"], ai.lastRequestId

    status, kind, code, request_id = with_ai(main)
    assert (status, kind, code) == (400, "application/json", 5007)
    assert len(request_id) == 36


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            lambda: {"a": ReadableStream.of_bytes(b"x"), "b": JsObject({"body": ReadableStream.of_bytes(b"x")})},
            "Multiple ReadableStreams are not supported. Found streams in keys: [a, b]",
        ),
        (
            lambda: {"audio": JsObject({"body": ReadableStream.of_bytes(b"x")})},
            "Content-Type is required with ReadableStream inputs",
        ),
    ],
)
def test_stream_inputs_are_checked(with_ai, inputs, message: str) -> None:
    async def main(ai):
        with pytest.raises(JsException) as caught:
            await ai.run("@cf/openai/whisper", JsObject(inputs()))
        return caught.value

    error = with_ai(main)
    assert (error.name, error.message) == ("AiInternalError", message)


def test_the_older_fetch_answers_too(with_ai) -> None:
    async def main(ai):
        init = JsObject(
            {
                "method": "POST",
                "headers": JsObject({"cf-consn-model-id": LLAMA, "content-type": "application/json"}),
                "body": '{"inputs":{"prompt":"Hi","temperature":0},"options":{}}',
            }
        )
        response = await ai.fetch("http://workers-binding.ai/run?version=3", init)
        return response.status, json.loads(await response.text())["response"]

    assert with_ai(main) == (200, ANSWER)


def test_what_runs_only_at_cloudflare_says_so(with_ai) -> None:
    async def main(ai):
        with pytest.raises(JsException) as caught:
            await ai.gateway("x").getLog("y")
        return caught.value

    error = with_ai(main)
    assert (error.name, error.message) == (
        "AiGatewayInternalError",
        "AI Gateway runs only at Cloudflare; AiGateway.getLog() has no local form",
    )


def test_models_are_listed(with_ai) -> None:
    async def main(ai):
        return await ai.models(js({"search": "bge-small"}))

    found = with_ai(main)
    assert isinstance(found, JsArray)
    assert [model.name for model in found] == ["@cf/baai/bge-small-en-v1.5"]


def test_a_signal_that_is_aborted_already_refuses_the_call(with_ai) -> None:
    async def main(ai):
        options = js({"signal": AbortSignal.static_abort()})
        with pytest.raises(JsException) as raised:
            await ai.run(LLAMA, js({"prompt": "Hi"}), options)
        return raised.value

    error = with_ai(main)
    assert (error.name, error.message) == ("AbortError", "The operation was aborted")


def test_a_signal_ends_a_call_that_waits_for_the_model() -> None:
    async def main():
        service = SlowService()
        controller = AbortController()
        call = asyncio.ensure_future(Ai(service).run(LLAMA, js({"prompt": "Hi"}), js({"signal": controller.signal})))
        await service.asked.wait()
        controller.abort(JsException("Error", "enough"))
        with pytest.raises(JsException, match="enough"):
            await call
        return service.ended

    assert asyncio.run(main()) is True


def test_a_signal_ends_a_stream_while_it_is_read() -> None:
    async def main():
        service = SlowService(first=b"data: 1\n\n")
        controller = AbortController()
        stream = await Ai(service).run(LLAMA, js({"stream": True}), js({"signal": controller.signal}))
        reader = stream.getReader()
        assert (await reader.read()).value.to_bytes() == b"data: 1\n\n"
        reading = asyncio.ensure_future(reader.read())
        await service.asked.wait()
        controller.abort()
        with pytest.raises(JsException) as raised:
            await reading
        await service.gone.wait()
        return raised.value

    error = asyncio.run(main())
    assert (error.name, error.message) == ("AbortError", "The operation was aborted")


def test_a_signal_stops_the_model_between_two_reads() -> None:
    async def main():
        service = SlowService(first=b"data: 1\n\n")
        controller = AbortController()
        stream = await Ai(service).run(LLAMA, js({"stream": True}), js({"signal": controller.signal}))
        reader = stream.getReader()
        await reader.read()
        controller.abort()
        await service.gone.wait()
        with pytest.raises(JsException, match="The operation was aborted"):
            await reader.read()

    asyncio.run(main())


class SlowService:
    """Stands where the AI service stands, and never ends by itself."""

    def __init__(self, first: bytes = b"") -> None:
        self.first = first
        self.asked = asyncio.Event()
        self.gone = asyncio.Event()
        self.ended = False

    async def run(self, _model, _inputs, _options):
        if self.first:
            return AIReply(200, "text/event-stream", "id", self.pieces())
        try:
            self.asked.set()
            await asyncio.Event().wait()
        finally:
            self.ended = True

    async def pieces(self):
        try:
            yield self.first
            self.asked.set()
            await asyncio.Event().wait()
        finally:
            self.gone.set()
