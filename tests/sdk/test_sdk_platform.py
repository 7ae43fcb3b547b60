"""The web platform as Python workers use it: ``from js import …`` beside the SDK's own classes."""

import asyncio

import js
import pytest
from js import (
    AbortSignal,
    CompressionStream,
    DecompressionStream,
    EventTarget,
    HTMLRewriter,
    MessageChannel,
    Object,
    ReadableStream,
    TextDecoderStream,
    TransformStream,
    URLPattern,
    atob,
    btoa,
    navigator,
    performance,
    scheduler,
    structuredClone,
)
from pyodide.ffi import JsException, create_once_callable, create_proxy, jsnull, to_js

from workers import Request, Response

pytestmark = [pytest.mark.worker_config("tests/sdk/workers/plain/wrangler.toml"), pytest.mark.usefixtures("runtime")]


def options(**values):
    """Return a JavaScript object."""
    return to_js(values, dict_converter=Object.fromEntries)


async def test_response_of_the_sdk_is_rewritten():
    class Links:
        def element(self, element):
            element.setAttribute("href", element.getAttribute("href").replace("http:", "https:"))

        async def text(self, chunk):
            await scheduler.wait(0)
            if not chunk.lastInTextNode:
                chunk.replace(chunk.text.upper())

    rewriter = HTMLRewriter.new().on("a[href]", create_proxy(Links()))
    rewriter.onDocument(options(end=create_proxy(lambda end: end.append("<!-- end -->", html=True))))
    response = Response("<p><a href='http://x/'>go</a></p>", headers={"content-type": "text/html"})
    rewritten = Response(rewriter.transform(response.js_object))
    assert rewritten.headers["content-type"] == "text/html"
    assert await rewritten.text() == '<p><a href="https://x/">GO</a></p><!-- end -->'


async def test_url_of_a_request_matches_a_pattern():
    pattern = URLPattern.new(pathname="/users/:id")
    request = Request("https://example.com/users/7?x")
    found = pattern.exec(request.url)
    assert found.pathname.groups.to_py() == {"id": "7"}
    assert pattern.test("/users/7", "https://example.com") is True
    assert pattern.exec("https://example.com/") is jsnull


async def test_generator_becomes_a_stream_that_goes_through_transforms():
    async def lines():
        for number in range(3):
            yield to_js(f"line {number}\n".encode())

    class Upper:
        def transform(self, chunk, controller):
            controller.enqueue(chunk.upper())

    stream = ReadableStream.from_(create_proxy(lines()))
    packed = stream.pipeThrough(CompressionStream.new("gzip")).pipeThrough(DecompressionStream.new("gzip"))
    text = packed.pipeThrough(TextDecoderStream.new()).pipeThrough(TransformStream.new(create_proxy(Upper())))
    assert "".join([chunk async for chunk in text]) == "LINE 0\nLINE 1\nLINE 2\n"


async def test_stream_is_read_in_the_way_of_javascript():
    reader = Response("abc").js_object.body.getReader()
    first, end = await reader.read(), await reader.read()
    assert (first.value.to_bytes(), first.done, end.value, end.done) == (b"abc", False, None, True)


async def test_cancelled_body_stops_its_generator():
    closed = []

    async def endless():
        try:
            while True:
                yield to_js(b"x")
        finally:
            closed.append(True)

    response = Response(ReadableStream.from_(create_proxy(endless())))
    reader = response.js_object.body.getReader()
    await reader.read()
    await reader.cancel("enough")
    assert closed == [True]


async def test_events_and_messages_reach_python():
    seen = []
    target = EventTarget.new()
    target.addEventListener("hello", create_proxy(lambda event: seen.append(event.detail)))
    assert target.dispatchEvent(js.CustomEvent.new("hello", detail=5)) is True
    channel = MessageChannel.new()
    channel.port2.onmessage = create_proxy(lambda event: seen.append(event.data.to_py()))
    channel.port1.postMessage(options(a=1))
    await scheduler.wait(5)
    assert seen == [5, {"a": 1}]


async def test_signals_follow_each_other_and_the_clock():
    signal = AbortSignal.any(to_js([AbortSignal.timeout(1), js.AbortController.new().signal]))
    await scheduler.wait(20)
    assert signal.aborted is True
    with pytest.raises(JsException) as caught:
        signal.throwIfAborted()
    assert caught.value.name == "TimeoutError"


async def test_timers_run_python_functions():
    done = asyncio.get_running_loop().create_future()
    js.setTimeout(create_once_callable(done.set_result), 1, "late")
    js.clearTimeout(js.setTimeout(create_once_callable(lambda: done.set_result("never")), 0))
    js.queueMicrotask(create_once_callable(lambda: None))
    assert await done == "late"


def test_small_globals():
    assert navigator.userAgent == "Cloudflare-Workers"
    assert atob(btoa("ab")) == "ab"
    assert performance.now() >= 0
    assert js.origin == "null"
    copy = structuredClone(options(a=to_js([1])))
    assert copy.to_py() == {"a": [1]}
    with pytest.raises(JsException) as caught:
        structuredClone(create_proxy(print))
    assert caught.value.name == "DataCloneError"
