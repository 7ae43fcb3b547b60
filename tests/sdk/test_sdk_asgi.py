"""workers.asgi: lifespan, bodies, streaming, cookies, errors, web sockets."""

import asyncio
import logging

import js
import pytest
from pyodide.ffi import create_proxy, to_js
from shown import error_of

from workers import asgi

pytestmark = pytest.mark.worker_config("tests/sdk/workers/asgi/wrangler.toml")


async def entrypoint(worker, name, path="/"):
    request = js.Request.new(f"https://app.test{path}")
    return await worker.isolate.fetch(request.delivered(), entrypoint=name)


async def test_scope(worker):
    response = await worker.fetch("https://app.test/scope%20%C3%A9?q=%20x&y", headers={"X-A": "1"})
    assert response.headers["content-type"] == "application/json"
    assert await response.json() == {
        "http_version": "'1.1'",
        "method": "<HTTPMethod.GET>",
        "scheme": "'https'",
        "path": "'/scope é'",
        "raw_path": "b'/scope%20%C3%A9'",
        "query_string": "b'q=%20x&y'",
        "type": "'http'",
        "state": "{'started': 'yes'}",
        "headers": [["x-a", "1"]],
        "asgi": {"spec_version": "2.0", "version": "3.0"},
        "env": ["workers.rpc._EnvWrapper", "blue"],
    }


async def test_lifespan_runs_around_every_request(worker):
    await worker.fetch("/empty")
    await worker.fetch("/empty")
    await worker.settle()
    assert await worker.log() == ["startup", "shutdown", "startup", "shutdown"]


async def test_an_app_without_lifespan(worker):
    response = await entrypoint(worker, "Plain")
    assert (response.status, await response.text()) == (200, "no lifespan")


async def test_a_lifespan_that_fails(worker):
    assert await error_of(lambda: entrypoint(worker, "Failing")) == ("builtins.RuntimeError", "no database")


async def test_a_body_arrives(worker):
    response = await worker.fetch("/echo", method="POST", body="some text")
    assert await response.text() == "some text"
    assert await worker.log() == ["startup", "disconnect", "shutdown"]
    big = b"x" * 300_000
    assert await (await worker.fetch("/echo", method="POST", body=big)).bytes() == big
    assert await (await worker.fetch("/echo")).text() == ""


async def test_cookies_stay_apart(worker):
    response = await worker.fetch("/cookies")
    assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert response.headers["x-one"] == "1"
    assert response.headers["content-type"] is None


async def test_a_response_streams(worker):
    response = await worker.fetch("/stream")
    assert (response.status, response.headers["content-type"]) == (202, "text/event-stream")
    assert "streamed" not in await worker.log()
    reader = response.body.getReader()
    chunks = []
    while not (result := await reader.read()).done:
        chunks.append(result.value.to_bytes())
    assert b"".join(chunks) == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    await worker.settle()
    assert (await worker.log())[-2:] == ["streamed", "shutdown"]


async def test_an_error_before_the_answer(worker, caplog):
    assert await error_of(lambda: worker.fetch("/before")) == ("builtins.ValueError", "before the answer")
    assert [record.getMessage() for record in caplog.records if record.name == "asgi"] == ["ASGI request failed"]
    assert await worker.log() == ["startup", "shutdown"]


async def test_an_error_after_the_answer_ends_the_stream(worker, caplog):
    response = await worker.fetch("/after")
    assert await response.text() == "part"
    await worker.settle()
    assert [record.getMessage() for record in caplog.records if record.name == "asgi"] == [
        "Exception in ASGI application after response started"
    ]


async def test_an_app_that_says_nothing(worker):
    assert await error_of(lambda: worker.fetch("/silent")) == (
        "builtins.RuntimeError",
        "The application did not generate a response",
    )


async def test_null_body_statuses(worker):
    response = await worker.fetch("/no-content")
    assert (response.status, response.body, await response.text()) == (204, None, "")


async def test_manual_encoding(worker):
    response = await entrypoint(worker, "Encoded", "/empty")
    assert (response.status, response.encode_body) == (200, "manual")
    assert await error_of(lambda: asgi.Options(encode_body="x")) == (
        "builtins.ValueError",
        "encode_body must be one of ('automatic', 'manual'), got 'x'",
    )


# ---- web sockets


async def connect(worker, path="/"):
    """Open a web socket; return it, and the list that its events go to."""
    response = await worker.fetch(path, headers={"Upgrade": "websocket"})
    assert response.status == 101
    socket = response.js_object.webSocket
    socket.binaryType = "arraybuffer"
    events = []
    socket.addEventListener("message", create_proxy(lambda event: events.append(event.data)))
    socket.addEventListener("close", create_proxy(lambda event: events.append((event.code, event.reason))))
    socket.accept()
    return socket, events


async def turns(number=20):
    for _ in range(number):
        await asyncio.sleep(0)


async def test_a_web_socket_echoes_and_closes(worker):
    socket, events = await connect(worker)
    socket.send("text")
    socket.send(to_js(b"abc"))
    socket.send("close")
    await turns()
    shown = [event.to_bytes() if hasattr(event, "to_bytes") else event for event in events]
    assert shown == ["TEXT", b"cba", (4000, "asked")]


async def test_the_client_closes(worker):
    socket, _events = await connect(worker)
    socket.close(4001, "bye")
    await turns()
    assert await worker.log() == [["disconnect", 4001, "bye"]]


async def test_an_app_that_ends_closes_the_socket(worker):
    socket, events = await connect(worker)
    socket.send("end")
    await turns()
    assert events == [(1000, "")]


async def test_an_app_that_fails_closes_the_socket(worker, caplog):
    caplog.set_level(logging.ERROR)
    _socket, events = await connect(worker, "/broken")
    await turns()
    assert events == [(1011, "")]
    await worker.settle()
