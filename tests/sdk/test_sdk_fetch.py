"""workers.fetch: what it sends, what it returns, how it fails."""

import asyncio
from http import HTTPMethod

import js
import pytest
from js import Object
from pyodide.ffi import create_proxy, to_js
from pyodide.http import pyfetch
from shown import error_of, type_name

from workers import FormData, Request, fetch

pytestmark = [pytest.mark.worker_config("tests/sdk/workers/plain/wrangler.toml"), pytest.mark.usefixtures("runtime")]

URL = "https://api.example.com/x"


async def test_the_answer_is_a_response(outbound):
    outbound.get(URL).respond("hello", headers={"X-A": "1"})
    response = await fetch(URL)
    assert type_name(response) == "workers.response.Response"
    assert repr(response) == (
        "Response(status=200, status_text='OK', content_type='text/plain;charset=UTF-8', "
        "url='https://api.example.com/x')"
    )
    assert (response.ok, response.headers["x-a"], await response.text()) == (True, "1", "hello")


async def test_what_is_sent(outbound):
    route = outbound.any("https://api.example.com/*").respond("ok")
    await fetch(URL, method="PUT", headers=Object.fromEntries(to_js([["a", "1"]])), body="text")
    await fetch(URL, method=HTTPMethod.DELETE, headers={"b": 2})
    await fetch(URL, method="POST", body=FormData({"k": "v"}).js_object)
    await fetch(URL, method="POST", body=b"raw")
    await fetch(Request(URL, method="PATCH", body="from request", headers={"c": "3"}))
    await fetch(js.Request.new("https://api.example.com/js"), headers={"d": "4"})
    sent = [(r.method, r.url.rpartition("/")[2], await r.text()) for r in route.requests]
    assert [each[:2] for each in sent] == [
        ("PUT", "x"),
        ("DELETE", "x"),
        ("POST", "x"),
        ("POST", "x"),
        ("PATCH", "x"),
        ("GET", "js"),
    ]
    assert [each[2] for each in sent if "form-data" not in each[2]] == ["text", "", "raw", "from request", ""]
    assert [route.requests[i].headers.get(name) for i, name in ((0, "a"), (1, "b"), (4, "c"), (5, "d"))] == list("1234")
    assert route.requests[2].headers.get("content-type").startswith("multipart/form-data; boundary=")


async def test_one_positional_argument():
    text = "fetch() takes 1 positional argument but 2 were given"
    assert await error_of(lambda: fetch(URL, {"method": "POST"})) == ("builtins.TypeError", text)


async def test_options_reach_the_request(outbound):
    route = outbound.get(URL).respond("ok")
    await fetch(URL, redirect="manual", cf={"cacheTtl": 5, "cacheTags": ["a"]})
    request = route.requests[0]
    assert request.redirect == "manual"
    assert request.cf.to_py() == {"cacheTtl": 5, "cacheTags": ["a"]}


async def test_a_fetcher_of_ones_own():
    seen = []

    async def fetcher(request, *rest):
        seen.append((request.constructor.name, request.method, request.url))
        return js.Response.new("from fetcher", status=202)

    response = await fetch(URL, fetcher=create_proxy(fetcher), method="POST")
    assert (response.status, await response.text()) == (202, "from fetcher")
    assert seen == [("Request", "POST", URL)]


async def test_redirects_are_followed(outbound):
    outbound.get(URL).respond(status=302, headers={"location": "/y"})
    outbound.get("https://api.example.com/y").respond("end")
    response = await fetch(URL)
    assert (response.redirected, response.url, await response.text()) == (True, "https://api.example.com/y", "end")
    manual = await fetch(URL, redirect="manual")
    assert (manual.status, manual.redirected, manual.headers["location"]) == (302, False, "/y")


async def test_a_network_error_is_an_abort_error(outbound):
    outbound.get(URL).fail("Network connection lost.")
    with pytest.raises(OSError, match=r"^Network connection lost.$") as info:
        await fetch(URL)
    assert type_name(info.value) == "pyodide.http._exceptions.AbortError"


async def test_an_unknown_url_is_a_js_error():
    assert await error_of(lambda: fetch("no url")) == ("pyodide.ffi.JsException", "TypeError: Invalid URL: no url")


async def test_a_signal_aborts(outbound):
    started = asyncio.Event()

    async def never(_request):
        started.set()
        await asyncio.Future()

    outbound.get(URL).handle(never)
    controller = js.AbortController.new()
    task = asyncio.ensure_future(fetch(URL, signal=controller.signal))
    await started.wait()
    controller.abort()
    assert await error_of(lambda: task) == ("pyodide.http._exceptions.AbortError", "The operation was aborted")


async def test_cancelling_the_task_ends_the_request(outbound):
    started, ended = asyncio.Event(), asyncio.Event()

    async def never(_request):
        started.set()
        try:
            await asyncio.Future()
        finally:
            ended.set()

    outbound.get(URL).handle(never)
    task = asyncio.ensure_future(fetch(URL))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_pyfetch_is_the_layer_below(outbound):
    outbound.get(URL).respond(json_body={"a": 1})
    response = await pyfetch(URL)
    assert type_name(response) == "pyodide.http._pyfetch.FetchResponse"
    assert (response.status, await response.json()) == (200, {"a": 1})
    assert response.headers == {"content-type": "application/json"}
    assert not hasattr(response, "js_object")


async def test_sync_code_may_wait_for_a_fetch(outbound):
    from pyodide.ffi import run_sync

    outbound.get(URL).respond("waited for")

    def read():
        return run_sync(run_sync(fetch(URL)).text())

    assert read() == "waited for"
