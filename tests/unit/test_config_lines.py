"""Where in a file each key stands, and what the parsers refuse."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyworkers.config.jsonc import JsoncError, parse_jsonc
from pyworkers.config.toml_lines import toml_lines

TOML = '''\
name = "a"  # comment [x]
vars.A.B = 1
vars."quoted.key" = """
[not.a.table]
x = 1
"""

[[services]]
binding = "ONE"
props = { a = [1,
  { deep = "]" }], b = 2 }

[[services]]
binding = 'T#WO'
  [services.props]
  c = 1

[env.staging.vars]
"K E" = """a "quoted" end""""
[[env.staging.kv_namespaces]]
binding = "KV"
list = [
  # none
  "a", 'b]',   # trailing

  "c",
]
'''

LINES = {
    ("name",): 1,
    ("vars",): 2,
    ("vars", "A"): 2,
    ("vars", "A", "B"): 2,
    ("vars", "quoted.key"): 3,
    ("services",): 8,
    ("services", 0): 8,
    ("services", 0, "binding"): 9,
    ("services", 0, "props"): 10,
    ("services", 0, "props", "a"): 10,
    ("services", 0, "props", "a", 0): 10,
    ("services", 0, "props", "a", 1): 11,
    ("services", 0, "props", "a", 1, "deep"): 11,
    ("services", 0, "props", "b"): 11,
    ("services", 1): 13,
    ("services", 1, "binding"): 14,
    ("services", 1, "props"): 15,
    ("services", 1, "props", "c"): 16,
    ("env", "staging", "vars"): 18,
    ("env", "staging", "vars", "K E"): 19,
    ("env", "staging", "kv_namespaces"): 20,
    ("env", "staging", "kv_namespaces", 0): 20,
    ("env", "staging", "kv_namespaces", 0, "binding"): 21,
    ("env", "staging", "kv_namespaces", 0, "list"): 22,
    ("env", "staging", "kv_namespaces", 0, "list", 0): 24,
    ("env", "staging", "kv_namespaces", 0, "list", 1): 24,
    ("env", "staging", "kv_namespaces", 0, "list", 2): 26,
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_toml_keys_are_found_on_their_lines(newline: str) -> None:
    text = TOML.replace("\n", newline)
    tomllib.loads(text)
    assert toml_lines(text) == LINES


def test_empty_toml_has_no_keys() -> None:
    assert toml_lines("") == {}
    assert toml_lines("# only a comment") == {}


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(values)
def test_any_json_is_read_as_json_reads_it(value: object) -> None:
    assert parse_jsonc(json.dumps(value, indent=1))[0] == value


def test_comments_and_trailing_commas_are_passed_over() -> None:
    text = '{\n  // one\n  "a": [1, 2,], /* two\n  lines */ "b": {"c": "// no comment",},\n}\n'
    assert parse_jsonc(text) == (
        {"a": [1, 2], "b": {"c": "// no comment"}},
        {(): 1, ("a",): 3, ("a", 0): 3, ("a", 1): 3, ("b",): 4, ("b", "c"): 4},
    )


def test_last_of_a_repeated_key_counts() -> None:
    value, lines = parse_jsonc('{"a": 1,\n"a": 2}')
    assert (value, lines["a",]) == ({"a": 2}, 2)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("", "expected a value but found the end of the file", 1),
        ("{\n", "expected a key in double quotes or '}' but found the end of the file", 2),
        ("{a: 1}", "expected a key in double quotes or '}' but found 'a'", 1),
        ('{"a" 1}', "expected ':' but found '1'", 1),
        ('{\n"a": 1\n"b": 2}', "expected ',' or '}' but found '\"'", 3),
        ("[1 2]", "expected ',' or ']' but found '2'", 1),
        ("[,]", "expected a value but found ','", 1),
        ("{} {}", "expected the end of the file but found '{'", 1),
        ("'a'", 'expected a value but found "\'"', 1),
        ('\n"a', "Unterminated string starting at", 2),
        ("/* open", "expected a value but found '/'", 1),
        ("[" * 300, "nested deeper than 200 levels", 1),
    ],
)
def test_malformed_json_is_refused_with_its_line(text: str, message: str, line: int) -> None:
    with pytest.raises(JsoncError) as caught:
        parse_jsonc(text)
    assert (str(caught.value), caught.value.line) == (message, line)
