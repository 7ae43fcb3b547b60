"""Entrypoint classes: how they are made, what they get, and RPC between two Python workers."""

import js
import pytest
from js import Object
from pyodide.ffi import JsException, create_proxy, to_js
from shown import error_of, type_name

from workers import Request

FRONT = "tests/sdk/workers/entrypoints/front/wrangler.toml"
BACK = "tests/sdk/workers/entrypoints/back/wrangler.toml"

pytestmark = pytest.mark.worker_config(FRONT, BACK)

NO_RECEIVER = (
    "DataCloneError: Proxy could not be serialized because it is not a valid RPC receiver type. The Proxy must emulate "
    "either a plain object or an RpcTarget, as indicated by the Proxy's prototype chain."
)


# ---- classes


async def test_every_event_gets_a_new_instance_of_one_module(env):
    first, second = await env.BACK.count(), await env.BACK.count()
    assert (first[0], second[0]) == (1, 1)
    assert second[1] == first[1] + 1


async def test_env_is_wrapped_and_ctx_is_raw(env):
    assert await env.BACK.parts() == [
        "workers.rpc._EnvWrapper",
        "pyodide.ffi.JsProxy",
        "[object ExecutionContext]",
        "ExecutionContext",
    ]


async def test_init_is_wrapped_at_every_level_of_inheritance(env):
    assert await env.CHILD.look() == ["workers.rpc._EnvWrapper", "workers.rpc._EnvWrapper", True, "blue"]


async def test_init_may_skip_super(env):
    assert await (await env.BARE.fetch("https://back.test/")).text() == "blue"
    assert await env.BARE.has_env() == [False, False]


async def test_props_of_the_binding_reach_ctx(env):
    assert await env.NAMED.props() == {"user": "Ada", "roles": ["admin"], "nothing": {"inside": True}}
    assert await env.NAMED.inside() is True
    assert await (await env.NAMED.fetch("https://back.test/")).text() == "named Ada"


async def test_imported_classes_are_entrypoints(worker, runtime):
    back = runtime.isolate("back")
    assert sorted(back.handlers.entrypoints) == ["Bare", "Child", "Grandchild", "Imported", "Named", "Parent"]
    assert await back.call("where", (), entrypoint="Imported") == "imported"


async def test_an_entrypoint_that_is_not_there(env):
    assert await error_of(lambda: env.NOTHING.count()) == (
        "pyodide.ffi.JsException",
        "TypeError: Method count does not exist",
    )
    assert await error_of(lambda: env.NOTHING.fetch("https://back.test/")) == (
        "pyodide.http._exceptions.AbortError",
        "Handler does not export a fetch() function.",
    )


# ---- fetch through a binding


async def test_the_binding_is_a_fetcher(env):
    assert type_name(env.BACK) == "workers.rpc._FetcherWrapper"
    assert env.BACK._binding.constructor.name == "Fetcher"
    assert repr(env.BACK._binding) == "[object Fetcher]"


async def test_fetch_reaches_the_other_worker(env):
    response = await env.BACK.fetch("https://back.test/a?b=1", method="POST", body="body")
    assert repr(response) == (
        "Response(status=200, status_text='OK', content_type='text/plain;charset=UTF-8', url='https://back.test/a?b=1')"
    )
    assert await response.text() == "POST https://back.test/a?b=1 body"
    assert {name: response.headers[name] for name in ("x-calls", "x-color", "x-length")} == {
        "x-calls": "1",
        "x-color": "blue",
        "x-length": "4",
    }
    assert await (await env.BACK.fetch(Request("https://back.test/r"))).text() == "GET https://back.test/r "


async def test_raw_fetch_takes_a_js_request(env):
    raw = env.BACK._binding
    response = await raw.fetch(js.Request.new("https://back.test/raw"))
    assert (response.constructor.name, await response.text()) == ("Response", "GET https://back.test/raw ")
    response = await raw.fetch("https://back.test/raw", method="PUT", body="x")
    assert await response.text() == "PUT https://back.test/raw x"


async def test_a_worker_that_does_not_run(env):
    response = await env.GONE.fetch("https://gone.test/")
    assert (response.status, await response.text()) == (
        503,
        'Worker "gone" not found. Make sure it is running locally.',
    )
    assert await error_of(lambda: env.GONE.method()) == (
        "pyodide.ffi.JsException",
        'Error: Worker "gone" not found. Make sure it is running locally.',
    )


# ---- RPC


async def test_methods_may_be_sync_and_private(env):
    assert await env.BACK.sync(4) == 8
    assert await env.BACK._private() == "private"
    assert await env.BACK.nothing() is None


async def test_what_is_no_method(env):
    missing = ("pyodide.ffi.JsException", "TypeError: Method missing does not exist")
    assert await error_of(lambda: env.BACK.missing()) == missing
    assert callable(env.BACK.attribute)
    assert hasattr(env.BACK, "anything")
    no_method = ("pyodide.ffi.JsException", "TypeError: Method attribute does not exist")
    assert await error_of(lambda: env.BACK.attribute()) == no_method


async def test_keyword_arguments_are_one_trailing_dict(env):
    assert await env.BACK.defaults(1) == [1, 2, 3]
    assert await env.BACK.defaults(1, 5) == [1, 5, 3]
    assert await env.BACK.defaults(1, c=9) == [1, {"c": 9}, 3]
    name, text = await error_of(lambda: env.BACK.defaults(1, 2, 3, 4))
    assert name == "pyodide.ffi.JsException"
    assert (
        text.splitlines()[-1] == "TypeError: Default.defaults() takes from 2 to 4 positional arguments but 5 were given"
    )


async def test_values_travel_and_come_back(env):
    for value in (1, 1.5, True, "té🌍", None, [], [1, [None]], {}, {"a": {"b": [1]}}, {1, 2}, 2**60):
        assert await env.BACK.echo(value) == value
    assert bytes(await env.BACK.echo(b"bytes")) == b"bytes"
    result = await env.BACK.echo({"a": 1})
    assert (type_name(result), result.a) == ("workers.rpc.JsDict", 1)


async def test_types_on_the_other_side(env):
    import datetime

    when = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    assert await env.BACK.types(
        1, 1.0, 1.5, "x", None, True, b"b", [1], {"a": 1}, {1}, when, 2**60, ValueError("x")
    ) == [
        "builtins.int",
        "builtins.int",
        "builtins.float",
        "builtins.str",
        "builtins.NoneType",
        "builtins.bool",
        "builtins.memoryview",
        "builtins.list",
        "workers.rpc.JsDict",
        "builtins.set",
        "datetime.datetime",
        "pyodide.ffi.JsBigInt",
        "builtins.Exception",
    ]


async def test_values_are_copies_and_keep_what_they_share(env):
    value = {"a": 1}
    assert await env.BACK.change(value) == {"a": 1, "changed": True}
    assert value == {"a": 1}
    shared = to_js([1])
    assert await env.BACK._binding.is_same(shared, shared) is False  # two arguments are two messages


async def test_responses_travel(env):
    response = await env.BACK.answer()
    assert (type_name(response), response.status, await response.text()) == (
        "workers.response.Response",
        201,
        "from rpc",
    )


@pytest.mark.parametrize("kind", ["tuple", "bytearray"])
async def test_results_that_the_sdk_refuses(env, kind):
    name, text = await error_of(lambda: env.BACK.unsendable(kind))
    assert name == "pyodide.ffi.JsException"
    assert text.splitlines()[0] == "PythonError: Traceback (most recent call last):"
    assert text.splitlines()[-1] == f"TypeError: <class '{kind}'> cannot be sent over RPC."


@pytest.mark.parametrize("kind", ["object", "class"])
async def test_results_that_cannot_be_cloned(env, kind):
    assert await error_of(lambda: env.BACK.unsendable(kind)) == ("pyodide.ffi.JsException", NO_RECEIVER)


@pytest.mark.parametrize("value", [object(), 1 + 2j, int], ids=["object", "complex", "class"])
async def test_arguments_that_cannot_be_cloned(env, value):
    with pytest.raises(JsException) as info:
        await env.BACK.echo(value)
    assert (str(info.value), info.value.name, info.value.constructor.name) == (
        NO_RECEIVER,
        "DataCloneError",
        "DOMException",
    )


async def test_arguments_that_the_sdk_refuses(env):
    assert await error_of(lambda: env.BACK.echo((1, 2))) == (
        "builtins.TypeError",
        "<class 'tuple'> cannot be sent over RPC.",
    )


async def test_python_errors_arrive_as_python_error(env):
    with pytest.raises(JsException) as info:
        await env.BACK.fail("ValueError", "boom")
    error = info.value
    assert (error.name, error.constructor.name) == ("PythonError", "PythonError")
    lines = error.message.splitlines()
    assert (lines[0], lines[-1]) == ("Traceback (most recent call last):", "ValueError: boom")
    assert any("entry.py" in line and "in fail" in line for line in lines)
    assert await error_of(lambda: env.BACK.fail_in_javascript("out")) == ("pyodide.ffi.JsException", "RangeError: out")


# ---- functions and stubs


async def test_a_function_of_the_callee_is_called_there(env):
    add = await env.BACK.adder(10)
    assert type_name(add) == "workers.rpc._RpcStubWrapper"
    assert (await add(5), await add(6)) == (15, 16)
    assert (add._binding.constructor.name, repr(add._binding)) == ("RpcStub", "[object JsRpcStub]")


async def test_functions_inside_of_data(env):
    result = await env.BACK.functions()
    assert await result.slow("word") == "WORD"
    assert await result.both[0]("four") == 4


async def test_a_function_of_the_caller_is_called_here(env):
    seen = []

    def note(*args):
        seen.append(args)
        return len(seen)

    async def double(number):
        return number * 2

    assert await env.BACK.apply(note, 1, "a") == 1
    assert await env.BACK.apply(double, 4) == 8
    assert await env.BACK.apply(create_proxy(double), 5) == 10
    assert seen == [(1, "a")]


async def test_a_stub_can_be_passed_on(env):
    add = await env.BACK.adder(1)
    assert await env.SELF.apply(add, 2) == 3
    assert await env.BACK.apply(add, 3) == 4


async def test_an_error_in_a_callback_comes_all_the_way_back(env):
    def broken(_value):
        raise ValueError("in callback")

    name, text = await error_of(lambda: env.BACK.apply(broken, 1))
    assert name == "pyodide.ffi.JsException"
    assert "ValueError: in callback" in text


async def test_objects_of_a_call_are_plain_javascript(env):
    raw = await env.BACK._binding.echo(to_js({"a": [1]}, dict_converter=Object.fromEntries))
    assert (type_name(raw), raw.constructor.name, raw.a.constructor.name) == ("pyodide.ffi.JsProxy", "Object", "Array")


# ---- depth


async def test_workers_call_one_another_sixteen_deep(env):
    assert await env.SELF.descend(14) == 14
    name, text = await error_of(lambda: env.SELF.descend(40))
    assert (name, text) == (
        "pyodide.ffi.JsException",
        "Error: Subrequest depth limit exceeded. This request recursed through Workers too many times. This can happen "
        "e.g. if you have a Worker or Durable Object that calls other Workers or objects recursively.",
    )
