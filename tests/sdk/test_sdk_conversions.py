"""python_to_rpc and python_from_rpc: the table of conversions, both ways, and what is refused."""

import datetime
import math

import js
import pytest
from js import Object
from pyodide.ffi import JsBigInt, JsException, JsProxy, create_proxy, jsnull, to_js
from shown import error_of, type_name
from workers.rpc import JsDict, _BindingWrapper

from workers import Blob, FormData, Request, Response, python_from_rpc, python_to_rpc

pytestmark = [pytest.mark.worker_config("tests/sdk/workers/plain/wrangler.toml"), pytest.mark.usefixtures("runtime")]


def shape(value):
    """Show a JavaScript value as text: its constructor's name, and JSON."""
    if isinstance(value, JsProxy):
        return f"{value.constructor.name} {js.JSON.stringify(value)}"
    return value


@pytest.mark.parametrize(
    ("value", "converted"),
    [
        (None, jsnull),
        (True, True),
        (1, 1),
        (-1.5, -1.5),
        ("té", "té"),
        ({"a": 1, 2: None, None: True, 1.5: "x"}, 'Object {"2":null,"a":1,"undefined":true,"1.5":"x"}'),
        ({}, "Object {}"),
        ([1, [None, "x"], {"k": []}], 'Array [1,[null,"x"],{"k":[]}]'),
        (b"ab", 'Uint8Array {"0":97,"1":98}'),
        (memoryview(b"ab"), 'Uint8Array {"0":97,"1":98}'),
    ],
)
async def test_python_to_javascript(value, converted):
    result = python_to_rpc(value)
    assert shape(result) == converted
    assert type(result) is not bool or value is True


async def test_sets_dates_and_errors_to_javascript():
    result = python_to_rpc({1, "a"})
    assert (result.constructor.name, result.size, result.has("a"), result.has(1)) == ("Set", 2, True, True)
    moment = datetime.datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.UTC)
    date = python_to_rpc(moment)
    assert (date.constructor.name, date.toISOString()) == ("Date", "2020-01-02T03:04:05.678Z")
    error = python_to_rpc(ValueError("boom"))
    assert (error.constructor.name, error.name, error.message) == ("Error", "Error", "boom")
    assert python_to_rpc([None])[0] is jsnull
    assert python_to_rpc({"a": {"b": [None]}}).a.b[0] is jsnull


async def test_objects_of_the_sdk_become_their_js_objects():
    for value in (Request("https://x.test"), Response("x"), Blob("x"), FormData()):
        assert python_to_rpc(value) is value.js_object
        assert python_to_rpc([value])[0] is value.js_object
    raw = js.Map.new()
    assert python_to_rpc(raw) is raw
    assert python_to_rpc(_BindingWrapper(raw)) is raw
    assert python_to_rpc({"x": _BindingWrapper(raw)}).x is raw


async def test_functions_become_proxies_that_live_on():
    def double(x):
        return x * 2

    proxy = python_to_rpc(double)
    assert type_name(proxy) == "pyodide.ffi.JsDoubleProxy" or type_name(proxy) == "pyodide.ffi.JsProxy"
    assert (proxy(4), proxy(5)) == (8, 10)
    assert python_to_rpc({"f": double}).f(1) == 2


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: (1, 2), "<class 'tuple'> cannot be sent over RPC."),
        (lambda: bytearray(b"a"), "<class 'bytearray'> cannot be sent over RPC."),
        (lambda: [1, (2,)], "<class 'tuple'> cannot be sent over RPC."),
        (lambda: {"a": bytearray()}, "<class 'bytearray'> cannot be sent over RPC."),
        (lambda: {"a": [{"b": ()}]}, "<class 'tuple'> cannot be sent over RPC."),
        (lambda: js.RegExp.new("a"), "RegExp cannot be sent over RPC."),
        (lambda: [js.RegExp.new("a")], "RegExp cannot be sent over RPC."),
    ],
)
async def test_what_cannot_be_sent(make, text):
    assert await error_of(lambda: python_to_rpc(make())) == ("builtins.TypeError", text)


async def test_an_awaitable_cannot_be_sent():
    async def coroutine():
        return 1

    pending = coroutine()
    assert await error_of(lambda: python_to_rpc(pending)) == (
        "builtins.TypeError",
        "Awaitable <class 'coroutine'> cannot be sent over RPC.",
    )
    assert await error_of(lambda: python_to_rpc([pending])) == (
        "builtins.TypeError",
        "Awaitable <class 'coroutine'> cannot be sent over RPC.",
    )
    assert await pending == 1


async def test_other_objects_pass_until_the_boundary():
    class Thing:
        pass

    thing = Thing()
    assert python_to_rpc(thing) is thing
    with pytest.raises(JsException) as info:
        js.structuredClone(python_to_rpc(thing))
    assert info.value.name == "DataCloneError"


async def test_javascript_to_python():
    parsed = js.JSON.parse('{"i":1.0,"f":1.5,"s":"x","n":null,"l":[1,null,[true]],"o":{"k":{}}}')
    result = python_from_rpc(parsed)
    assert result == {"i": 1, "f": 1.5, "s": "x", "n": None, "l": [1, None, [True]], "o": {"k": {}}}
    assert (type(result), type(result["o"]), type(result["o"]["k"]), type(result.l)) == (JsDict, JsDict, JsDict, list)
    assert type_name(result) == "workers.rpc.JsDict"
    assert (type(result.i), result.o.k) == (int, {})
    for primitive in (None, True, 1, 1.5, "x"):
        assert python_from_rpc(primitive) is primitive
    assert python_from_rpc(jsnull) is None


async def test_js_dict_has_attributes_and_is_a_dict():
    result = python_from_rpc(Object.fromEntries(to_js([["a", 1], ["keys", 2]])))
    result.b = 3
    assert (result, result.a, result["keys"]) == ({"a": 1, "keys": 2, "b": 3}, 1, 2)
    assert callable(result.keys)
    assert await error_of(lambda: result.missing) == ("builtins.AttributeError", "missing")
    assert not hasattr(result, "to_py")


async def test_collections_to_python():
    result = python_from_rpc(js.Map.new(to_js([["a", jsnull], [1, "one"]])))
    assert (type(result), result) == (JsDict, {"a": None, 1: "one"})
    assert python_from_rpc(js.Set.new(to_js([1, "a"]))) == {1, "a"}
    for value, size in ((to_js(b"ab"), 1), (js.ArrayBuffer.new(2), 1), (js.Float64Array.new(to_js([1.5])), 8)):
        view = python_from_rpc(value)
        assert (type(view), view.itemsize) == (memoryview, size)
    assert python_from_rpc(js.Float64Array.new(to_js([1.5]))).tolist() == [1.5]
    assert type(python_from_rpc(js.DataView.new(to_js(b"ab").buffer))) is memoryview


async def test_instances_to_python():
    assert type_name(python_from_rpc(js.Response.new("x"))) == "workers.response.Response"
    assert type_name(python_from_rpc(js.Request.new("https://x.test"))) == "workers.request.Request"
    assert type_name(python_from_rpc(js.FormData.new())) == "workers.formdata.FormData"
    blob = python_from_rpc(js.Blob.new(to_js(["x"]), type="t/x"))
    assert (type_name(blob), blob.content_type) == ("workers.blob.Blob", "t/x")
    inside = python_from_rpc(Object.fromEntries(to_js([["r", js.Response.new("x")]])))
    assert type_name(inside.r) == "workers.response.Response"
    for raw in (js.Headers.new(), js.URL.new("https://x.test"), js.ReadableStream.new(), js.URLSearchParams.new()):
        assert python_from_rpc(raw) is raw


async def test_dates_to_python_are_naive_local_time():
    moment = datetime.datetime.fromtimestamp(1577934245.678)
    assert python_from_rpc(js.Date.new(1577934245678)) == moment
    assert python_from_rpc(js.Date.new(0)).tzinfo is None


async def test_errors_to_python():
    error = python_from_rpc(js.Error.new("boom"))
    assert (type(error), str(error)) == (Exception, "Error: boom")


async def test_numbers():
    assert math.isinf(python_from_rpc(js.JSON.parse("1e999")))
    assert type(python_from_rpc(js.JSON.parse("2.0"))) is int
    assert python_from_rpc(js.Number.new(7)) == 7
    for whole in (1.0, -3.0, 1e15):
        assert (type(python_to_rpc(whole)), type(to_js([whole])[0])) == (int, int)
    assert type(python_to_rpc(1e20)) is float
    big = python_to_rpc(2**60)
    assert (type(big), big) == (JsBigInt, 2**60)


async def test_the_converter_keeps_a_proxied_object():
    class Thing:
        pass

    thing = Thing()
    assert python_from_rpc(create_proxy(thing)) is thing
