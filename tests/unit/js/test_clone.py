from __future__ import annotations

from typing import Any

import pytest

from pyworkers.js.clone import NOT_AN_RPC_RECEIVER, structured_clone
from pyworkers.js.collections import JsMap, JsSet
from pyworkers.js.convert import create_proxy, to_js
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsBigInt, jsnull
from pyworkers.js.promise import JsPromise
from pyworkers.js.scope import module as js
from pyworkers.js.serialization import deserialize
from pyworkers.js.values import JsException, JsObject, dom_exception


@pytest.mark.parametrize("value", [None, jsnull, True, 1.5, "x", JsBigInt(2**70)])
def test_primitives_are_the_same(value):
    assert structured_clone(value) is value


def test_containers_are_copied_deeply():
    source = JsObject(
        {"list": JsArray([1, JsObject({"x": jsnull})]), "map": JsMap([("k", JsArray())]), "set": JsSet([1])}
    )
    copy = structured_clone(source)
    source.list[1].x = "changed"
    source.map.get("k").append(1)
    assert (copy.list[1].x, list(copy.map.get("k")), list(copy.set)) == (jsnull, [], [1])
    assert type(copy.map) is JsMap


def test_cycles_and_shared_parts_are_kept():
    source = JsObject()
    source.me = source
    source.pair = JsArray([source, to_js(b"ab")])
    source.again = source.pair[1]
    copy = structured_clone(source)
    assert copy is not source
    assert copy.me is copy
    assert copy.pair[0] is copy
    assert copy.again is copy.pair[1]


def test_buffers_keep_their_windows():
    window = to_js(b"hello").subarray(1, 3)
    copy = structured_clone(window)
    copy[0] = 0
    assert (copy.to_bytes(), copy.byteOffset, copy.buffer.byteLength, window.to_bytes()) == (b"\0l", 1, 5, b"el")


def test_transferred_memory_moves():
    buffer = to_js(b"abc").buffer
    copy = js.structuredClone(JsObject({"b": buffer}), transfer=JsArray([buffer]))
    assert (copy.b.to_bytes(), buffer.byteLength) == (b"abc", 0)


def test_dates_expressions_and_errors_are_copied():
    error = JsException("RangeError", "m")
    error.cause = JsException("Error", "why")
    copy = structured_clone(JsArray([js.Date.new(5), js.RegExp.new("a", "g"), error, dom_exception("AbortError", "x")]))
    assert (copy[0].getTime(), str(copy[1]), str(copy[2]), str(copy[2].cause)) == (
        5,
        "/a/g",
        "RangeError: m",
        "Error: why",
    )
    assert (copy[3].name, copy[3].code, copy[3].constructor.name) == ("AbortError", 20, "DOMException")
    assert structured_clone(JsException("MyError", "m")).name == "Error"


def refusal(value: Any, **options: Any) -> str:
    with pytest.raises(JsException) as caught:
        structured_clone(value, **options)
    assert (caught.value.name, caught.value.code) == ("DataCloneError", 25)
    return caught.value.message


def not_serializable(name: str) -> str:
    return f'Could not serialize object of type "{name}". This type does not support serialization.'


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (js.Symbol("s"), "Symbol(s) could not be cloned."),
        (JsPromise.resolved(1), "#<Promise> could not be cloned."),
        (js.URL.new("http://x"), not_serializable("URL")),
        (js.AbortController.new(), not_serializable("AbortController")),
        (js.WebSocketPair.new(), not_serializable("WebSocketPair")),
        (JsObject({"nested": js.FormData.new()}), not_serializable("FormData")),
        (object(), NOT_AN_RPC_RECEIVER),
        (1 + 2j, NOT_AN_RPC_RECEIVER),
        (create_proxy({}), NOT_AN_RPC_RECEIVER),
    ],
)
def test_what_cannot_cross_rpc(value, message):
    assert refusal(value, for_rpc=True, stub=lambda function: function) == message


def test_functions_become_stubs_where_the_runtime_makes_them():
    def function() -> None: ...

    proxy = create_proxy(function)
    made: list[Any] = []

    def stub(value: Any) -> Any:
        made.append(value)
        return js.Map.new()

    copy = structured_clone(JsArray([function, proxy, function]), for_rpc=True, stub=stub)
    assert made == [function, proxy]
    assert copy[0] is copy[2]
    assert refusal(function) == "function function() { ... } could not be cloned."


def test_platform_objects_travel_over_rpc_only():
    response, stream = js.Response.new("x"), js.ReadableStream.new()
    assert structured_clone(response, for_rpc=True) is response
    assert structured_clone(stream, for_rpc=True) is stream
    assert refusal(response) == not_serializable("Response")


def test_headers_are_copied_over_rpc():
    headers = js.Headers.new(JsArray([JsArray(["a", "1"])]))
    copy = structured_clone(headers, for_rpc=True)
    copy.set("a", "2")
    assert (headers.get("a"), copy.get("a")) == ("1", "2")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\x0f",
        b"\xff\x0fp",
        b"\xff\x0fA\xff",
        b'\xff\x0f"\xff\xff',
        b"\xff\x0frm\x54.",
        b"\xff\x0fR\x30\x00",
        b"\xff\x0f^\x05",
    ],
)
def test_bytes_that_are_no_value_are_refused(data: bytes) -> None:
    with pytest.raises(JsException) as caught:
        deserialize(data)
    assert (caught.value.name, caught.value.message) == ("Error", "Unable to deserialize cloned data.")
