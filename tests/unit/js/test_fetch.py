from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import pytest

from pyworkers.js.abort import AbortController
from pyworkers.js.data_url import parse_data_url
from pyworkers.js.decoding import decoded
from pyworkers.js.fetch import fetch
from pyworkers.js.headers import Headers
from pyworkers.js.outbound import HttpxOutbound
from pyworkers.js.realm import REALM, Realm
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject

Received = tuple[str, dict[str, str], bytes]
Handler = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]
LOST = "Network connection lost."


class Loopback:
    """A small HTTP/1.1 server: `handler` writes the raw answer, `received` holds what came."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.received: list[Received] = []

    async def __aenter__(self) -> Loopback:
        self.tasks: set[asyncio.Task[None]] = set()
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while line := await reader.readline():
                request = await self.read(line, reader)
                self.received.append(request)
                await self.handler(request, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def read(self, line: bytes, reader: asyncio.StreamReader) -> Received:
        headers = {}
        while (header := (await reader.readline()).strip()) != b"":
            name, _, value = header.decode("latin-1").partition(": ")
            headers[name.lower()] = value
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        elif "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
        return line.decode().rsplit(" ", 1)[0], headers, body


def answer(body: bytes = b"", *, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def with_server(handler: Handler, test: Callable[[Loopback], Awaitable[None]]) -> Loopback:
    """Run `test` with `fetch` bound to the network, and give the server that it talked to."""
    loopback = Loopback(handler)

    async def main() -> None:
        async with loopback, HttpxOutbound() as outbound:
            REALM.set(Realm(outbound=outbound))
            await asyncio.wait_for(test(loopback), 120)

    asyncio.run(main())
    return loopback


async def rejection(promise: Awaitable[object]) -> JsException:
    with pytest.raises(JsException) as caught:
        await promise
    return caught.value


def test_a_request_goes_out_and_its_answer_comes_back():
    async def handler(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"hello", status="201 Made", headers="X-A: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"))

    async def test(server: Loopback) -> None:
        headers = JsObject({"X-B": "2", "Connection": "close", "Host": "evil", "Transfer-Encoding": "x"})
        response = await fetch(server.url + "/p?q=1#frag", method="POST", body="data", headers=headers)
        assert (response.status, response.statusText, response.ok) == (201, "Made", True)
        assert (response.url, response.redirected) == (server.url + "/p?q=1", False)
        assert [list(pair) for pair in response.headers] == [
            ["content-length", "5"],
            ["set-cookie", "a"],
            ["set-cookie", "b"],
            ["x-a", "1"],
        ]
        with pytest.raises(JsException, match="Can't modify immutable headers"):
            response.headers.set("a", "b")
        assert response.body_length == 5
        assert await response.text() == "hello"

    server = with_server(handler, test)
    ((line, headers, body),) = server.received
    assert (line, body) == ("POST /p?q=1", b"data")
    assert headers.pop("accept-encoding").endswith("gzip")
    assert headers == {
        "host": server.url[7:],
        "content-length": "4",
        "content-type": "text/plain;charset=UTF-8",
        "x-b": "2",
    }


def test_bodies_stream_both_ways():
    async def parts():
        yield b"one"
        yield b"two"

    async def handler(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for chunk in (request[2], b"more"):
            writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    async def test(server: Loopback) -> None:
        stream = ReadableStream.of_async_iterator(parts())
        response = await fetch(server.url, method="PUT", body=stream)
        assert response.body_length is None
        assert [list(pair) for pair in response.headers] == []
        assert await response.text() == "onetwomore"

    server = with_server(handler, test)
    assert (server.received[0][1]["transfer-encoding"], server.received[0][2]) == ("chunked", b"onetwo")


def redirecting(statuses: dict[str, tuple[int, str]]) -> Handler:
    async def handler(request: Received, writer: asyncio.StreamWriter) -> None:
        path = request[0].split(" ")[1]
        if path in statuses:
            status, location = statuses[path]
            writer.write(answer(b"moved", status=f"{status} R", headers=f"Location: {location}\r\n"))
        else:
            writer.write(answer(b"end"))

    return handler


def test_redirects_are_followed():
    async def test(server: Loopback) -> None:
        response = await fetch(server.url + "/a", method="POST", body="x", headers=JsObject({"authorization": "s"}))
        assert (response.url, response.redirected, await response.text()) == (server.url + "/d", True, "end")

    server = with_server(redirecting({"/a": (307, "b"), "/b": (302, "/c"), "/c": (308, "d")}), test)
    assert [(line, body) for line, _headers, body in server.received] == [
        ("POST /a", b"x"),
        ("POST /b", b"x"),
        ("GET /c", b""),
        ("GET /d", b""),
    ]
    assert all(headers["authorization"] == "s" for _line, headers, _body in server.received)


def test_redirects_are_given_back_in_manual_mode():
    async def test(server: Loopback) -> None:
        response = await fetch(server.url + "/a", redirect="manual")
        assert (response.status, response.redirected, response.headers.get("location")) == (302, False, "/b")
        assert await response.text() == "moved"

    with_server(redirecting({"/a": (302, "/b")}), test)


def test_redirects_end_after_twenty():
    async def test(server: Loopback) -> None:
        error = await rejection(fetch(server.url + "/a"))
        urls = ", ".join([server.url + "/a"] * 21)
        assert (error.name, error.message) == ("TypeError", f"Too many redirects.{urls}")

    assert len(with_server(redirecting({"/a": (302, "/a")}), test).received) == 21


def test_a_wrong_location_cannot_be_followed():
    async def test(server: Loopback) -> None:
        error = await rejection(fetch(server.url + "/a"))
        assert error.message == "Invalid Location header; unable to follow redirect."

    with_server(redirecting({"/a": (302, "http://[")}), test)


def test_a_compressed_answer_is_decoded_unless_manual():
    packed = gzip.compress(b"hello " * 100)

    async def handler(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(packed, headers="Content-Encoding: gzip\r\n"))

    async def test(server: Loopback) -> None:
        response = await fetch(server.url)
        assert (response.headers.get("content-encoding"), response.body_length) == ("gzip", None)
        assert await response.text() == "hello " * 100
        raw = await fetch(server.url, encodeResponseBody="manual")
        assert (await raw.bytes()).to_bytes() == packed

    with_server(handler, test)


def test_head_and_204_have_no_body_and_the_connection_is_used_again():
    async def handler(request: Received, writer: asyncio.StreamWriter) -> None:
        head = request[0].startswith("HEAD")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" if head else b"HTTP/1.1 204 No Content\r\n\r\n")

    async def test(server: Loopback) -> None:
        for method in ("HEAD", "GET", "HEAD"):
            response = await fetch(server.url, method=method)
            assert (response.has_body, await response.text()) == (False, "")
        assert len(server.tasks) == 1

    with_server(handler, test)


def test_an_aborted_signal_stops_before_anything_is_sent():
    async def test(server: Loopback) -> None:
        controller = AbortController()
        controller.abort()
        error = await rejection(fetch(server.url, signal=controller.signal))
        assert (error.name, error.message) == ("AbortError", "The operation was aborted")

    assert with_server(redirecting({}), test).received == []


def test_abort_ends_a_request_that_waits_for_its_answer():
    async def test(server: Loopback) -> None:
        controller = AbortController()
        promise = fetch(server.url, signal=controller.signal)
        await asyncio.wait_for(arrived.wait(), 120)
        controller.abort(JsException("Error", "enough"))
        assert (await rejection(promise)).message == "enough"

    arrived = asyncio.Event()

    async def handler(_request: Received, _writer: asyncio.StreamWriter) -> None:
        arrived.set()

    with_server(handler, test)


def test_abort_ends_a_body_that_is_being_read():
    async def handler(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")

    async def test(server: Loopback) -> None:
        controller = AbortController()
        response = await fetch(server.url, signal=controller.signal)
        reader = response.body.getReader()
        assert (await reader.read()).value.to_bytes() == b"part"
        promise = reader.read()
        asyncio.get_running_loop().call_soon(controller.abort)
        assert (await rejection(promise)).name == "AbortError"

    with_server(handler, test)


def test_a_cancelled_body_closes_its_connection():
    async def handler(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")

    async def test(server: Loopback) -> None:
        response = await fetch(server.url)
        reader = response.body.getReader()
        await reader.read()
        await reader.cancel()
        await asyncio.gather(*server.tasks)  # the server's side ends when the client closes

    with_server(handler, test)


def test_a_lost_connection_is_the_platforms_error():
    async def handler(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")
        await writer.drain()
        writer.close()

    async def test(server: Loopback) -> None:
        response = await fetch(server.url)
        assert (await rejection(response.text())).message == LOST
        server.server.close()
        error = await rejection(fetch(server.url))
        assert (error.name, error.message, error.retryable) == ("Error", LOST, True)

    with_server(handler, test)


def test_no_store_asks_caches_to_stay_out():
    async def test(server: Loopback) -> None:
        await (await fetch(server.url, cache="no-store", headers=JsObject({"pragma": "x"}))).text()

    _line, headers, _body = with_server(redirecting({}), test).received[0]
    assert (headers["cache-control"], headers["pragma"]) == ("no-cache", "x")


def test_what_the_request_constructor_refuses_rejects_the_promise():
    async def main() -> None:
        assert (await rejection(fetch("not a url"))).message == "Invalid URL: not a url"
        assert (await rejection(fetch())).message == (
            "Failed to construct 'Request': constructor parameter 1 is not of type 'Request or string'."
        )
        assert (await rejection(fetch("ftp://x/"))).message == "Fetch API cannot load: ftp://x/"

    asyncio.run(main())


def test_a_request_given_to_fetch_is_used_up():
    seen = []

    async def outbound(request: Request) -> Response:
        seen.append(await request.text())
        return Response(b"ok", headers=Headers())

    async def main() -> None:
        REALM.set(Realm(outbound=outbound))
        request = Request.js_new("http://x", JsObject({"method": "POST", "body": "b"}))
        response = await fetch(request)
        assert (await response.text(), request.bodyUsed, seen) == ("ok", True, ["b"])

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "data", "type_"),
    [
        ("data:,a%20b", b"a b", "text/plain;charset=US-ASCII"),
        ("data:text/html;charset=utf-8,<p>", b"<p>", "text/html;charset=utf-8"),
        ("data:;charset=x,a", b"a", "text/plain;charset=x"),
        ("data:text/plain;base64,aGk=", b"hi", "text/plain"),
        ("data:text/plain; BASE64,aG%0Ak", b"hi", "text/plain"),
        ("data:bad,x#frag", b"x", "text/plain;charset=US-ASCII"),
    ],
)
def test_a_data_url_is_answered_without_network(url, data, type_):
    async def main() -> None:
        response = await fetch(url)
        assert (response.status, response.headers.get("content-type"), response.url) == (200, type_, "")
        assert (await response.bytes()).to_bytes() == data
        assert (await fetch(url, method="POST")).has_body is False

    assert parse_data_url(url) == (data, type_)
    asyncio.run(main())


@pytest.mark.parametrize("url", ["data:text/plain", "data:;base64,a", "data:;base64,a=b="])
def test_a_wrong_data_url_is_a_type_error(url):
    async def main() -> None:
        assert (await rejection(fetch(url))).message == f"Fetch API cannot load: {url}"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0), b"ab"),
        (b"", "Gzip compressed stream ended prematurely."),
        (b"not gzip", "Gzip decompression failed."),
        (gzip.compress(b"abc", mtime=0) + b"junk", "Gzip decompression failed."),
        (gzip.compress(b"abc", mtime=0)[:-4], "Gzip compressed stream ended prematurely."),
    ],
)
def test_gzip_is_undone_at_any_split(data, outcome):
    async def bytewise():
        for byte in data:
            yield bytes([byte])

    async def main() -> bytes | str:
        try:
            return b"".join([chunk async for chunk in decoded(bytewise(), "gzip")])
        except JsException as error:
            return error.message

    assert asyncio.run(main()) == outcome
