"""The streaming worker beyond its own frames: the AI SDK's formats, tools, cache, fallback, timeout."""

import asyncio
import json

import js
import pytest
from conftest import Caller
from inference_ui_streaming.ai_events import Usage
from inference_ui_streaming.cache import Answer, ReplayedStream, cache_key, keep_answer, read_answer
from inference_ui_streaming.edge import answer_task
from inference_ui_streaming.generation import Generation, Settings
from inference_ui_streaming.generation_requests import DEFAULT_MODEL, read_request
from inference_ui_streaming.protocols import FORMATS, choose_format
from inference_ui_streaming.tools import ToolCall, ToolCalls, ToolDelta, read_choice, read_deltas, read_tools
from inference_ui_streaming.web import HttpError
from pyodide.ffi import JsException, create_proxy, to_js

from pyworkers.testing.tiny_model import ANSWER

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
UI_HEADER = "x-vercel-ai-ui-message-stream"


async def post(worker, path, body, **headers):
    sent = {"content-type": "application/json", **headers}
    return await worker.fetch(path, method="POST", body=json.dumps(body), headers=sent)


def parts(text):
    *lines, done, end = text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    return [json.loads(line.removeprefix("data: ")) for line in lines]


# -- formats


@pytest.mark.parametrize("chosen", ["header", "query"])
async def test_the_ui_message_stream(worker, chosen):
    path = "/stream/chat" if chosen == "header" else "/stream/chat?protocol=ui-message"
    headers = {UI_HEADER: "v1"} if chosen == "header" else {}
    ai_sdk = {"id": "c", "messages": [{"id": "m", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}]}
    response = await post(worker, path, {**ai_sdk, "trigger": "submit-message", "temperature": 0}, **headers)
    assert (response.headers["content-type"], response.headers[UI_HEADER]) == ("text/event-stream", "v1")
    start, step, begin, *deltas, end, finish_step, finish = parts(await response.text())
    assert (start["type"], step, begin) == (
        "start",
        {"type": "start-step"},
        {"type": "text-start", "id": "0"},
    )
    assert {delta["type"] for delta in deltas} == {"text-delta"}
    assert "".join(delta["delta"] for delta in deltas) == ANSWER
    assert (end, finish_step) == ({"type": "text-end", "id": "0"}, {"type": "finish-step"})
    assert (finish["type"], finish["finishReason"]) == ("finish", "stop")
    assert finish["messageMetadata"]["usage"]["completionTokens"] > 0


async def test_the_text_stream(worker):
    response = await post(worker, "/stream/completion?protocol=text", {"prompt": "Hi", "temperature": 0})
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert await response.text() == ANSWER


async def test_an_object_as_text_is_what_the_ai_sdks_object_hook_reads(worker):
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    response = await post(worker, "/stream/object?protocol=text", {"prompt": "x", "schema": schema})
    assert isinstance(json.loads(await response.text())["ok"], bool)


async def test_the_data_stream_of_version_4(worker):
    response = await post(worker, "/stream/chat", {**CHAT, "temperature": 0}, **{"x-vercel-ai-data-stream": "v1"})
    assert response.headers["x-vercel-ai-data-stream"] == "v1"
    first, *texts, step, end = (await response.text()).splitlines()
    assert json.loads(first.removeprefix("f:"))["messageId"]
    assert "".join(json.loads(text.removeprefix("0:")) for text in texts) == ANSWER
    usage = json.loads(end.removeprefix("d:"))
    assert json.loads(step.removeprefix("e:")) == {**usage, "isContinued": False}
    assert usage["finishReason"] == "stop"


async def test_an_answer_that_was_cut_at_its_limit_says_so(worker):
    response = await post(worker, "/stream/chat?protocol=ui-message", {**CHAT, "temperature": 0, "maxTokens": 2})
    finish = parts(await response.text())[-1]
    assert (finish["finishReason"], finish["messageMetadata"]["usage"]["completionTokens"]) == ("length", 2)


class Classifier:
    """Workers AI that answers as a classifier, and notes which model was asked."""

    def __init__(self):
        self.asked = []

    async def run(self, model, inputs):
        self.asked.append((model, inputs))
        return [{"label": "NEGATIVE", "score": 0.9}, {"label": "POSITIVE", "score": 0.1}]


def test_a_text_to_classify_needs_no_model():
    ai = Classifier()
    body = {"task": "text_classification", "input": {"text": "bad"}}
    found = asyncio.run(answer_task(ai, body, token_cap=9))
    model = "@cf/huggingface/distilbert-sst-2-int8"
    assert found == {"output": {"label": "negative", "confidence": 0.9}, "confidence": 0.9, "model": model}
    assert ai.asked == [(model, {"text": "bad"})]


async def test_a_format_that_there_is_not(worker):
    response = await post(worker, "/stream/chat?protocol=x", CHAT)
    error = "Invalid request: protocol must be one of inference-ui, ui-message, text, data-v1"
    assert (response.status, await response.json()) == (400, {"error": error, "field": "protocol"})


@pytest.mark.parametrize("path", ["/stream/chat/c1/stream", "/stream/chat?chatId=c1"])
async def test_there_is_nothing_to_resume(worker, path):
    assert (await worker.fetch(path)).status == 204


@pytest.mark.parametrize(
    ("query", "headers", "name"),
    [
        (None, {}, "inference-ui"),
        (None, {UI_HEADER: "v1"}, "ui-message"),
        (None, {UI_HEADER: "v2"}, "inference-ui"),
        (None, {"x-vercel-ai-data-stream": "v1"}, "data-v1"),
        ("text", {UI_HEADER: "v1"}, "text"),
        ("", {}, None),
    ],
)
def test_choosing_a_format(query, headers, name):
    assert choose_format(query, headers) == name


# -- models that are not there


class FakeAI:
    """A model by name: chunks of its stream, an error that it refuses with, or None: it never says anything."""

    def __init__(self, **models):
        self.models = models
        self.asked = []
        self.cancelled = 0

    async def run(self, model, inputs):
        self.asked.append((model, inputs))
        chunks = self.models[model.rpartition("/")[2]]
        if isinstance(chunks, str):
            raise JsException("Error", chunks)
        waiting = iter(chunks)

        async def pull(controller):
            chunk = next(waiting, b"")
            if chunk is None:
                await asyncio.Event().wait()
            elif chunk:
                controller.enqueue(to_js(chunk))
            else:
                controller.close()

        def cancel(_reason):
            self.cancelled += 1

        return js.ReadableStream.new(pull=create_proxy(pull), cancel=create_proxy(cancel), highWaterMark=0)


def frame(value):
    return f"data: {json.dumps(value)}\n\n".encode()


def chat(**fields):
    return read_request("chat", {**CHAT, "model": "@cf/x/first", **fields})


async def body_of(generation):
    reader, received = generation.body().getReader(), b""
    try:
        while not (part := await reader.read()).done:
            received += part.value.to_bytes()
    except Exception as error:
        return received.decode(), error
    return received.decode(), None


SECOND = Settings(fallback_model="@cf/x/second", timeout_s=30)


@pytest.mark.parametrize("trouble", ["3040: Capacity temporarily exceeded", [frame({"error": "3043: it broke"})]])
async def test_another_model_answers_where_the_first_fails(worker, trouble):
    ai = FakeAI(first=trouble, second=[frame({"response": "Hi"})])
    generation = Generation(ai, chat(), settings=SECOND)
    await generation.start()
    text, _ = await body_of(generation)
    assert '"text":"Hi"' in text
    outcome = await generation.outcome
    assert (outcome.result, outcome.model, [model for model, _ in ai.asked]) == (
        "done",
        "@cf/x/second",
        ["@cf/x/first", "@cf/x/second"],
    )
    generation.release()


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("5007: No such model @cf/x/first or task", [], 400),  # the request's fault: no other model would mend it
        ("3040: Capacity temporarily exceeded", "3040: Capacity temporarily exceeded", 503),
    ],
)
async def test_what_no_model_can_answer(worker, first, second, status):
    generation = Generation(FakeAI(first=first, second=second), chat(), settings=SECOND)
    with pytest.raises(HttpError) as caught:
        await generation.start()
    assert caught.value.status == status
    assert (await generation.outcome).result == "error"


@pytest.mark.loop_time
async def test_a_model_that_says_nothing_is_given_up(worker):
    ai = FakeAI(first=[None])
    generation = Generation(ai, chat(), settings=Settings(timeout_s=0.25))
    with pytest.raises(HttpError) as caught:
        await generation.start()
    assert (caught.value.status, caught.value.code) == (504, "AI_TIMEOUT")
    assert caught.value.message == "AI error: the model said nothing for 0.25 s"
    assert ai.cancelled == 1


@pytest.mark.loop_time
async def test_a_model_that_starts_after_it_was_given_up_is_stopped(worker):
    may_start = asyncio.Event()

    class LateAI(FakeAI):
        async def run(self, model, inputs):
            await may_start.wait()
            return await super().run(model, inputs)

    ai = LateAI(first=[None])
    generation = Generation(ai, chat(), settings=Settings(timeout_s=0.01))
    with pytest.raises(HttpError, match=r"the model said nothing for 0\.01 s"):
        await generation.start()
    may_start.set()
    await worker.settle()
    for _ in range(10):  # the late model's own steps
        await asyncio.sleep(0)
    assert ai.cancelled == 1


@pytest.mark.loop_time
@pytest.mark.parametrize("name", ["inference-ui", "ui-message", "data-v1", "text"])
async def test_a_model_that_falls_silent_ends_the_stream(worker, name):
    ai = FakeAI(first=[frame({"response": "Hi"}), None])
    wire = FORMATS[name]()
    generation = Generation(ai, chat(), wire, Settings(timeout_s=0.25))
    await generation.start()
    text, error = await body_of(generation)
    assert (error is not None) == wire.cuts_on_error
    assert ("the model said nothing for 0.25 s" in text) == (name != "text")
    outcome = await generation.outcome
    assert (outcome.result, outcome.error, ai.cancelled) == ("error", "the model said nothing for 0.25 s", 1)
    generation.release()


async def test_a_reader_that_is_slow_is_not_the_models_fault(worker, monkeypatch):
    loop, looks = asyncio.get_running_loop(), []
    call_later = loop.call_later

    def noted(delay_s, callback, *arguments):
        if callback.__name__ == "_look":
            looks.append((callback, arguments))
        return call_later(delay_s, callback, *arguments)

    monkeypatch.setattr(loop, "call_later", noted)
    ai = FakeAI(first=[frame({"response": "a"}), frame({"response": "b"})])
    generation = Generation(ai, chat(), settings=Settings(timeout_s=60))
    await generation.start()
    ((look, arguments),) = looks
    look(*arguments)  # the minute is over, and nobody has read on
    _, error = await body_of(generation)
    assert (error, (await generation.outcome).result, len(looks)) == (None, "done", 2)
    generation.release()


async def test_a_model_that_has_said_all_is_let_go_at_once(worker):
    ai = FakeAI(first=[frame({"response": "Hi"}), b"data: [DONE]\n\n", None])
    generation = Generation(ai, chat())
    await generation.start()
    _, error = await body_of(generation)
    assert (error, (await generation.outcome).result, ai.cancelled) == (None, "done", 1)
    generation.release()


# -- tools

WEATHER = {"name": "weather", "description": "Tells it", "parameters": {"city": {"_def": {"typeName": "ZodString"}}}}
AS_OPENAI = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells it",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


def test_tools_in_every_shape():
    schema = AS_OPENAI["function"]["parameters"]
    assert read_tools([WEATHER]) == [AS_OPENAI]
    assert read_tools([AS_OPENAI]) == [AS_OPENAI]
    assert read_tools({"weather": {"description": "Tells it", "inputSchema": schema}}) == [AS_OPENAI]
    assert read_tools(None) == []
    assert read_choice("auto", []) == "auto"
    assert read_choice({"type": "tool", "toolName": "weather"}, [AS_OPENAI])["function"] == {"name": "weather"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tools": 1}, "Invalid request: tools must be a list of at most 64 tools"),
        ({"tools": [1]}, "Invalid request: tools[0] must be an object"),
        ({"tools": [{}]}, "Invalid request: tools[0].name must be a string of 1 to 64 characters"),
        ({"tools": [{"name": "a", "parameters": "x"}]}, "Invalid request: tools[0].parameters must be an object"),
        (
            {"tools": [WEATHER], "toolChoice": "other"},
            "Invalid request: toolChoice must be one of auto, none, required, or name one of the tools",
        ),
        ({"cache": 1}, "Invalid request: cache must be true or false"),
    ],
)
def test_wrong_tools_are_named(fields, message):
    with pytest.raises(HttpError) as caught:
        chat(**fields)
    assert (caught.value.status, caught.value.message) == (400, message)


@pytest.mark.parametrize(
    "chunks",
    [
        [{"response": "", "tool_calls": [{"name": "weather", "arguments": {"city": "Bern"}}]}],
        [
            {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "weather"}}]}}]},
            {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]}}]},
            {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": '"Bern"}'}}]}}]},
            {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
        ],
    ],
    ids=["workers-ai", "openai"],
)
async def test_a_call_of_a_tool_reaches_every_client(worker, chunks):
    called = {"toolName": "weather", "args": {"city": "Bern"}}

    async def run(name):
        ai = FakeAI(first=[frame(chunk) for chunk in chunks])
        generation = Generation(ai, chat(tools=[WEATHER], toolChoice="required"), FORMATS[name]())
        await generation.start()
        text, _ = await body_of(generation)
        assert ai.asked[0][1]["tools"] == [AS_OPENAI]
        assert ai.asked[0][1]["tool_choice"] == "required"
        assert (await generation.outcome).finish_reason == "tool-calls"
        generation.release()
        return text

    own = [json.loads(line.removeprefix("data: ")) for line in (await run("inference-ui")).split("\n\n")[:-2]]
    part = {"type": "tool-call", "toolCallId": own[2]["id"], **called}
    assert own[1] == {"type": "message-part", "part": part}
    assert own[2] == {"type": "tool-call", "id": part["toolCallId"], "name": "weather", "args": {"city": "Bern"}}
    assert own[3]["message"]["parts"] == [part]
    ui = [one for one in parts(await run("ui-message")) if one["type"] == "tool-input-available"]
    assert [(one["toolName"], one["input"]) for one in ui] == [("weather", {"city": "Bern"})]
    line = next(line for line in (await run("data-v1")).splitlines() if line.startswith("9:"))
    assert {**json.loads(line[2:]), "toolCallId": ""} == {**called, "toolCallId": ""}


def test_calls_from_pieces():
    calls = ToolCalls()
    calls.add(read_deltas([{"name": "a", "arguments": {}}, "x"]))
    calls.add([ToolDelta(1, "i", "b", "not json"), ToolDelta(2, None, "", "{}")])
    first, second = calls.finish()
    assert (first.name, first.arguments) == ("a", {})
    assert second == ToolCall("i", "b", "not json")


def test_results_of_tools_come_back_to_the_model():
    tool = {"type": "tool-weather", "toolCallId": "c", "state": "output-available", "input": {}, "output": {"c": 3}}
    request = chat(
        messages=[
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "parts": [{"type": "step-start"}, tool, {"type": "text", "text": "One moment."}]},
            {"role": "tool", "parts": [{"type": "tool-result", "toolCallId": "c", "result": "cold"}]},
        ]
    )
    assert request.messages[1:] == [
        {"role": "assistant", "content": "One moment."},
        {"role": "tool", "content": '{"c": 3}'},
        {"role": "tool", "content": "cold"},
    ]


# -- cache


async def test_the_same_question_is_answered_from_the_cache_as_the_same_stream(worker, env):
    streaming = worker.other("inference-ui-streaming")
    texts = []
    for expected in ("miss", "hit"):
        response = await post(worker, "/stream/completion", {"prompt": "Hi", "temperature": 0})
        text = await response.text()
        await streaming.settle()
        assert response.headers["x-inference-cache"] == expected
        texts.append([json.loads(line[6:]).get("text") for line in text.split("\n\n")[:-2]])
    assert texts[0] == texts[1]
    assert len(texts[0]) > 5
    rows = await env.DB.prepare("SELECT cached, completion_tokens > 0 AS cost FROM ai_usage ORDER BY cached").all()
    assert [dict(row) for row in rows.results] == [{"cached": 0, "cost": 1}, {"cached": 1, "cost": 0}]


@pytest.mark.parametrize(
    ("fields", "headers", "expected"),
    [
        ({}, {}, "bypass"),  # temperature 0.7: another answer is wanted each time
        ({"cache": True}, {}, "miss"),
        ({"temperature": 0}, {}, "miss"),
        ({"temperature": 0, "cache": False}, {}, "bypass"),
        ({"temperature": 0}, {"cache-control": "no-cache"}, "bypass"),
        ({"temperature": 0, "trigger": "regenerate-message"}, {}, "bypass"),
    ],
)
async def test_what_is_looked_for_in_the_cache(worker, fields, headers, expected):
    response = await post(worker, "/stream/chat", {**CHAT, **fields}, **headers)
    await response.text()
    assert (response.headers["x-inference-cache"], response.headers["x-inference-model"]) == (expected, DEFAULT_MODEL)


async def test_what_is_kept_comes_back_and_depends_on_everything(worker):
    env = worker.other("inference-ui-streaming").env
    answer = Answer("m", ["a", "ü"], [ToolCall("i", "t", {"x": 1})], Usage(None, 2), "tool-calls")
    key = cache_key("acme", chat())
    await keep_answer(env.KV, key, answer)
    assert await read_answer(env.KV, key) == answer
    assert (
        len(
            {
                key,
                cache_key("beta", chat()),
                cache_key("acme", chat(temperature=1)),
                cache_key("acme", chat(tools=[WEATHER])),
            }
        )
        == 4
    )
    await keep_answer(env.KV, "long", Answer("m", ["x" * 300_000], [], Usage(1, 1), "stop"))
    assert await read_answer(env.KV, "long") is None
    await env.KV.put("broken", "{")
    assert await read_answer(env.KV, "broken") is None


async def test_a_replay_can_be_stopped(worker):
    stream = ReplayedStream(Answer("m", ["a", "b"], [], Usage(1, 2), "stop"))
    assert (await stream.next()).text == "a"
    await stream.cancel()
    assert (await stream.next()).is_end


async def test_a_failed_answer_is_not_kept(worker):
    schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": 50}}, "required": ["a"]}
    body = {"prompt": "x", "schema": schema, "maxTokens": 6, "temperature": 0}
    for _ in range(2):
        response = await post(worker, "/stream/object", body)
        with pytest.raises(Exception, match="is not complete JSON"):
            await response.text()
        await worker.other("inference-ui-streaming").settle()
        assert response.headers["x-inference-cache"] == "miss"


# -- /ai


async def test_a_task_of_the_ai_engine(worker, account):
    caller = Caller(worker, account)
    body = {"task": "intent", "model": "llama-3.1-8b", "input": {"messages": [{"role": "user", "content": "Hi"}]}}
    response = await post(caller, "/ai", body)
    found = await response.json()
    assert (response.status, found["model"]) == (200, DEFAULT_MODEL)
    assert found["output"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "task"),
        ({"task": "x"}, "input"),
        ({"task": "x", "input": {}}, "messages"),
        ({"task": "x", "input": {"text": ""}}, "input.text"),
        ({"task": "x", "model": "gpt", "input": {}}, "model"),
    ],
)
async def test_a_wrong_task_names_the_field(worker, body, field):
    response = await post(worker, "/ai", body)
    assert (response.status, (await response.json())["field"]) == (400, field)


def test_more_tokens_than_the_tier_has_are_not_asked_for():
    assert read_request("chat", {**CHAT, "maxTokens": 8000}, token_cap=512).max_tokens == 512
    assert read_request("chat", CHAT, token_cap=512).max_tokens == 512
    assert read_request("chat", {**CHAT, "maxTokens": 5}, token_cap=512).max_tokens == 5
