from __future__ import annotations

import json as standard
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyworkers.js.json import parse, stringify
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsBigInt, jsnull
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException, JsObject


def test_values_are_javascripts_own():
    value = parse('{"a":[1.0,1.5,1e3,null,true],"s":"x"}')
    assert (type(value), list(value.a), value.s) == (JsObject, [1, 1.5, 1000, jsnull, True], "x")
    assert type(value.a[0]) is int
    assert parse("9007199254740993") == 9007199254740992
    assert parse("1e400") == math.inf


def test_indices_come_first():
    assert list(parse('{"b":1,"10":2,"9":3,"01":4}').own_properties()) == ["9", "10", "b", "01"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Unexpected end of JSON input"),
        ("[", "Unexpected end of JSON input"),
        ("nul", "Unexpected end of JSON input"),
        ('{"a":}', 'Unexpected token \'}\', "{"a":}" is not valid JSON'),
        ("[1,]", "Unexpected token ']', \"[1,]\" is not valid JSON"),
        ("nulx", "Unexpected token 'x', \"nulx\" is not valid JSON"),
        ("undefined", '"undefined" is not valid JSON'),
        ("NaN", '"NaN" is not valid JSON'),
        ("<!DOCTYPE html><html><body>", "Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON"),
        (
            '{"aaaaaaaaaaaaa": x, "bbbbbbbbb":1}',
            'Unexpected token \'x\', ..."aaaaaaa": x, "bbbbbb"... is not valid JSON',
        ),
        ('{"aaaaaaaaaaaaaaaaaaaaaaaa": x}', 'Unexpected token \'x\', ..."aaaaaaa": x}" is not valid JSON'),
        ("{a:1}", "Expected property name or '}' in JSON at position 1 (line 1 column 2)"),
        ('{"a":1,}', "Expected double-quoted property name in JSON at position 7 (line 1 column 8)"),
        ('{"a" 1}', "Expected ':' after property name in JSON at position 5 (line 1 column 6)"),
        ('{"a":1 "b"}', "Expected ',' or '}' after property value in JSON at position 7 (line 1 column 8)"),
        ("[1 2]", "Expected ',' or ']' after array element in JSON at position 3 (line 1 column 4)"),
        ("1\n2", "Unexpected non-whitespace character after JSON at position 2 (line 2 column 1)"),
        ("01", "Unexpected number in JSON at position 1 (line 1 column 2)"),
        ("-", "No number after minus sign in JSON at position 1 (line 1 column 2)"),
        ("1.", "Unterminated fractional number in JSON at position 2 (line 1 column 3)"),
        ("1e", "Exponent part is missing a number in JSON at position 2 (line 1 column 3)"),
        ('"ab', "Unterminated string in JSON at position 3 (line 1 column 4)"),
        ('"\\x"', "Bad escaped character in JSON at position 2 (line 1 column 3)"),
        ('"\\u12"', "Bad Unicode escape in JSON at position 5 (line 1 column 6)"),
        ('"a\n"', "Bad control character in string literal in JSON at position 2 (line 1 column 3)"),
    ],
)
def test_mistakes_are_worded_as_v8_does(text, message):
    with pytest.raises(JsException) as caught:
        parse(text)
    assert (caught.value.name, caught.value.message) == ("SyntaxError", message)


def as_number(digits: str) -> float | None:
    """What JavaScript reads and writes back: a double, and null for an infinite one."""
    value = float(digits)
    return value if math.isfinite(value) else None


@given(st.text(alphabet='{}[]",:0123456789.eE+-truefalsn \\\n', max_size=30))
def test_any_text_parses_as_in_python_or_fails_with_a_syntax_error(text):
    try:
        expected = standard.loads(text, parse_constant=lambda name: 1 / 0, parse_int=as_number, parse_float=as_number)
    except (ValueError, ZeroDivisionError):
        with pytest.raises(JsException, match="JSON"):
            parse(text)
    else:
        assert standard.loads(stringify(parse(text)) or "") == expected


def test_a_reviver_sees_the_innermost_first():
    seen: list[str] = []

    def revive(key: str, value: object) -> object:
        seen.append(key)
        return None if key == "drop" else value

    value = js.JSON.parse('{"a":[1],"drop":2}', revive)
    assert seen == ["0", "a", "drop", ""]
    assert list(value.own_properties()) == ["a"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (len, None),
        (jsnull, "null"),
        (math.nan, "null"),
        (1e21, "1e+21"),
        (0.1, "0.1"),
        ('\u2028é🌍\ud800"\\/\b', '"\u2028é🌍\\ud800\\"\\\\/\\b"'),
        (JsArray([None, len, 1]), "[null,null,1]"),
        (JsObject({"u": None, "f": len, "n": jsnull, "t": True}), '{"n":null,"t":true}'),
        (js.Date.new(0), '"1970-01-01T00:00:00.000Z"'),
        (js.Map.new(), "{}"),
        (js.Number.new(5), "5"),
        (JsObject({"toJSON": lambda key: f"key {key}"}), '"key "'),
    ],
)
def test_values_are_written(value, text):
    assert stringify(value) == text


def test_indentation_and_replacers():
    value = js.JSON.parse('{"a":[1,{"b":2}],"c":{},"d":[]}')
    assert stringify(value, None, 2) == standard.dumps({"a": [1, {"b": 2}], "c": {}, "d": []}, indent=2)
    assert stringify(value, JsArray(["c", "a"])) == '{"c":{},"a":[1,{}]}'
    assert stringify(value, lambda key, item: item * 10 if isinstance(item, int) else item) == (
        '{"a":[10,{"b":20}],"c":{},"d":[]}'
    )


def test_cycles_and_bigints_are_refused():
    value = JsObject({"a": JsObject()})
    value.a.list = JsArray([value])
    with pytest.raises(JsException) as caught:
        stringify(value)
    assert caught.value.message == (
        "Converting circular structure to JSON\n"
        "    --> starting at object with constructor 'Object'\n"
        "    |     property 'a' -> object with constructor 'Object'\n"
        "    |     property 'list' -> object with constructor 'Array'\n"
        "    --- index 0 closes the circle"
    )
    with pytest.raises(JsException, match="Do not know how to serialize a BigInt"):
        stringify(JsBigInt(1))


_texts = st.text(st.characters() | st.characters(categories=["Cs"]) | st.sampled_from('"\\\n\x00'), max_size=4)
_leaves = st.one_of(
    _texts,
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(),
    st.sampled_from([None, jsnull, len]),
)
_trees = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=3).map(JsArray)
        | st.dictionaries(_texts | st.just("1"), inner, max_size=3).map(JsObject)
    ),
    max_leaves=8,
)


@given(_trees)
def test_a_value_is_the_same_text_whether_it_is_plain_or_not(value):
    assert stringify(value) == stringify(value, None, 0)  # indentation, even none, goes another way
