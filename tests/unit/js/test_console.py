from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pyworkers.clock import ManualClock
from pyworkers.js.collections import JsMap, JsSet
from pyworkers.js.console import Console, inspect
from pyworkers.js.convert import to_js
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsBigInt, jsnull
from pyworkers.js.realm import REALM, Realm
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException, JsObject


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    written: list[Any] = []
    token = REALM.set(Realm(clock=ManualClock(), console=lambda level, args: written.append((level, *args))))
    yield written
    REALM.reset(token)


def test_levels_reach_the_realm(lines):
    console = Console()
    for level in ("log", "info", "debug", "warn", "error"):
        getattr(console, level)("x", 1)
    console.trace("here")
    assert lines == [
        ("log", "x 1"),
        ("info", "x 1"),
        ("debug", "x 1"),
        ("warn", "x 1"),
        ("error", "x 1"),
        ("trace", "Trace here"),
    ]


def test_format_strings(lines):
    Console().log("%s is %d%% of %o%c", "a", 12.7, JsObject({"b": "c"}), "css", "rest")
    assert lines == [("log", "a is 12% of { b: 'c' } rest")]


def test_counters_stopwatches_and_groups(lines):
    console = Console()
    console.count()
    console.count()
    console.countReset()
    console.count("default")
    console.group("outer")
    console.log("a\nb")
    console.groupEnd()
    console.time("t")
    console.timeEnd("t")
    check = console.assert_
    check(True, "silent")
    check(False, "wrong")
    assert lines == [
        ("log", "default: 1"),
        ("log", "default: 2"),
        ("log", "default: 1"),
        ("log", "outer"),
        ("log", "  a\n  b"),
        ("log", "t: 0.000ms"),
        ("error", "Assertion failed: wrong"),
    ]


def test_tables(lines):
    Console().table(to_js([{"a": 1, "b": "x"}, {"a": 22}]))
    assert lines[0][1].split("\n") == [
        "┌─────────┬────┬─────┐",
        "│ (index) │ a  │ b   │",
        "├─────────┼────┼─────┤",
        "│ 0       │ 1  │ 'x' │",
        "│ 1       │ 22 │     │",
        "└─────────┴────┴─────┘",
    ]


def circular() -> JsObject:
    value = JsObject({"a": 1})
    value.me = value
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "undefined"),
        (jsnull, "null"),
        (True, "true"),
        ("it's", '"it\'s"'),
        (1.5, "1.5"),
        (JsBigInt(5), "5n"),
        (JsArray([1, "a", jsnull]), "[ 1, 'a', null ]"),
        (JsObject({"a": JsObject({"b-c": JsArray()})}), "{ a: { 'b-c': [] } }"),
        (JsMap([("k", 1)]), "Map(1) { 'k' => 1 }"),
        (JsSet([1, 2]), "Set(2) { 1, 2 }"),
        (js.Uint8Array.new(2), "Uint8Array(2) [ 0, 0 ]"),
        (circular(), "{ a: 1, me: [Circular *1] }"),
        (JsException("TypeError", "m", stack="TypeError: m\n    at x"), "TypeError: m\n    at x"),
        (js.Response, "[class Response]"),
        (js.Headers.new(), "Headers {}"),
        (js.Date.new(0), "Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)"),
        (len, "[Function: len]"),
        (ValueError("py"), "ValueError: py"),
    ],
)
def test_values_are_readable(value, text):
    assert inspect(value) == text


def test_deep_objects_are_cut_and_long_ones_broken():
    deep = to_js({"a": {"b": {"c": {"d": 1}}}})
    assert inspect(deep) == "{ a: { b: { c: [Object] } } }"
    wide = to_js({"first": "x" * 40, "second": "y" * 40})
    assert inspect(wide) == "{\n  first: '" + "x" * 40 + "',\n  second: '" + "y" * 40 + "'\n}"
