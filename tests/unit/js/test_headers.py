from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyworkers.js.collections import JsMap
from pyworkers.js.convert import to_js
from pyworkers.js.headers import Headers
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.values import JsException, JsObject

new = Headers.constructor.new


def listed(headers: Headers) -> list[list[str]]:
    return [list(pair) for pair in headers]


def message_of(action) -> str:
    with pytest.raises(JsException) as caught:
        action()
    assert caught.value.name == "TypeError"
    return caught.value.message


def test_names_are_case_insensitive_and_listed_sorted_in_lower_case():
    headers = new(to_js([["X-B", "1"], ["x-a", "2"], ["Content-Type", "t"]]))
    assert listed(headers) == [["content-type", "t"], ["x-a", "2"], ["x-b", "1"]]
    assert headers.get("X-A") == "2"
    assert headers.has("content-TYPE") is True
    assert headers.get("missing") is jsnull


def test_pairs_may_come_from_python_as_the_sdk_passes_them():
    assert listed(new([("a", "1"), ("a", 2), ("b", True)])) == [["a", "1, 2"], ["b", "true"]]
    assert listed(new({"a": "1"}.items())) == [["a", "1"]]


def test_a_map_and_a_plain_object_are_read_by_their_entries():
    assert listed(new(JsMap([("A", "1")]))) == [["a", "1"]]
    assert listed(new(JsObject({"n": 5, "b": True, "u": None, "nul": jsnull}))) == [
        ["b", "true"],
        ["n", "5"],
        ["nul", "null"],
        ["u", "undefined"],
    ]


def test_a_raw_python_dict_is_an_iterable_of_its_keys():
    assert message_of(lambda: new({"a": "1"})) == "The iterator does not provide a 'throw' method."


def test_an_inner_sequence_must_have_two_items():
    assert message_of(lambda: new(to_js([["a"]]))) == (
        "To initialize a Headers object from a sequence, each inner sequence must have exactly two elements."
    )


@pytest.mark.parametrize("init", [5, "text", True, jsnull])
def test_a_primitive_is_no_headers(init):
    assert message_of(lambda: new(init)) == (
        "Failed to construct 'Headers': constructor parameter 1 is not of type 'Headers or Sequence or object'."
    )


def test_set_cookie_is_kept_apart():
    headers = new([("Set-Cookie", "a=1"), ("set-cookie", "b=2; Path=/"), ("x", "y")])
    assert listed(headers) == [["set-cookie", "a=1"], ["set-cookie", "b=2; Path=/"], ["x", "y"]]
    assert list(headers.getSetCookie()) == ["a=1", "b=2; Path=/"]
    assert headers.get("set-cookie") == "a=1, b=2; Path=/"
    headers.set("set-cookie", "c=3")
    assert list(headers.getAll("Set-Cookie")) == ["c=3"]
    assert message_of(lambda: headers.getAll("x")) == ('getAll() can only be used with the header name "Set-Cookie".')


@pytest.mark.parametrize("name", ["a b", "a:b", "a\n", "(x)", "a\0", "a\x7f"])
def test_an_invalid_name_is_refused_by_every_method(name):
    headers = new()
    for action in (headers.get, headers.has, headers.delete):
        assert message_of(lambda action=action: action(name)) == "Invalid header name."
    for action in (headers.set, headers.append):
        assert message_of(lambda action=action: action(name, "v")) == "Invalid header name."


def test_names_beyond_ascii_and_the_empty_name_are_let_through_as_the_runtime_does():
    headers = new()
    headers.set("", "v")
    headers.set("漢", "w")
    headers.set("é", "x")  # its bytes are made lower case as if they were Latin-1
    assert listed(headers) == [["", "v"], ["漢", "w"], ["\ufffd", "x"]]
    assert headers.get("é") == "x"


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_an_invalid_value_is_refused(value):
    assert message_of(lambda: new().set("x", value)) == "Invalid header value."


def test_values_are_trimmed_and_coerced():
    headers = new()
    headers.set("t", " \t v \r\n")
    headers.set("o", JsObject({"a": 1}))
    headers.set("l", JsArray([1, 2]))
    assert listed(headers) == [["l", "1,2"], ["o", "[object Object]"], ["t", "v"]]


def test_missing_arguments_have_the_platforms_text():
    headers = new()
    assert message_of(lambda: headers.set("k")) == (
        "Failed to execute 'set' on 'Headers': parameter 2 is not of type 'string'."
    )
    assert message_of(lambda: headers.set()) == (
        "Failed to execute 'set' on 'Headers': parameter 1 is not of type 'string'."
    )
    assert message_of(lambda: headers.get()) == (
        "Failed to execute 'get' on 'Headers': parameter 1 is not of type 'string'."
    )


def test_an_iterator_keeps_to_what_was_there_when_it_was_made():
    headers = new([("b", "2"), ("a", "1")])
    iterator = headers.entries()
    assert list(iterator.next().value) == ["a", "1"]
    headers.set("aa", "new")
    assert list(iterator.next().value) == ["b", "2"]
    assert iterator.next().own_properties() == {"done": True, "value": None}
    assert headers.keys().js_name == "KeyIterator"
    assert list(headers.keys()) == ["a", "aa", "b"]
    assert list(headers.values()) == ["1", "new", "2"]


def test_for_each_gives_value_name_and_the_headers():
    seen = []
    headers = new([("b", "2"), ("a", "1")])
    headers.forEach(lambda value, name, owner: seen.append((value, name, owner is headers)))
    assert seen == [("1", "a", True), ("2", "b", True)]


def test_python_sees_an_object_with_get_set_and_has():
    headers = new()
    headers["X-A"] = 1
    assert "x-a" in headers
    assert headers["x-a"] == "1"
    del headers["x-a"]
    assert headers["x-a"] is jsnull
    assert not hasattr(headers, "__len__")
    assert not hasattr(headers, "items")


def test_immutable_headers_refuse_changes_and_their_copy_does_not():
    headers = Headers([(b"a", b"1")], immutable=True)
    for action in (lambda: headers.set("a", "b"), lambda: headers.append("a", "b"), lambda: headers.delete("a")):
        assert message_of(action) == "Can't modify immutable headers."
    copy = new(headers)
    copy.set("a", "2")
    assert (copy.get("a"), headers.get("a")) == ("2", "1")


def test_raw_headers_are_fetched_once_and_only_when_touched():
    calls = []

    def raw() -> list[tuple[bytes, bytes]]:
        calls.append(1)
        return [(b"X-Custom", b"a"), (b"x-custom", b"b"), (b"x-utf8", "é".encode()), (b"x-bad", b"\xff")]

    headers = Headers(raw, immutable=True)
    assert calls == []
    assert listed(headers) == [["x-bad", "�"], ["x-custom", "a, b"], ["x-utf8", "é"]]
    assert headers.get("x-custom") == "a, b"
    assert calls == [1]


def test_the_wire_order_is_the_runtimes():
    headers = new(
        [
            ("X-M", "1"),
            ("ETag", "e"),
            ("Set-Cookie", "a=1"),
            ("X-All", "1"),
            ("Set-Cookie", "b=2"),
            ("Cache-Control", "no-cache"),
            ("Cache-Control", "private"),
            ("X-M", "é"),
            ("Content-Type", "t"),
            ("Location", "/"),
        ]
    )
    assert headers.wire_list() == [
        (b"location", b"/"),
        (b"content-type", b"t"),
        (b"cache-control", b"no-cache, private"),
        (b"etag", b"e"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"x-all", b"1"),
        (b"x-m", b"1"),
        (b"x-m", "é".encode()),
    ]


@given(st.text(), st.text())
def test_any_name_and_value_are_taken_or_refused_with_the_platforms_error(name, value):
    headers = new()
    error = None
    try:
        headers.append(name, value)
    except JsException as raised:
        error = raised.message
    if error is None:
        ((key, item),) = headers.wire_list()
        assert not set(key) & set(b" \r\n\0:")
        assert not set(item) & set(b"\r\n\0")
    else:
        assert error in ("Invalid header name.", "Invalid header value.")
