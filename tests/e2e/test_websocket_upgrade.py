"""WebSocket upgrades through the real server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from socket import SHUT_RDWR

import pytest
from dev_process import Dev, StartDev
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

MakeWorker = Callable[..., Path]

ECHO = """
from js import Response, WebSocketPair
from pyodide.ffi import create_proxy

async def fetch(request, env):
    if request.headers.get("Upgrade") != "websocket":
        return Response.new("Expected Upgrade: websocket", status=426)
    if request.url.endswith("/refuse"):
        return Response.new("not you", status=403)
    client, server = WebSocketPair.new().object_values()
    server.binaryType = "arraybuffer"

    def on_message(event):
        if event.data == "bye":
            server.close(4001, "as you wish")
        elif isinstance(event.data, str):
            server.send("echo " + event.data)
        else:
            server.send(event.data)

    def on_close(event):
        print("closed", event.code, event.reason, event.wasClean)

    server.accept()
    server.addEventListener("message", create_proxy(on_message))
    server.addEventListener("close", create_proxy(on_close))
    return Response.new(None, status=101, webSocket=client)
"""


@pytest.fixture
def dev(make_worker: MakeWorker, start_dev: StartDev) -> Dev:
    return start_dev(folder=make_worker("api", ECHO))


def connected(dev: Dev, path: str = "/") -> ClientConnection:
    return connect(f"ws://127.0.0.1:{dev.port}{path}", open_timeout=10, proxy=None)


def test_text_and_bytes_are_echoed(dev: Dev) -> None:
    with connected(dev) as socket:
        socket.send("one")
        socket.send(b"\x00\xff")
        assert [socket.recv(10), socket.recv(10)] == ["echo one", b"\x00\xff"]
    dev.wait_for("GET / 101 (")


def test_a_million_bytes_pass_in_one_message(dev: Dev) -> None:
    with connected(dev) as socket:
        data = bytes(range(256)) * 4096
        socket.send(data)
        assert socket.recv(10) == data


def test_the_worker_closes_with_code_and_reason(dev: Dev) -> None:
    with connected(dev) as socket:
        socket.send("bye")
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(10)
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4001, "as you wish")


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
        assert socket.recv(10) == "echo one"
        status, seconds = dev.stop()
        assert (status, seconds < 1) == (0, True)
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(10)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1012
