"""JsProxy as worker code uses it: constructors, attributes, subscripts, iteration, identity, conversion."""

import inspect
from collections.abc import MutableMapping, MutableSequence

import js
import pytest
from js import Array, Object
from pyodide.ffi import JsException, JsProxy, create_once_callable, create_proxy, destroy_proxies, jsnull, to_js
from shown import error_of, type_name

from pyworkers.config.compat import resolve_compat
from pyworkers.js.realm import REALM, Realm

pytestmark = [pytest.mark.worker_config("tests/sdk/workers/plain/wrangler.toml"), pytest.mark.usefixtures("runtime")]

NOT_SUBSCRIPTABLE = ("builtins.TypeError", "'pyodide.ffi.JsProxy' object is not subscriptable")


def plain(**properties):
    return to_js(properties, dict_converter=Object.fromEntries)


async def test_constructors_need_new():
    headers = js.Headers.new()
    assert isinstance(headers, JsProxy)
    assert isinstance(js.Headers, JsProxy)
    assert (headers.constructor.name, js.Headers.name) == ("Headers", "Headers")
    name, text = await error_of(lambda: js.Headers())
    assert name == "pyodide.ffi.JsException"
    assert text.startswith("TypeError: ")
    assert "new" in text


async def test_keyword_arguments_are_one_trailing_object():
    response = js.Response.new("x", status=404, headers=plain(a="b"))
    assert (response.status, response.headers.get("a")) == (404, "b")
    assert js.JSON.stringify(js.structuredClone(plain(a=1), transfer=to_js([]))) == '{"a":1}'


async def test_properties_are_attributes():
    value = plain(a=1, nothing=jsnull)
    assert (value.a, value.nothing) == (1, jsnull)
    assert value.nothing is not None
    assert not value.nothing
    assert await error_of(lambda: value.missing) == ("builtins.AttributeError", "missing")
    assert await error_of(lambda: value["a"]) == NOT_SUBSCRIPTABLE
    assert (hasattr(value, "a"), hasattr(value, "b"), getattr(value, "b", "default")) == (True, False, "default")
    value.b = 2
    del value.a
    assert js.JSON.stringify(value) == '{"nothing":null,"b":2}'
    assert "b" in dir(value)


async def test_undefined_is_none_and_null_is_jsnull():
    assert js.undefined is None
    assert js.JSON.parse("null") is jsnull
    assert repr(jsnull) == "jsnull"
    assert type_name(jsnull) == "pyodide.ffi.JsNull"
    assert js.Headers.new().get("missing") is jsnull
    assert js.Map.new().get("missing") is None


async def test_objects_with_get_are_subscriptable():
    mapping = js.Map.new(to_js([["a", 1]]))
    assert (mapping["a"], "a" in mapping, "b" in mapping, len(mapping), list(mapping)) == (1, True, False, 1, ["a"])
    assert await error_of(lambda: mapping["b"]) == ("builtins.KeyError", "'b'")
    params = js.URL.new("https://x.test/?x=1&x=2").searchParams
    assert (params["x"], "x" in params, "y" in params, params.size, len(params)) == ("1", True, False, 2, 2)
    headers = js.Headers.new(to_js([["A", "1"]]))
    assert (headers["a"], "A" in headers) == ("1", True)
    headers["b"] = "2"
    del headers["a"]
    assert [list(pair) for pair in headers] == [["b", "2"]]
    form = js.FormData.new()
    form.append("k", "v")
    assert (form["k"], "k" in form) == ("v", True)


async def test_arrays_are_sequences():
    array = to_js([3, 1, 2])
    assert (len(array), array.length, array[0], array[-1], 1 in array, list(array)) == (3, 3, 3, 2, True, [3, 1, 2])
    assert repr(array) == "3,1,2"
    array.push(4)
    array.append(5)
    array[0] = 9
    del array[1]
    assert array.to_py() == [9, 2, 4, 5]
    array.remove(4)
    assert (array.to_py(), array.index(5), array.count(2), array.pop()) == ([9, 2, 5], 2, 1, 5)
    assert isinstance(array, MutableSequence)
    assert array[0:2].to_py() == [9, 2]
    assert await error_of(lambda: array.remove(77)) == ("builtins.ValueError", "77 is not in list")
    assert Array.from_("abc").to_py() == ["a", "b", "c"]


async def test_maps_are_mutable_mappings():
    mapping = js.Map.new(to_js([["a", 1], ["b", 2]]))
    assert mapping.pop("a") == 1
    assert mapping.pop("a", "default") == "default"
    assert mapping.setdefault("c", 3) == 3
    mapping.update({"d": 4}, e=5)
    assert mapping.to_py() == {"b": 2, "c": 3, "d": 4, "e": 5}
    assert mapping.popitem() in (("b", 2), ("e", 5))
    assert list(mapping.items())[-1] in (("d", 4), ("e", 5))
    mapping.clear()
    assert len(mapping) == 0
    assert isinstance(mapping, MutableMapping)
    assert await error_of(lambda: mapping.pop("gone")) == ("builtins.KeyError", "'gone'")


async def test_thenables_are_awaitable():
    promise = js.Promise.new(lambda resolve, reject: resolve(5))
    assert await promise == 5
    seen = []
    assert await promise.then(lambda x: x + 1).finally_(lambda: seen.append("finally")) == 6
    assert seen == ["finally"]
    failing = js.Promise.reject(js.TypeError.new("no"))
    assert await failing.catch(lambda error: error.message) == "no"
    assert await error_of(lambda: js.Promise.reject(js.TypeError.new("no"))) == (
        "pyodide.ffi.JsException",
        "TypeError: no",
    )
    assert inspect.isawaitable(promise)


async def test_streams_iterate_asynchronously():
    chunks = [chunk.to_bytes() async for chunk in js.Response.new("streamed").body]
    assert b"".join(chunks) == b"streamed"


async def test_async_python_callbacks_return_promises():
    async def callback(value):
        return value + 1

    assert await js.Promise.resolve(1).then(create_proxy(callback)) == 2
    assert await js.Promise.resolve(1).then(callback) == 2


async def test_object_keys_values_entries():
    value = plain(a=1, b="x")
    assert value.object_keys().to_py() == ["a", "b"]
    assert value.object_values().to_py() == [1, "x"]
    assert value.object_entries().to_py() == [["a", 1], ["b", "x"]]
    assert Object.keys(value).to_py() == ["a", "b"]
    client, server = js.WebSocketPair.new().object_values()
    assert (client.constructor.name, server.constructor.name) == ("WebSocket", "WebSocket")
    assert client is not server


async def test_a_web_socket_pair_has_no_subscripts():
    assert await error_of(lambda: js.WebSocketPair.new()["0"]) == NOT_SUBSCRIPTABLE


async def test_identity_equality_and_hash():
    value = plain(a=1)
    holder = plain(x=value)
    assert holder.x == value
    assert holder.x.js_id == value.js_id
    assert hash(holder.x) == hash(value)
    assert plain(a=1) != value
    assert {value: "found"}[holder.x] == "found"


async def test_to_py_converts_data_and_leaves_instances():
    assert plain(a=[1, {"b": None}]).to_py() == {"a": [1, {"b": None}]}
    assert js.JSON.parse("[null]").to_py() == [jsnull]
    assert js.Set.new(to_js([1])).to_py() == {1}
    assert bytes(to_js(b"ab").to_py()) == b"ab"
    headers = js.Headers.new()
    assert headers.to_py() is headers
    nested = plain(a=[1, [2]]).to_py(depth=1)
    assert (type(nested), type_name(nested["a"])) == (dict, "pyodide.ffi.JsProxy")
    assert plain(h=headers).to_py(default_converter=lambda value, convert, cache: "converted") == {"h": "converted"}


async def test_views_of_an_object_as_a_mapping():
    value = plain(a=1)
    assert value.as_object_map()["a"] == 1
    value.as_object_map()["b"] = 2
    assert value.b == 2
    parsed = js.JSON.parse('{"x": [{"y": 1}]}').as_py_json()
    assert parsed["x"][0]["y"] == 1
    assert [item["y"] for item in js.JSON.parse('[{"y": 1}, {"y": 2}]').as_py_json()] == [1, 2]
    nested = js.JSON.parse('{"x": {"y": 2}}')
    assert nested.as_object_map(hereditary=True)["x"]["y"] == 2
    assert await error_of(lambda: nested.as_object_map()["x"]["y"]) == NOT_SUBSCRIPTABLE
    assert dict(nested.as_object_map(hereditary=True)["x"]) == {"y": 2}
    assert isinstance(nested.as_object_map(), MutableMapping)


async def test_integer_names_come_first():
    value = js.JSON.parse('{"b": 1, "10": 2, "9": 3, "a": 4, "01": 5}')
    assert js.JSON.stringify(value) == '{"9":3,"10":2,"b":1,"a":4,"01":5}'
    assert list(value.to_py()) == ["9", "10", "b", "a", "01"]
    assert Object.keys(value).to_py() == ["9", "10", "b", "a", "01"]


async def test_a_dict_is_an_object_to_javascript():
    assert js.Response.new("x", {"status": 404}).status == 404
    assert js.Request.new("http://x", {"method": "POST"}).method == "POST"
    assert js.JSON.stringify({"a": None, "b": (1, [2]), "c": {"d": True}}) == '{"b":[1,[2]],"c":{"d":true}}'
    assert Object.keys({"a": 1}).to_py() == ["a"]
    assert Object.assign(Object.new(), {"a": 1}).a == 1
    assert await error_of(lambda: js.Headers.new({"a": "b"})) == (
        "pyodide.ffi.JsException",
        "TypeError: The iterator does not provide a 'throw' method.",
    )


async def test_a_dict_was_opaque_to_javascript_in_the_first_pyodide(caplog):
    token = REALM.set(Realm(compat=resolve_compat("2024-09-01", ("python_workers",))))
    try:
        assert js.Response.new("x", {"status": 404}).status == 200
        assert js.JSON.stringify({"a": 1}) == "{}"
        assert js.Headers.new({"a": "b"}).get("a") is js.Headers.new().get("a")
    finally:
        REALM.reset(token)
    assert caplog.messages == [
        "A Python dict was passed to a JavaScript API, which cannot see its key 'status'. Pass "
        "to_js(d, dict_converter=Object.fromEntries), or keyword arguments."
    ]


async def test_to_js():
    assert to_js(5) == 5
    assert to_js(None) is None
    assert to_js([1, (2, 3)]).to_py() == [1, [2, 3]]
    assert type_name(to_js(b"a")) == "pyodide.ffi.JsProxy"
    thing = object()
    assert to_js(thing) is not None
    assert await error_of(lambda: to_js(thing, create_pyproxies=False)) == (
        "pyodide.ffi.ConversionError",
        f"No conversion known for {thing!r}.",
    )
    proxies = Array.new()
    to_js([thing], pyproxies=proxies)
    assert len(proxies) == 1
    destroy_proxies(proxies)
    cyclic = []
    cyclic.append(cyclic)
    converted = to_js(cyclic)
    assert converted[0] == converted
    assert to_js({"a": 1}, dict_converter=Array.from_).to_py() == [["a", 1]]
    assert to_js([{1}], default_converter=lambda *_: "never").to_py() == [{1}]
    assert to_js(thing, default_converter=lambda value, convert, cache: convert([1])).to_py() == [1]
    assert to_js(
        [1, "x"], eager_converter=lambda v, convert, cache: v if isinstance(v, int) else convert(v)
    ).to_py() == [
        1,
        "x",
    ]


async def test_proxies_of_python_objects():
    def add(a, b):
        return a + b

    proxy = create_proxy(add)
    assert (proxy(1, 2), proxy.unwrap()) == (3, add)
    copy = proxy.copy()
    proxy.destroy()
    assert copy(3, 4) == 7
    assert await error_of(lambda: proxy(1, 2)) == (
        "pyodide.ffi.JsException",
        f'Error: Object has already been destroyed\nThe object was of type "function" and had repr "{add!r}"',
    )
    once = create_once_callable(add)
    assert once(1, 2) == 3
    name, text = await error_of(lambda: once(1, 2))
    assert (name, text) == ("pyodide.ffi.JsException", "Error: OnceProxy can only be called once")


async def test_errors_are_exceptions():
    error = js.TypeError.new("boom")
    assert isinstance(error, JsException)
    assert isinstance(error, Exception)
    assert isinstance(error, JsProxy)
    assert (error.name, error.message, str(error), error.constructor.name) == (
        "TypeError",
        "boom",
        "TypeError: boom",
        "TypeError",
    )
    assert [f"{cls.__module__}.{cls.__qualname__}" for cls in type(error).__mro__] == [
        "pyodide.ffi.JsException",
        "pyodide.ffi.JsProxy",
        "builtins.Exception",
        "builtins.BaseException",
        "builtins.object",
    ]
    assert error.stack.startswith("TypeError: boom")
    with pytest.raises(JsException, match=r"^TypeError: boom$"):
        raise error
    made = JsException.new("made")
    assert (type_name(made), str(made)) == ("pyodide.ffi.JsException", "Error: made")


async def test_idioms_that_must_fail():
    with pytest.raises(ImportError, match=r"cannot import name 'to_py' from 'pyodide.ffi'"):
        from pyodide.ffi import to_py  # noqa: F401
    with pytest.raises(ImportError, match=r"cannot import name 'NoSuchGlobal' from 'js'"):
        from js import NoSuchGlobal  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'js.X'"):
        import js.X  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'pyodide_js'"):
        import pyodide_js  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match=r"No module named '_cloudflare'"):
        import _cloudflare  # noqa: F401
