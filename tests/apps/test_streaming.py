"""The path from a client to a model's tokens: API worker, service binding, streaming worker, AI."""

import asyncio
import json

import pytest
from conftest import Caller
from inference_ui_streaming.generation import Generation
from inference_ui_streaming.generation_requests import read_request
from inference_ui_streaming.web import HttpError

from pyworkers.testing.tiny_model import ANSWER

CHAT = {"messages": [{"role": "user", "parts": [{"type": "text", "text": "Hi"}]}], "temperature": 0}
MODEL = "@cf/meta/llama-3.1-8b-instruct"


async def post(worker, path, body, **headers):
    text = body if isinstance(body, str) else json.dumps(body)
    return await worker.fetch(path, method="POST", body=text, headers={"content-type": "application/json", **headers})


def frames(text):
    *lines, end = text.split("\n\n")
    assert end == ""
    assert all(line.startswith("data: ") for line in lines)
    assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


async def read_body(body):
    """The text that came, and the error that ended it, or None."""
    reader, received = body.getReader(), b""
    try:
        while not (part := await reader.read()).done:
            received += part.value.to_bytes()
    except Exception as error:
        return received.decode(), error
    return received.decode(), None


async def usage(worker, env):
    await worker.other("inference-ui-streaming").settle()
    columns = "tenant_id, endpoint, model, outcome, prompt_tokens, completion_tokens"
    found = await env.DB.prepare(f"SELECT {columns} FROM ai_usage").all()
    return [dict(row) for row in found.results]


@pytest.mark.parametrize("path", ["/stream/chat", "/api/stream/chat", "/v1/stream/chat", "/stream/chat?x=1"])
async def test_a_chat_streams_its_tokens(worker, env, path):
    response = await post(worker, path, {**CHAT, "chatId": "c1"})
    assert response.status == 200
    names = ("content-type", "cache-control", "access-control-allow-origin")
    assert [response.headers[name] for name in names] == ["text/event-stream", "no-cache", "*"]
    start, *parts, end, done = frames(await response.text())
    assert start == {
        "type": "message-start",
        "message": {"role": "assistant", "parts": [], "metadata": {"chatId": "c1"}},
    }
    texts = [part["text"] for part in parts]
    assert parts == [{"type": "message-part", "part": {"type": "text", "text": text}, "text": text} for text in texts]
    assert len(texts) > 5
    assert "".join(texts) == ANSWER
    message = end["message"]
    assert (end["type"], message["role"], message["parts"]) == (
        "message-end",
        "assistant",
        [{"type": "text", "text": ANSWER}],
    )
    assert message["usage"]["totalTokens"] == message["usage"]["promptTokens"] + message["usage"]["completionTokens"]
    assert done == {"type": "done"}
    assert await usage(worker, env) == [
        {
            "tenant_id": "anonymous",
            "endpoint": "chat",
            "model": MODEL,
            "outcome": "done",
            "prompt_tokens": message["usage"]["promptTokens"],
            "completion_tokens": message["usage"]["completionTokens"],
        }
    ]


async def test_the_openai_shape_gives_the_same_answer(worker):
    response = await post(worker, "/stream/chat", {"messages": [{"role": "user", "content": "Hi"}], "temperature": 0})
    assert frames(await response.text())[-2]["message"]["parts"] == [{"type": "text", "text": ANSWER}]


async def test_a_completion(worker):
    response = await post(worker, "/stream/completion", {"prompt": "Hi", "temperature": 0})
    start, *_, end, _ = frames(await response.text())
    assert start == {"type": "message-start", "message": {"metadata": {}}}
    assert end["message"]["parts"] == [{"type": "text", "text": ANSWER}]


SCHEMA = {
    "type": "object",
    "properties": {"name": {"enum": ["Ada", "Bob"]}, "ok": {"type": "boolean"}},
    "required": ["name", "ok"],
    "additionalProperties": False,
}
ZOD = {
    "name": {"_def": {"typeName": "ZodEnum", "values": ["Ada", "Bob"]}},
    "ok": {"_def": {"typeName": "ZodBoolean"}},
}


@pytest.mark.parametrize("schema", [SCHEMA, json.dumps(SCHEMA), ZOD], ids=["object", "text", "zod"])
async def test_an_object_is_bare_json_that_satisfies_the_schema(worker, schema):
    response = await post(worker, "/stream/object", {"prompt": "Somebody", "schema": schema})
    _, *parts, end, _ = frames(await response.text())
    text = "".join(part["text"] for part in parts)
    value = json.loads(text)
    assert value["name"] in ("Ada", "Bob")
    assert isinstance(value["ok"], bool)
    assert sorted(value) == ["name", "ok"]
    assert end["message"]["parts"] == [{"type": "text", "text": text}]
    assert len(parts) > 3


async def test_an_object_that_is_cut_short_is_an_error_not_half_an_object(worker):
    schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": 50}}, "required": ["a"]}
    response = await post(worker, "/stream/object", {"prompt": "x", "schema": schema, "maxTokens": 6})
    assert response.status == 200
    text, failure = await read_body(response.body)
    assert "is not complete JSON" in str(failure)
    last = text.rstrip("\n").split("\n\n")[-1]
    message = "the model's answer is not complete JSON; raise maxTokens or simplify the schema"
    assert json.loads(last.removeprefix("data: ")) == {"type": "error", "error": {"message": message}}


@pytest.mark.parametrize(
    ("path", "body", "status", "answer"),
    [
        ("/stream/chat", {}, 400, {"error": "Invalid request: messages required", "field": "messages"}),
        ("/stream/completion", {}, 400, {"error": "Invalid request: prompt required", "field": "prompt"}),
        ("/stream/object", {"prompt": "x"}, 400, {"error": "Invalid request: schema required", "field": "schema"}),
        ("/stream/chat", "", 400, {"error": "Invalid request: body must be JSON, it is empty", "field": "body"}),
        (
            "/stream/chat",
            {**CHAT, "model": "@cf/nobody/nothing"},
            400,
            {"error": "AI error: No such model @cf/nobody/nothing or task", "field": "model"},
        ),
        (
            "/stream/chat",
            {**CHAT, "model": "@cf/baai/bge-base-en-v1.5"},
            400,
            {
                "error": "AI error: Error: oneOf at '/' not met, 0 matches: required properties at '/' are 'text', "
                "required properties at '/' are 'requests'",
                "field": "model",
            },
        ),
        (
            "/stream/object",
            {"prompt": "x", "schema": {"type": "banana"}},
            400,
            {"error": "AI error: Error: a JSON schema has the type 'banana'", "field": "schema"},
        ),
        (
            "/stream/chat",
            '"' + "x" * 1_048_576 + '"',
            413,
            {"error": "Request body is too large: at most 1048576 bytes", "field": "body"},
        ),
    ],
)
async def test_what_goes_wrong_before_the_first_token_is_an_http_error(worker, path, body, status, answer):
    response = await post(worker, path, body)
    assert (response.status, await response.json()) == (status, answer)
    assert response.headers["access-control-allow-origin"] == "*"


async def test_a_context_overflow_is_413(worker):
    response = await post(worker, "/stream/completion", {"prompt": "word " * 5000})
    assert response.status == 413
    assert (await response.json())["error"].startswith("AI error: The estimated number of input")


async def test_a_client_cannot_say_for_whom_a_generation_is(worker, env):
    response = await post(worker, "/stream/chat", CHAT, **{"X-Inference-UI-Tenant": "somebody"})
    await response.text()
    assert [row["tenant_id"] for row in await usage(worker, env)] == ["anonymous"]


async def test_a_client_that_leaves_stops_the_model(worker, env):
    response = await post(worker, "/stream/completion", {"prompt": "Hi", "temperature": 5, "maxTokens": 1900})
    reader = response.body.getReader()
    await reader.read()
    await reader.cancel("bye")
    (row,) = await usage(worker, env)
    assert row["outcome"] == "cancelled"
    assert row["completion_tokens"] < 50


async def test_a_slow_client_slows_the_model(worker, env):
    response = await post(worker, "/stream/completion", {"prompt": "Hi", "temperature": 5, "maxTokens": 1900})
    reader = response.body.getReader()
    await reader.read()
    for _ in range(200):
        await asyncio.sleep(0)  # nothing is read meanwhile
    await reader.cancel("bye")
    (row,) = await usage(worker, env)
    assert row["completion_tokens"] < 50


async def test_usage_can_be_asked_for(worker, env, account):
    worker = Caller(worker, account)
    for _ in range(2):
        await (await post(worker, "/stream/chat", CHAT)).text()
    (row, _) = await usage(worker, env)
    body = {"query": "{ aiUsage { model requests errors cancelled promptTokens completionTokens } }"}
    answer = await (await post(worker, "/graphql", body)).json()
    assert answer["data"]["aiUsage"] == [
        {
            "model": MODEL,
            "requests": 2,
            "errors": 0,
            "cancelled": 0,
            "promptTokens": 2 * row["prompt_tokens"],
            "completionTokens": 2 * row["completion_tokens"],
        }
    ]


# -- a model that misbehaves


class FakeAI:
    """Answers with chunks of bytes; an exception among them breaks the stream."""

    def __init__(self, *chunks):
        self.chunks = list(chunks)
        self.is_cancelled = False

    async def run(self, model, inputs):
        import js
        from pyodide.ffi import create_proxy, to_js

        async def pull(controller):
            if not self.chunks:
                controller.close()
                return
            chunk = self.chunks.pop(0)
            if isinstance(chunk, Exception):
                raise chunk
            controller.enqueue(to_js(chunk))

        def cancel(*_):
            self.is_cancelled = True

        return js.ReadableStream.new(pull=create_proxy(pull), cancel=create_proxy(cancel))


async def read_all(generation):
    await generation.start()
    return await read_body(generation.body())


def chat():
    return read_request("chat", CHAT)


async def test_frames_and_characters_may_be_split_anywhere(worker):
    raw = 'data: {"response":"Grüße "}\n\ndata: {"response":"🚋"}\n\ndata: [DONE]\n\n'.encode()
    generation = Generation(FakeAI(*(raw[place : place + 1] for place in range(len(raw)))), chat())
    text, failure = await read_all(generation)
    assert failure is None
    assert [frame.get("text") for frame in frames(text)[1:-2]] == ["Grüße ", "🚋"]
    outcome = generation.outcome.result()
    assert (outcome.result, outcome.usage.completion_tokens) == ("done", 2)


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (b'data: {"error":"3043: it broke"}\n\n', "3043: it broke"),
        (RuntimeError("the wire was cut"), "the wire was cut"),
    ],
)
async def test_an_error_after_the_first_token_is_a_frame_and_then_a_cut(worker, last, message):
    generation = Generation(FakeAI(b'data: {"response":"Hi"}\n\n', last), chat())
    text, failure = await read_all(generation)
    assert failure is not None
    assert text.count("data: ") == 3
    error = json.loads(text.rstrip("\n").split("data: ")[-1])
    assert error["type"] == "error"
    assert message in error["error"]["message"]
    outcome = generation.outcome.result()
    assert (outcome.result, outcome.usage.completion_tokens) == ("error", 1)


async def test_an_error_frame_before_the_first_token_is_an_http_error(worker):
    generation = Generation(FakeAI(b'data: {"error":"3040: Capacity temporarily exceeded"}\n\n'), chat())
    with pytest.raises(HttpError) as caught:
        await generation.start()
    assert (caught.value.status, caught.value.message) == (503, "AI error: Capacity temporarily exceeded")
    assert generation.outcome.result().result == "error"


async def test_an_answer_without_text_has_a_start_and_an_end(worker):
    text, failure = await read_all(Generation(FakeAI(b"data: [DONE]\n\n"), chat()))
    assert failure is None
    assert [frame["type"] for frame in frames(text)] == ["message-start", "message-end", "done"]
    assert frames(text)[1]["message"]["parts"] == []


async def test_a_client_that_left_before_the_first_token_stops_the_model(worker):
    ai = FakeAI(b": nothing yet\n\n", b'data: {"response":"Hi"}\n\n')
    generation = Generation(ai, chat())
    await generation.cancel()
    with pytest.raises(HttpError):
        await generation.start()
    assert ai.is_cancelled
    assert generation.outcome.result().result == "cancelled"


async def test_fences_of_a_model_that_cannot_be_constrained_are_taken_off(worker):
    tokens = ["```", "json\n", '{"a"', ": 1}", "\n```"]
    chunks = [f"data: {json.dumps({'response': token})}\n\n".encode() for token in tokens]
    generation = Generation(FakeAI(*chunks), read_request("object", {"prompt": "x", "schema": {"type": "object"}}))
    text, failure = await read_all(generation)
    assert failure is None
    assert frames(text)[-2]["message"]["parts"] == [{"type": "text", "text": '{"a": 1}'}]
