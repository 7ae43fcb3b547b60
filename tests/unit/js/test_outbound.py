"""Outbound requests and sockets against real servers on loopback: HTTP/2, WebSocket, TLS."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError

from pyworkers.js.convert import to_js
from pyworkers.js.fetch import fetch
from pyworkers.js.objects import JsArray
from pyworkers.js.outbound import HttpxOutbound
from pyworkers.js.primitives import jsnull
from pyworkers.js.realm import REALM, Realm
from pyworkers.js.scope import module as js
from pyworkers.js.sockets import Sockets
from pyworkers.js.values import JsException, JsObject

Talk = Callable[[ServerConnection], Awaitable[None]]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "loopback.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + made.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The certificate, trusted by everything that asks the environment."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def run(work: Callable[[], Awaitable[Any]], **options: Any) -> Any:
    """Run a coroutine function with ``fetch`` bound to the network."""

    async def main() -> Any:
        async with HttpxOutbound(**options) as outbound:
            REALM.set(Realm(outbound=outbound, console=lambda _level, _args: None))
            return await asyncio.wait_for(work(), 120)

    return asyncio.run(main())


async def rejection(promise: Awaitable[Any]) -> tuple[str, str]:
    with pytest.raises(JsException) as caught:
        await promise
    return caught.value.name, caught.value.message


# ---- HTTP/2


class Http2:
    """Answers every request of one connection with its method, path and body."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.connection = H2Connection(H2Configuration(client_side=False))
        self.asked: dict[int, list[bytes]] = {}

    def received(self, event: Any) -> None:
        if isinstance(event, RequestReceived):
            headers = dict(event.headers)
            self.asked[event.stream_id] = [headers[b":method"], b" ", headers[b":path"], b" "]
        elif isinstance(event, DataReceived):
            self.asked[event.stream_id].append(event.data)
            self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            self.connection.send_headers(event.stream_id, [(":status", "200"), ("x-a", "1")])
            self.connection.send_data(event.stream_id, b"".join(self.asked.pop(event.stream_id)), end_stream=True)


@asynccontextmanager
async def http2_server(certificate: Path) -> Any:
    connections: list[Http2] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served = Http2(writer)
        connections.append(served)
        served.connection.initiate_connection()
        while True:
            writer.write(served.connection.data_to_send())
            data = await reader.read(65_536)
            if not data:
                break
            for event in served.connection.receive_data(data):
                served.received(event)
        writer.close()

    context = server_context(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", connections
        for served in connections:  # from 3.12 on the server's end waits for its connections, which the client keeps
            served.writer.transport.abort()


def test_a_server_that_offers_http_2_gets_it(trusted: Path) -> None:
    async def work() -> Any:
        async with http2_server(trusted) as (url, _connections):
            plain = await fetch(f"{url}/a")
            posted = await fetch(f"{url}/b", method="POST", body="data")
            return plain.status, plain.statusText, await plain.text(), plain.headers.get("x-a"), await posted.text()

    assert run(work) == (200, "OK", "GET /a ", "1", "POST /b data")


def test_many_requests_share_one_http_2_connection(trusted: Path) -> None:
    async def work() -> Any:
        async with http2_server(trusted) as (url, connections):
            await text_of(f"{url}/first")
            answers = await asyncio.gather(*(text_of(f"{url}/{index}") for index in range(50)))
            return answers == [f"GET /{index} " for index in range(50)], len(connections)

    # On a busy machine seconds may pass between two requests, and an idle connection must not end meanwhile.
    limits = httpx.Limits(keepalive_expiry=None)
    assert run(work, transport=httpx.AsyncHTTPTransport(limits=limits, http2=True, trust_env=True)) == (True, 1)


def test_promises_that_one_task_makes_and_others_await(trusted: Path) -> None:
    async def work() -> Any:
        async with http2_server(trusted) as (url, _connections):
            responses = await js.Promise.all(JsArray([fetch(f"{url}/{index}") for index in range(3)]))
            return list(await asyncio.gather(*(response.text() for response in responses)))

    assert run(work) == ["GET /0 ", "GET /1 ", "GET /2 "]


async def text_of(url: str) -> Any:
    return await (await fetch(url)).text()


def test_what_forbids_a_request_is_asked_before_each_one() -> None:
    asked: list[int] = []

    def before_send() -> None:
        asked.append(len(asked))
        if len(asked) == 3:
            raise JsException("Error", "no more")

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"location": "/next"}, stream=httpx.ByteStream(b""))

    class Transport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return answer(request)

    async def work() -> Any:
        return await rejection(fetch("http://example.com/"))

    assert run(work, transport=Transport(), before_send=before_send) == ("Error", "no more")
    assert asked == [0, 1, 2]


# ---- WebSocket


@asynccontextmanager
async def websocket_server(talk: Talk, **options: Any) -> Any:
    async with serve(talk, "127.0.0.1", 0, **options) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message if isinstance(message, bytes) else f"echo {message}")


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what events bring about; the test's own limit ends a wait in vain."""
    loop = asyncio.get_running_loop()
    while not condition():
        turn = loop.create_future()
        loop.call_later(0.001, turn.set_result, None)
        await turn


def test_fetch_with_an_upgrade_gives_a_socket() -> None:
    async def work() -> Any:
        async with websocket_server(echo, subprotocols=["a"]) as address:
            headers = JsObject({"Upgrade": "websocket", "Sec-WebSocket-Protocol": "a, b"})
            response = await fetch(f"http://{address}/x", headers=headers)
            socket = response.webSocket
            got: list[Any] = []
            socket.binaryType = "arraybuffer"
            socket.onmessage = lambda event: got.append(event.data)
            socket.accept()
            socket.send("hi")
            socket.send(to_js(b"\x00\xff"))
            await until(lambda: len(got) == 2)
            socket.close(3001, "done")
            await until(lambda: socket.readyState == 3)
            shown = response.status, response.statusText, response.body is jsnull
            return shown, response.headers.get("sec-websocket-protocol"), got[0], got[1].to_bytes()

    assert run(work) == ((101, "Switching Protocols", True), "a", "echo hi", b"\x00\xff")


def test_a_constructed_socket_tells_its_protocol_and_hears_the_servers_close() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.close(4005, "bye")

    async def work() -> Any:
        async with websocket_server(talk, subprotocols=["v2"]) as address:
            socket = js.WebSocket.new(f"ws://{address}/chat", JsArray(["v1", "v2"]))
            events: list[Any] = []
            socket.onopen = lambda _event: (events.append("open"), socket.send("go"))
            socket.onclose = lambda event: events.append((event.code, event.reason, event.wasClean))
            await until(lambda: len(events) == 2)
            return events, socket.protocol, socket.extensions, socket.readyState

    assert run(work) == (["open", (4005, "bye", True)], "v2", jsnull, 3)


def test_ten_thousand_messages_go_there_and_back_in_order() -> None:
    async def work() -> Any:
        async with websocket_server(echo) as address:
            socket = js.WebSocket.new(f"ws://{address}/")
            got: list[Any] = []
            socket.onmessage = lambda event: got.append(event.data)
            socket.onopen = lambda _event: [socket.send(str(index)) for index in range(10_000)]
            await until(lambda: len(got) == 10_000)
            socket.close()
            return got == [f"echo {index}" for index in range(10_000)]

    assert run(work) is True


def test_a_message_of_several_frames_is_one() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send(["a", "b", "c"])
        await connection.ping()
        await connection.send([b"1", b"2"])
        await connection.wait_closed()

    async def work() -> Any:
        async with websocket_server(talk) as address:
            socket = js.WebSocket.new(f"ws://{address}/")
            socket.binaryType = "arraybuffer"
            got: list[Any] = []
            socket.onmessage = lambda event: got.append(event.data)
            await until(lambda: len(got) == 2)
            socket.close(1000)
            return got[0], got[1].to_bytes()

    assert run(work) == ("abc", b"12")


def test_a_server_that_breaks_off_is_a_1006() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        connection.transport.abort()

    async def work() -> Any:
        async with websocket_server(talk) as address:
            socket = js.WebSocket.new(f"ws://{address}/")
            events: list[Any] = []
            socket.onopen = lambda _event: socket.send("go")
            socket.onclose = lambda event: events.append((event.code, event.reason, event.wasClean, socket.readyState))
            await until(lambda: bool(events))
            socket.send("into the void")
            return events, socket.readyState

    lost = (1006, "WebSocket disconnected without sending Close frame.", False, 1)
    assert run(work) == ([lost], 2)


def test_a_message_beyond_32_mib_breaks_the_connection() -> None:
    closed: list[Any] = []

    async def talk(connection: ServerConnection) -> None:
        try:
            await connection.send(bytes(32 * 1024 * 1024 + 1))
        except ConnectionClosedError:
            pass  # it was refused before all of it was sent
        await connection.wait_closed()
        closed.append(connection.close_code)

    async def work() -> Any:
        async with websocket_server(talk, compression=None) as address:
            socket = js.WebSocket.new(f"ws://{address}/")
            events: list[Any] = []
            socket.onerror = lambda event: events.append(event.message)
            socket.onclose = lambda event: events.append(event.code)
            await until(lambda: bool(events))
            await until(lambda: bool(closed))
            return events, socket.readyState

    text = "WebSocket protocol error; protocolError.statusCode = 1009; protocolError.description = Message is too large"
    assert run(work) == ([f"Uncaught Error: {text}"], 3)
    assert closed == [1009]


def test_a_server_that_does_not_upgrade_answers_as_usual() -> None:
    async def refuse(connection: ServerConnection, request: Any) -> Any:
        return connection.respond(404, "not here")

    async def work() -> Any:
        async with websocket_server(echo, process_request=refuse, close_timeout=0.1) as address:
            response = await fetch(f"http://{address}/", headers=JsObject({"upgrade": "websocket"}))
            socket = js.WebSocket.new(f"ws://{address}/")
            events: list[Any] = []
            socket.onerror = lambda event: events.append(event.message)
            socket.onclose = lambda event: events.append((event.code, event.reason, event.wasClean))
            await until(lambda: len(events) == 2)
            return response.status, response.webSocket, await response.text(), events

    assert run(work) == (
        404,
        jsnull,
        "not here",
        [
            "Uncaught TypeError: Failed to establish the WebSocket connection: expected server to reply with HTTP "
            "status code 101 (switching protocols), but received 404 instead.",
            (1006, "Failed to establish websocket connection", False),
        ],
    )


def test_a_worker_that_is_slow_slows_the_server() -> None:
    sent = 0

    async def talk(connection: ServerConnection) -> None:
        nonlocal sent
        for _ in range(400):
            await connection.send(bytes(100_000))
            sent += 1
        await connection.wait_closed()

    async def work() -> Any:
        async with websocket_server(talk, compression=None) as address:
            response = await fetch(f"http://{address}/", headers=JsObject({"upgrade": "websocket"}))
            for _ in range(2_000):
                await asyncio.sleep(0)
            stalled = sent
            got = 0

            def count(_event: Any) -> None:
                nonlocal got
                got += 1

            response.webSocket.onmessage = count
            response.webSocket.accept()
            await until(lambda: got == 400)
            response.webSocket.close()
            return stalled < 400

    assert run(work) is True


def test_a_secure_socket(trusted: Path) -> None:
    async def work() -> Any:
        async with websocket_server(echo, ssl=server_context(trusted)) as address:
            socket = js.WebSocket.new(f"wss://{address}/")
            got: list[Any] = []
            socket.onopen = lambda _event: socket.send("hi")
            socket.onmessage = lambda event: got.append(event.data)
            await until(lambda: bool(got))
            socket.close()
            return got

    assert run(work) == ["echo hi"]


# ---- TCP with TLS


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        if line == b"STARTTLS\n":
            writer.write(b"go\n")
            await writer.drain()
            await writer.start_tls(shout.context)  # type: ignore[attr-defined]  # set by the test
        else:
            writer.write(line.upper())
            await writer.drain()
    writer.close()


def tls_run(certificate: Path, work: Callable[[int], Awaitable[Any]], *, encrypted: bool) -> Any:
    async def main() -> Any:
        context = server_context(certificate)
        shout.context = context  # type: ignore[attr-defined]  # read by the server
        server = await asyncio.start_server(shout, "127.0.0.1", 0, ssl=context if encrypted else None)
        async with server:
            return await asyncio.wait_for(work(server.sockets[0].getsockname()[1]), 120)

    return asyncio.run(main())


async def said(socket: Any, line: bytes) -> bytes:
    writer, reader = socket.writable.getWriter(), socket.readable.getReader()
    await writer.write(to_js(line))
    answer = (await reader.read()).value.to_bytes()
    writer.releaseLock()
    reader.releaseLock()
    return bytes(answer)


def test_a_tls_socket(trusted: Path) -> None:
    async def work(port: int) -> Any:
        socket = Sockets().connect(f"127.0.0.1:{port}", secureTransport="on")
        answer = await said(socket, b"hello\n")
        refused = pytest.raises(JsException, match="Cannot startTls on a TLS socket")
        with refused:
            socket.startTls()
        await socket.close()
        return answer

    assert tls_run(trusted, work, encrypted=True) == b"HELLO\n"


def test_start_tls_goes_on_encrypted(trusted: Path) -> None:
    async def work(port: int) -> Any:
        plain = Sockets().connect(f"127.0.0.1:{port}", secureTransport="starttls")
        first = await said(plain, b"hello\n")
        go = await said(plain, b"STARTTLS\n")
        secure = plain.startTls()
        await plain.closed
        second = await said(secure, b"again\n")
        with pytest.raises(JsException, match="startTls can only be called once"):
            plain.startTls()
        await secure.close()
        return first, go, second, secure.secureTransport

    assert tls_run(trusted, work, encrypted=False) == (b"HELLO\n", b"go\n", b"AGAIN\n", "on")


def test_a_certificate_that_is_not_trusted_is_refused(certificate: Path) -> None:
    async def work(port: int) -> Any:
        socket = Sockets().connect(f"127.0.0.1:{port}", secureTransport="on")
        return await rejection(socket.opened)

    name, _message = tls_run(certificate, work, encrypted=True)
    assert name == "Error"
