"""What crosses the boundary to an object: requests, responses, streams, functions, large values."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from outcomes import outcome

from pyworkers.js.buffers import ArrayBuffer, Uint8Array
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsObject


@pytest.fixture
def one(runtime: Any) -> Any:
    return runtime.primary.env.DO.getByName("a")


async def test_a_response_comes_back_as_one(one, code):
    async def answer(_target, status):
        return js.Response.new("body", JsObject({"status": status, "headers": JsObject({"x-from": "do"})}))

    code["answer"] = answer
    response = await one.do("answer", 418)
    assert (response.status, response.headers.get("x-from"), await response.text()) == (418, "do", "body")


async def test_a_request_arrives_as_one(one, code):
    async def describe(_target, request):
        return [request.method.value, request.url, request.headers["content-type"], await request.text()]

    code["describe"] = describe
    request = js.Request.new(
        "http://x/p", JsObject({"method": "POST", "body": "data", "headers": JsObject({"content-type": "text/x"})})
    )
    assert (await one.do("describe", request)).items_ == ["POST", "http://x/p", "text/x", "data"]


async def test_streams_go_both_ways(one, code):
    async def read(_target, stream):
        return await js.Response.new(stream).text()

    async def give(_target):
        return js.Blob.new(js.Array.of("ab", "cd")).stream()

    code.update(read=read, give=give)
    assert await one.do("read", js.Blob.new(js.Array.of("given")).stream()) == "given"
    assert await js.Response.new(await one.do("give")).text() == "abcd"


async def test_functions_are_called_where_they_came_from(one, code):
    async def call(_target, function):
        return await function(5)

    async def give(_target):
        return lambda value: f"called with {value}"

    code.update(call=call, give=give)
    assert await one.do("call", lambda value: value + 1) == 6
    function = await one.do("give")
    assert await function(7) == "called with 7"


async def test_values_over_32_mebibytes_are_refused(one, code):
    async def size(_target, value):
        return len(value)

    code["size"] = size
    assert await outcome(lambda: one.echo(Uint8Array(ArrayBuffer(bytes(40_000_000))))) == (
        "rejects Error: Serialized RPC arguments or return values are limited to 32MiB, but the size of this value "
        "was: 40000020 bytes."
    )
    assert await one.do("size", Uint8Array(ArrayBuffer(bytes(30_000_000)))) == 30_000_000


async def test_an_object_may_call_itself_and_others(one, code, runtime):
    async def around(target):
        own = target.env.DO.getByName("a")
        other = target.env.DO.getByName("b")
        return [await own.echo(1), await other.echo(2)]

    code["around"] = around
    assert (await one.do("around")).items_ == [1, 2]
    assert runtime.durable_objects.live_count == 2


async def test_wait_until_keeps_an_object_in_memory(one, code, clock, runtime):
    release = asyncio.Event()

    async def begin(target):
        target.ctx.waitUntil(release.wait())

    code["begin"] = begin
    await one.do("begin")
    await clock.advance(11)
    assert runtime.durable_objects.live_count == 1
    release.set()
    await clock.settle()
    await clock.advance(11)
    assert runtime.durable_objects.live_count == 0


async def test_an_error_of_another_object_is_not_this_ones_reset(one, code):
    async def stop(target):
        target.ctx.abort("other")

    async def ask(target):
        await target.env.DO.getByName("b").do("stop")

    code.update(stop=stop, ask=ask)
    assert await outcome(lambda: one.do("ask")) == "rejects Error: other [remote]"
    assert await one.echo(1) == 1
