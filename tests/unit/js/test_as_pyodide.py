"""What Python sees of JavaScript's objects; observed on Pyodide 0.28.2 and 314.0.7."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pyworkers.js.convert import to_js
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException


def array(*items: object) -> Any:
    return js.Array.of(*items)


def test_entries_make_a_dict() -> None:
    assert dict(js.Object.entries({"a": 1})) == {"a": 1}
    assert dict(to_js([["a", 1], ["b", 2]])) == {"a": 1, "b": 2}
    assert not hasattr(array(1), "keys")


def test_javascript_iterates_the_entries_of_maps() -> None:
    pairs = js.Map.new(to_js([["a", 1]]))
    assert js.Object.fromEntries(pairs).a == 1
    assert js.Map.new(pairs).get("a") == 1
    assert js.Object.fromEntries(js.URLSearchParams.new("q=1&r=2")).own_properties() == {"q": "1", "r": "2"}
    assert list(pairs) == ["a"]


def test_arrays_add_and_multiply_as_lists_do() -> None:
    plain = [2]
    assert list(array(1) + plain) == list(array(1) + array(2)) == [1, 2]
    assert list(array(1, 2) * 2) == list(2 * array(1, 2)) == [1, 2, 1, 2]
    items = array(1)
    items += (2,)
    items[3] = 4
    assert list(items) == [1, 2, None, 4]


def test_a_typed_array_keeps_its_length() -> None:
    numbers = js.Uint8Array.new(2)
    numbers[-1] = 7
    numbers[2] = numbers[-3] = 9  # nothing happens, as in JavaScript
    assert list(numbers) == [0, 7]


@pytest.mark.parametrize(
    ("use", "error"),
    [
        (lambda: array(1)[5], IndexError("5")),
        (lambda: array(1).__delitem__(9), IndexError("9")),
        (lambda: js.Uint8Array.new(3)[9], IndexError("9")),
        (lambda: js.Uint8Array.new(3)["x"], TypeError("list indices must be integers or slices, not str")),
        (
            lambda: js.Uint8Array.new(3)[0:2],
            NotImplementedError("Slice subscripting isn't implemented for typed arrays"),
        ),
        (
            lambda: js.Uint8Array.new(3).__setitem__(slice(0, 2), b"ab"),
            NotImplementedError("Slice assignment isn't implemented for typed arrays"),
        ),
        (
            lambda: js.Uint8Array.new(3).__setitem__("x", 1),
            TypeError("list indices must be integers or slices, not str"),
        ),
        (lambda: js.Uint8Array.new(3).__delitem__(0), TypeError("object doesn't support item deletion")),
        (
            lambda: js.Uint8Array.new(2).assign(b"abc"),
            ValueError("cannot assign to TypedArray of length 3 from buffer of length 2"),
        ),
        (
            lambda: js.Uint8Array.new(2).assign_to(bytearray(3)),
            ValueError("cannot assign from TypedArray of length 2 to buffer of length 3"),
        ),
        (lambda: js.nope, AttributeError("nope")),
    ],
)
def test_pythons_own_errors(use: Callable[[], Any], error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        use()
    assert str(caught.value) == str(error)


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda: js.Map(), "TypeError: Constructor Map requires 'new'"),
        (lambda: js.Uint8Array(2), "TypeError: Constructor Uint8Array requires 'new'"),
        (lambda: js.Promise(), "TypeError: Promise constructor cannot be invoked without 'new'"),
        (lambda: js.Map.new({"a": 1}), "TypeError: Iterator value a is not an entry object"),
        (lambda: js.Object.fromEntries({"a": 1}), "TypeError: Iterator value a is not an entry object"),
        (lambda: js.RegExp.new("("), "SyntaxError: Invalid regular expression: /(/: Unterminated group"),
        (lambda: js.RegExp.new("["), "SyntaxError: Invalid regular expression: /[/: Unterminated character class"),
        (lambda: js.RegExp.new("*"), "SyntaxError: Invalid regular expression: /*/: Nothing to repeat"),
    ],
)
def test_javascripts_errors(use: Callable[[], Any], text: str) -> None:
    with pytest.raises(JsException) as caught:
        use()
    assert (str(caught.value), type(caught.value).__name__) == (text, "JsException")


def test_methods_of_prototypes_are_called_on_anything() -> None:
    tag = js.Object.prototype.toString.call
    assert [tag(array()), tag(js.Map.new()), tag(5), tag(None)] == [
        "[object Array]",
        "[object Map]",
        "[object Number]",
        "[object Undefined]",
    ]
    assert js.Object.prototype.hasOwnProperty.call(js.JSON.parse('{"a":1}'), "a") is True
    assert list(js.Array.prototype.slice.call(array(1, 2, 3), 1)) == [2, 3]
