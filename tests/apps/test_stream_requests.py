"""What the streaming worker accepts, and how it says what is wrong."""

import json

import pytest
from inference_ui_streaming.generation_requests import DEFAULT_MODEL, read_request
from inference_ui_streaming.web import HttpError
from inference_ui_streaming.zod import is_zod_map, zod_to_json_schema

USER = {"role": "user", "content": "hi"}


def refused(endpoint, body):
    with pytest.raises(HttpError) as caught:
        read_request(endpoint, body)
    return caught.value.status, caught.value.message, caught.value.field


def test_both_message_shapes_are_one():
    react = {"id": "1", "role": "user", "parts": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    openai = {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    for message in (react, openai, {"role": "user", "content": "a\nb"}):
        assert read_request("chat", {"messages": [message]}).messages == [{"role": "user", "content": "a\nb"}]


def test_parts_that_are_not_for_a_text_model_are_left_out():
    messages = [
        {"role": "user", "parts": [{"type": "file", "data": "", "mimeType": "x"}, {"type": "text", "text": "see"}]},
        {"role": "assistant", "parts": [{"type": "tool-call", "toolCallId": "1", "toolName": "t", "args": {}}]},
        {"role": "tool", "parts": [{"type": "tool-result", "toolCallId": "1", "toolName": "t", "result": {"a": 1}}]},
        {"role": "assistant", "content": None},
    ]
    assert read_request("chat", {"messages": messages}).messages == [
        {"role": "user", "content": "see"},
        {"role": "tool", "content": '{"a": 1}'},
    ]


def test_content_counts_beside_an_empty_list_of_parts():
    assert read_request("chat", {"messages": [{**USER, "parts": []}]}).messages == [USER]


@pytest.mark.parametrize(
    ("output", "content"),
    [
        ({"type": "json", "value": {"a": 1}}, '{"a": 1}'),
        ({"type": "text", "value": "sunny"}, "sunny"),
        ({"a": 1}, '{"a": 1}'),
        (None, "null"),
    ],
)
def test_what_a_tool_gave_the_ai_sdk(output, content):
    part = {"type": "tool-result", "toolCallId": "1", "toolName": "t", "output": output}
    messages = [USER, {"role": "tool", "content": [part]}]
    assert read_request("chat", {"messages": messages}).messages == [USER, {"role": "tool", "content": content}]


def test_a_tool_named_result_gives_its_output_once():
    part = {"type": "tool-result", "toolCallId": "1", "state": "output-available", "input": {}, "output": 5}
    messages = [USER, {"role": "assistant", "parts": [part, {"type": "text", "text": "It is 5."}]}]
    assert read_request("chat", {"messages": messages}).messages == [
        USER,
        {"role": "assistant", "content": "It is 5."},
        {"role": "tool", "content": "5"},
    ]


def test_defaults():
    chat = read_request("chat", {"messages": [USER]})
    assert chat.inputs() == {"messages": [USER], "stream": True, "temperature": 0.7, "max_tokens": 2048}
    assert (chat.model, chat.chat_id) == (DEFAULT_MODEL, None)
    completion = read_request("completion", {"prompt": "p", "systemPrompt": "s"})
    assert completion.inputs() == {
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "p"}],
        "stream": True,
        "temperature": 0.7,
        "max_tokens": 1024,
    }
    answer = read_request("object", {"prompt": "p", "schema": {}})
    assert (answer.temperature, answer.max_tokens, answer.schema) == (0.3, 2048, {})


def test_zero_is_a_temperature_and_no_number_of_tokens():
    request = read_request("completion", {"prompt": "p", "temperature": 0, "maxTokens": 0})
    assert (request.temperature, request.max_tokens) == (0, 1024)


def test_short_model_names():
    assert read_request("completion", {"prompt": "p", "model": "llama-3.1-70b"}).model == (
        "@cf/meta/llama-3.1-70b-instruct"
    )


SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
ZOD = {"name": {"_def": {"checks": [], "typeName": "ZodString", "coerce": False}, "~standard": {"vendor": "zod"}}}


@pytest.mark.parametrize(
    ("sent", "schema"),
    [
        pytest.param(SCHEMA, SCHEMA, id="object"),
        pytest.param(json.dumps(SCHEMA), SCHEMA, id="text"),
        pytest.param(ZOD, {**SCHEMA, "additionalProperties": False}, id="zod"),
        pytest.param(True, {}, id="true"),
    ],
)
def test_a_schema_has_three_forms(sent, schema):
    request = read_request("object", {"prompt": "p", "schema": sent})
    assert request.schema == schema
    assert json.dumps(schema) in request.messages[0]["content"]
    assert request.inputs().get("guided_json") == schema


@pytest.mark.parametrize(
    ("endpoint", "body", "field", "problem"),
    [
        ("chat", {}, "messages", "required"),
        ("chat", {"messages": "hi"}, "messages", "required"),
        ("chat", {"messages": []}, "messages", "must hold a message with text"),
        ("chat", {"messages": ["hi"]}, "messages[0]", "must be an object"),
        (
            "chat",
            {"messages": [USER, {"role": "x"}]},
            "messages[1].role",
            "must be one of user, assistant, system, tool",
        ),
        ("chat", {"messages": [{"role": "user"}]}, "messages[0]", "must have parts or content"),
        ("chat", {"messages": [{"role": "user", "content": 1}]}, "messages[0].content", "must be a list of parts"),
        (
            "chat",
            {"messages": [{"role": "user", "parts": [{"type": "text"}]}]},
            "messages[0].parts[0].text",
            "must be a string",
        ),
        (
            "chat",
            {"messages": [USER, {"role": "user", "content": "x" * 131_073}]},
            "messages[1]",
            "must have at most 131072 characters of text",
        ),
        ("chat", {"messages": [USER], "chatId": 1}, "chatId", "must be a string of at most 256 characters"),
        ("completion", {}, "prompt", "required"),
        ("completion", {"prompt": ""}, "prompt", "required"),
        ("completion", {"prompt": 1}, "prompt", "must be a string"),
        ("completion", {"prompt": "x" * 131_073}, "prompt", "must be at most 131072 characters"),
        ("completion", {"prompt": "p", "systemPrompt": {}}, "systemPrompt", "must be a string"),
        ("completion", {"prompt": "p", "temperature": "1"}, "temperature", "must be a number from 0 to 5"),
        ("completion", {"prompt": "p", "temperature": True}, "temperature", "must be a number from 0 to 5"),
        ("completion", {"prompt": "p", "temperature": 10**400}, "temperature", "must be a number from 0 to 5"),
        ("completion", {"prompt": "p", "temperature": 5.1}, "temperature", "must be a number from 0 to 5"),
        ("completion", {"prompt": "p", "maxTokens": 1.5}, "maxTokens", "must be a whole number from 1 to 8192"),
        ("completion", {"prompt": "p", "maxTokens": -1}, "maxTokens", "must be a whole number from 1 to 8192"),
        ("completion", {"prompt": "p", "maxTokens": 8193}, "maxTokens", "must be a whole number from 1 to 8192"),
        ("completion", {"prompt": "p", "model": 1}, "model", "must be a string"),
        (
            "completion",
            {"prompt": "p", "model": "gpt-4"},
            "model",
            'must be a Workers AI model such as "@cf/meta/llama-3.1-8b-instruct", not "gpt-4"',
        ),
        ("object", {"schema": {}}, "prompt", "required"),
        ("object", {"prompt": "p"}, "schema", "required"),
        ("object", {"prompt": "p", "schema": "{"}, "schema", "must be a JSON Schema, as an object or as JSON text"),
        ("object", {"prompt": "p", "schema": False}, "schema", "allows no value at all"),
        ("object", {"prompt": "p", "schema": []}, "schema", "must be a JSON Schema, as an object or as JSON text"),
    ],
)
def test_a_400_names_the_field(endpoint, body, field, problem):
    assert refused(endpoint, body) == (400, f"Invalid request: {field} {problem}", field)


def test_a_body_that_is_no_object():
    assert refused("chat", []) == (400, "Invalid request: body must be a JSON object", "body")


def zod(kind, **definition):
    return {"_def": {"typeName": f"Zod{kind}", **definition}}


def test_zod_becomes_json_schema():
    shape = {
        "name": zod("String", checks=[{"kind": "min", "value": 2}, {"kind": "email"}], description="Who"),
        "age": zod("Number", checks=[{"kind": "int"}, {"kind": "min", "value": 0, "inclusive": False}]),
        "tags": zod("Array", type=zod("String", checks=[]), minLength=None, maxLength={"value": 3}),
        "kind": zod("Enum", values=["a", "b"]),
        "note": zod("Optional", innerType=zod("Nullable", innerType=zod("Boolean"))),
        "level": zod("Default", innerType=zod("Literal", value=1)),
        "either": zod("Union", options=[zod("String", checks=[]), zod("Null")]),
        "map": zod("Record", keyType=zod("String"), valueType=zod("Number", checks=[])),
        "refined": zod("Effects", schema=zod("Date", checks=[])),
        "known": {**zod("Object"), "_cached": {"shape": {"x": zod("Any")}, "keys": ["x"]}},
        "lost": zod("Object"),
        "number": zod("NativeEnum", values={"A": 0, "B": "b", "0": "A"}),
    }
    assert is_zod_map(shape)
    assert zod_to_json_schema(shape) == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 2, "format": "email", "description": "Who"},
            "age": {"type": "integer", "exclusiveMinimum": 0},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
            "kind": {"enum": ["a", "b"]},
            "note": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
            "level": {"const": 1},
            "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "map": {"type": "object", "additionalProperties": {"type": "number"}},
            "refined": {"type": "string", "format": "date-time"},
            "known": {"type": "object", "properties": {"x": {}}, "required": ["x"], "additionalProperties": False},
            "lost": {"type": "object"},
            "number": {"enum": [0, "b"]},
        },
        "required": ["name", "age", "tags", "kind", "either", "map", "refined", "known", "lost", "number"],
        "additionalProperties": False,
    }


def test_a_json_schema_is_not_taken_for_zod():
    assert not is_zod_map({})
    assert not is_zod_map(SCHEMA)
    assert not is_zod_map({"_def": {"type": "string"}})
