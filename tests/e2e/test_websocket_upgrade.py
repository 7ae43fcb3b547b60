"""WebSocket upgrades through the real server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from socket import SHUT_RDWR

import pytest
from dev_process import HANG_S, Dev, StartDev
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

MakeWorker = Callable[..., Path]

ECHO = """
from js import Headers, Response, WebSocketPair
from pyodide.ffi import create_proxy

async def fetch(request, env):
    if request.headers.get("Upgrade") != "websocket":
        return Response.new("Expected Upgrade: websocket", status=426)
    if request.url.endswith("/refuse"):
        return Response.new("not you", status=403)
    if request.url.endswith("/protocols"):
        ends = WebSocketPair.new().object_values()
        ends[1].accept()
        headers = Headers.new()
        headers.set("Sec-WebSocket-Protocol", request.headers.get("Sec-WebSocket-Protocol").split(", ")[1])
        headers.append("Set-Cookie", "a=1")
        return Response.new(None, status=101, webSocket=ends[0], headers=headers)
    client, server = WebSocketPair.new().object_values()
    server.binaryType = "arraybuffer"

    def on_message(event):
        if event.data == "bye":
            server.close(4001, "as you wish")
        elif event.data == "no code":
            server.close()
        elif event.data == "raise":
            raise ValueError("boom")
        elif event.data == "flood":
            for index in range(10_000):
                server.send(str(index))
        elif isinstance(event.data, str):
            server.send("echo " + event.data)
        else:
            server.send(event.data)

    def on_close(event):
        print("closed", event.code, event.reason, event.wasClean)

    def on_error(event):
        print("error", event.message)

    server.accept()
    server.addEventListener("error", create_proxy(on_error))
    server.addEventListener("message", create_proxy(on_message))
    server.addEventListener("close", create_proxy(on_close))
    return Response.new(None, status=101, webSocket=client)
"""


@pytest.fixture
def dev(make_worker: MakeWorker, start_dev: StartDev) -> Dev:
    return start_dev(folder=make_worker("api", ECHO))


def connected(dev: Dev, path: str = "/") -> ClientConnection:
    return connect(f"ws://127.0.0.1:{dev.port}{path}", open_timeout=HANG_S, proxy=None)


def test_text_and_bytes_are_echoed(dev: Dev) -> None:
    with connected(dev) as socket:
        socket.send("one")
        socket.send(b"\x00\xff")
        assert [socket.recv(HANG_S), socket.recv(HANG_S)] == ["echo one", b"\x00\xff"]
    dev.wait_for("GET / 101 (")


def test_a_million_bytes_pass_in_one_message(dev: Dev) -> None:
    with connected(dev) as socket:
        data = bytes(range(256)) * 4096
        socket.send(data)
        assert socket.recv(HANG_S) == data


def test_the_worker_closes_with_code_and_reason(dev: Dev) -> None:
    with connected(dev) as socket:
        socket.send("bye")
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(HANG_S)
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4001, "as you wish")


def closing_of(dev: Dev, message: str) -> tuple[int, str] | None:
    """Send a message that makes the worker end the connection; return what the client was told."""
    with connected(dev) as socket:
        socket.send(message)
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(HANG_S)
    return None if caught.value.rcvd is None else (caught.value.rcvd.code, caught.value.rcvd.reason)


def test_a_close_without_a_code_has_none(dev: Dev) -> None:
    assert closing_of(dev, "no code") == (1005, "")
    dev.wait_for("closed 1005")


def test_a_listener_that_raises_breaks_the_connection(dev: Dev) -> None:
    assert closing_of(dev, "raise") is None
    dev.wait_for("error Uncaught ValueError: boom")


def test_a_message_beyond_32_mib_is_refused(dev: Dev) -> None:
    with connected(dev) as socket:
        try:
            socket.send(bytes(32 * 1024 * 1024 + 1))
        except ConnectionClosed:
            pass  # refused before all of it was sent
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(HANG_S)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009
    dev.wait_for(
        "error Uncaught Error: WebSocket protocol error; protocolError.statusCode = 1009; protocolError.description = "
        "Message is too large"
    )


def test_ten_thousand_messages_arrive_in_order(dev: Dev) -> None:
    with connected(dev) as socket:
        socket.send("flood")
        assert [socket.recv(HANG_S) for _ in range(10_000)] == [str(index) for index in range(10_000)]


def test_the_worker_chooses_the_protocol(dev: Dev) -> None:
    url = f"ws://127.0.0.1:{dev.port}/protocols"
    with connect(url, open_timeout=HANG_S, proxy=None, subprotocols=["v1", "v2"]) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "v2"
        assert socket.response is not None
        assert socket.response.headers["set-cookie"] == "a=1"


def test_the_worker_hears_the_clients_close(dev: Dev) -> None:
    with connected(dev) as socket:
        socket.close(4002, "done here")
    dev.wait_for("closed 4002 done here True")


def test_the_worker_hears_of_a_client_that_vanished(dev: Dev) -> None:
    with connected(dev) as socket:
        socket.socket.shutdown(SHUT_RDWR)
        dev.wait_for("closed 1006")


def test_a_worker_may_answer_an_upgrade_otherwise(dev: Dev) -> None:
    with pytest.raises(InvalidStatus) as caught:
        connected(dev, "/refuse")
    assert (caught.value.response.status_code, caught.value.response.body) == (403, b"not you")
    assert dev.get("/").status_code == 426


def test_the_end_of_the_server_closes_the_connection(dev: Dev) -> None:
    with connected(dev) as socket:
        socket.send("one")
        assert socket.recv(HANG_S) == "echo one"
        assert dev.stop() == 0
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(HANG_S)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1012
