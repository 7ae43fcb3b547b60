"""Whatever a grammar of ours allows is compact JSON that satisfies its schema."""

from __future__ import annotations

import json
import random

import pytest
from gbnf import read, speak
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pyworkers.engines.ai.errors import InvalidSchema, StructuredOutputUnmet
from pyworkers.engines.ai.grammar import Budget, parse_json, parse_tool_calls, schema_to_gbnf, tools_to_gbnf
from pyworkers.engines.ai.protocol import Tool, ToolCall

TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "left": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["value"],
            "additionalProperties": False,
        }
    },
}
SCHEMAS = {
    "person": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 12},
            "age": {"type": "integer", "minimum": 0, "maximum": 150},
            "ok": {"type": "boolean"},
            "kind": {"enum": ["a", 'quo"te', "back\\slash", "new\nline", "ü", 3, None]},
        },
        "required": ["name", "age", "ok", "kind"],
        "additionalProperties": False,
    },
    "optional in order": {
        "type": "object",
        "properties": {name: {"type": "integer", "minimum": 0, "maximum": 9} for name in "abcdef"},
        "required": ["c", "e"],
        "additionalProperties": False,
    },
    "all optional": {"type": "object", "properties": {name: {"type": "null"} for name in "abc"}},
    "required but not described": {"type": "object", "required": ["x", "y"]},
    "free object": {"type": "object"},
    "map of numbers": {"type": "object", "additionalProperties": {"type": "number"}},
    "empty object": {"type": "object", "additionalProperties": False},
    "anything": {},
    "true": True,
    "array bounds": {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 5},
    "array open": {"type": "array", "items": {"type": "string"}},
    "array at least": {"type": "array", "items": {"type": "null"}, "minItems": 3},
    "array empty": {"type": "array", "maxItems": 0},
    "tuple": {"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False, "type": "array", "minItems": 1},
    "tuple and more": {"prefixItems": [{"type": "null"}], "items": {"const": 1}, "minItems": 2, "maxItems": 4},
    "const": {"const": {"a": [1, "x"]}},
    "enum with type": {"type": "string", "enum": ["a", 1, "b", None]},
    "nullable": {"type": ["string", "null"]},
    "any of": {"anyOf": [{"type": "integer", "minimum": 5, "maximum": 7}, {"type": "string", "maxLength": 3}]},
    "any of beside": {
        "type": "object",
        "properties": {"a": {"const": 1}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    },
    "one of": {"oneOf": [{"type": "boolean"}, {"type": "null"}]},
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}}, "required": ["a"]},
            {"properties": {"a": {"maximum": 5}, "b": {"type": "boolean"}}, "required": ["b"]},
        ]
    },
    "string length": {"type": "string", "minLength": 3, "maxLength": 300},
    "string long": {"type": "string", "minLength": 140},
    "date": {"type": "string", "format": "date-time"},
    "pattern": {"type": "string", "pattern": r"^[A-Z]{2}-\d{3,5}(foo|ba[rz])?\.$"},
    "pattern with escapes": {"type": "string", "pattern": '^["\\\\x][^a-z"]\\w+$'},
    "pattern unanchored": {"type": "string", "pattern": "a+b"},
    "tree": TREE,
    "list of refs": {
        "type": "array",
        "items": {"$ref": "#/definitions/p"},
        "maxItems": 3,
        "definitions": {"p": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
    },
    "deep": {
        "type": "object",
        "properties": {
            "a": {
                "type": "object",
                "properties": {
                    "b": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"c": {"type": "string"}}, "required": ["c"]},
                    }
                },
                "required": ["b"],
            }
        },
        "required": ["a"],
    },
    "multiple": {"type": "integer", "multipleOf": 5, "minimum": -11, "maximum": 23},
    "cents": {"type": "number", "multipleOf": 0.25, "minimum": 0, "maximum": 2},
    "odd names": {
        "type": "object",
        "properties": {'a"b': {"const": 1}, "c\\d": {"const": 2}, "é": {"const": 3}},
        "required": ['a"b', "c\\d", "é"],
    },
    "no type": {"properties": {"a": {"minimum": 3, "maximum": 4}}, "required": ["a"]},
}


@pytest.mark.parametrize("budget", [Budget(64, strict=True), Budget(25, strict=True), Budget(640)], ids=str)
@pytest.mark.parametrize("name", SCHEMAS)
def test_every_text_of_a_grammar_satisfies_its_schema(name: str, budget: Budget) -> None:
    schema = SCHEMAS[name]
    rules = read(schema_to_gbnf(schema, budget=budget))
    source = random.Random(name)
    for _ in range(60):
        text = speak(rules, source)
        value = json.loads(text)
        Draft202012Validator(schema).validate(value)
        assert "\n" not in text


bounds = st.one_of(st.none(), st.integers(-2000, 2000), st.floats(-500, 500).map(lambda value: round(value, 3)))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["integer", "number"]), bounds, bounds, st.booleans(), st.booleans(), st.randoms())
def test_numbers_stay_within_their_bounds(kind, low, high, open_low, open_high, source) -> None:
    schema = {"type": kind}
    if low is not None:
        schema["exclusiveMinimum" if open_low else "minimum"] = low
    if high is not None:
        schema["exclusiveMaximum" if open_high else "maximum"] = high
    try:
        rules = read(schema_to_gbnf(schema))
    except InvalidSchema:
        assert low is not None
        assert high is not None
        assert low >= high - 1 or kind == "number"
        assert kind == "integer" or high - low < 0.001
        return
    for _ in range(20):
        value = json.loads(speak(rules, source))
        Draft202012Validator(schema).validate(value)


def test_all_integers_of_a_range_can_be_said() -> None:
    rules = read(schema_to_gbnf({"type": "integer", "minimum": -12, "maximum": 105}))
    source = random.Random(1)
    said = {json.loads(speak(rules, source)) for _ in range(20_000)}
    assert said == set(range(-12, 106))


def test_all_lengths_of_a_string_can_be_said() -> None:
    rules = read(schema_to_gbnf({"type": "string", "minLength": 2, "maxLength": 300}))
    source = random.Random(1)
    lengths = {len(json.loads(speak(rules, source, extreme=0.1))) for _ in range(3_000)}
    assert min(lengths) == 2
    assert max(lengths) == 300
    assert len(lengths) > 250


def test_a_longest_length_is_held_as_javascript_counts_it() -> None:
    """Validators there count UTF-16 code units; what has two of them is left to strings without a limit."""
    source = random.Random(2)
    limited = read(schema_to_gbnf({"type": "string", "maxLength": 12}))
    assert max(len(json.loads(speak(limited, source)).encode("utf-16-le")) // 2 for _ in range(1_000)) == 12
    free = read(schema_to_gbnf({"type": "string"}))
    assert any("🙂" in speak(free, source) for _ in range(1_000))


def test_optional_properties_appear_in_every_combination() -> None:
    schema = {"type": "object", "properties": {name: {"const": 1} for name in "abc"}, "required": ["b"]}
    rules = read(schema_to_gbnf(schema))
    source = random.Random(1)
    said = {speak(rules, source) for _ in range(300)}
    assert said == {'{"b":1}', '{"a":1,"b":1}', '{"b":1,"c":1}', '{"a":1,"b":1,"c":1}'}


@pytest.mark.parametrize("tokens", [128, 256])
@pytest.mark.parametrize("name", ["person", "free object", "anything", "tree", "deep", "map of numbers"])
def test_the_longest_answer_of_a_byte_by_byte_model_stays_near_its_tokens(name: str, tokens: int) -> None:
    rules = read(schema_to_gbnf(SCHEMAS[name], budget=Budget.for_model(max_tokens=tokens, vocabulary=384)))
    source = random.Random(2)
    longest = max(len(speak(rules, source, extreme=0.7)) for _ in range(200))
    assert longest <= tokens


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (False, "nothing satisfies the JSON schema false"),
        (
            {"type": "integer", "minimum": 3, "maximum": 2},
            'nothing satisfies the JSON schema {"type": "integer", "minimum": 3, "maximum": 2}',
        ),
        ({"type": "strange"}, "a JSON schema has the type 'strange'"),
        ({"$ref": "#/$defs/none"}, "the JSON schema's $ref #/$defs/none points nowhere"),
        ({"$ref": "https://example.com/x"}, "the JSON schema's $ref https://example.com/x points outside of it"),
        ({"$ref": "#"}, "the JSON schema's $ref # leads back to itself"),
        (["object"], "a JSON schema is an object, not ['object']"),
        (
            {"type": "object", "properties": 5},
            "the JSON schema cannot be used: $.properties: 5 is not of type 'object'",
        ),
        (
            {"properties": {"a": {"type": "string", "minLength": "x"}}},
            "the JSON schema cannot be used: $.properties.a.minLength: 'x' is not of type 'integer'",
        ),
        ({"type": 5}, "the JSON schema cannot be used: $.type: 5 is not valid under any of the given schemas"),
        (
            {"type": "number", "multipleOf": "x"},
            "the JSON schema cannot be used: $.multipleOf: 'x' is not of type 'number'",
        ),
        ({"type": "array", "minItems": 100_000}, "the JSON schema's minItems is 100000, of at most 1000"),
        ({"minProperties": 1_001}, "the JSON schema's minProperties is 1001, of at most 1000"),
    ],
)
def test_an_impossible_schema_is_named(schema, message: str) -> None:
    with pytest.raises(InvalidSchema) as caught:
        schema_to_gbnf(schema)
    assert caught.value.message == message


def test_cut_json_is_unmet_and_says_so() -> None:
    with pytest.raises(StructuredOutputUnmet) as caught:
        parse_json('{"a":"x', {"type": "object"})
    assert (
        caught.value.message
        == "the model's answer is not JSON: Unterminated string starting at: line 1 column 6 (char 5)"
    )
    assert caught.value.text == '{"a":"x'


def test_json_against_the_schema_says_where() -> None:
    with pytest.raises(StructuredOutputUnmet) as caught:
        parse_json('{"a":[1,"x"]}', {"properties": {"a": {"items": {"type": "integer"}}}})
    assert caught.value.message == (
        "the model's answer does not satisfy the JSON schema at $.a[1]: 'x' is not of type 'integer'"
    )


TOOLS = (
    Tool(
        "get_weather",
        "The weather",
        {"type": "object", "properties": {"city": {"type": "string", "maxLength": 5}}, "required": ["city"]},
    ),
    Tool("now"),
)


@pytest.mark.parametrize("choice", ["required", "now", "get_weather"])
def test_every_text_of_a_tool_grammar_is_calls_of_the_tools(choice: str) -> None:
    rules = read(tools_to_gbnf(TOOLS, choice=choice, budget=Budget(64, strict=True)))
    source = random.Random(choice)
    for _ in range(100):
        calls = parse_tool_calls(speak(rules, source), TOOLS)
        assert calls
        assert choice == "required" or [call.name for call in calls] == [choice]


def test_a_tool_call_that_was_cut_is_unmet() -> None:
    with pytest.raises(StructuredOutputUnmet, match=r"^the model's tool call was cut off$"):
        parse_tool_calls('<tool_call>{"name":"now","argum', TOOLS)


def test_tool_calls_are_read_in_order() -> None:
    text = (
        '<tool_call>{"name":"get_weather","arguments":{"city":"Rome"}}</tool_call>\n'
        '<tool_call>{"name":"now","arguments":{}}</tool_call>'
    )
    assert parse_tool_calls(text, TOOLS) == (ToolCall("get_weather", {"city": "Rome"}), ToolCall("now", {}))
