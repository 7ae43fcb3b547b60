"""What a client sees of a worker's answers, over a real socket."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import re

import brotli
import pytest
from serving import FakeIsolate, leave, parse, run, serving

from pyworkers.js.buffers import ArrayBuffer, Uint8Array
from pyworkers.js.headers import Headers
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject
from pyworkers.runtime.events import current_event
from pyworkers.runtime.limits import MESSAGE, CpuLimitExceeded
from pyworkers.server.access import AccessLog
from pyworkers.server.exchange import Exchange
from pyworkers.server.front import Front
from pyworkers.server.terminal import Output

TEXT = "text/plain;charset=UTF-8"


async def hello(_request: Request) -> Response:
    return Response.js_new("hello")


def answer(**fields: object) -> Response:
    body = fields.pop("body", None)
    return Response.js_new(body, JsObject(fields))


def dechunk(body: bytes) -> bytes:
    """Join the chunks of a chunked body."""
    whole = b""
    while not body.startswith(b"0\r\n"):
        size, _, rest = body.partition(b"\r\n")
        whole, body = whole + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return whole


async def describe(request: Request) -> Response:
    """What the worker sees of its request."""
    lines = [request.method, request.url, *(f"{name}: {value}" for name, value in request.headers)]
    if request.has_body:
        lines.append(await request.text())
    return Response.js_new("\n".join(lines))


def test_a_text_answer_has_its_length_and_type() -> None:
    async def main() -> None:
        async with serving(hello) as served:
            status, headers, body = await served.request("GET", "/x?y=1")
        assert (status, body) == (200, b"hello")
        assert headers == {"content-length": "5", "content-type": TEXT}

    run(main())


def test_head_has_the_headers_and_no_body() -> None:
    async def main() -> None:
        async with serving(hello) as served:
            assert await served.request("HEAD", "/") == (200, {"content-type": TEXT}, b"")

    run(main())


def test_head_keeps_the_length_that_the_worker_gave() -> None:
    async def handler(_request: Request) -> Response:
        return answer(headers=JsObject({"content-length": "42"}))

    async def main() -> None:
        async with serving(handler) as served:
            assert (await served.request("HEAD", "/"))[1]["content-length"] == "42"
            assert (await served.request("GET", "/"))[1]["content-length"] == "0"

    run(main())


@pytest.mark.parametrize("status", [204, 304])
def test_a_null_body_status_has_no_length(status: int) -> None:
    async def handler(_request: Request) -> Response:
        return answer(status=status)

    async def main() -> None:
        async with serving(handler) as served:
            assert await served.request("GET", "/") == (status, {}, b"")

    run(main())


def test_set_cookie_headers_stay_apart() -> None:
    async def handler(_request: Request) -> Response:
        headers = Headers()
        headers.append("Set-Cookie", "a=1")
        headers.append("Set-Cookie", "b=2")
        return answer(body="x", headers=headers)

    async def main() -> None:
        async with serving(handler) as served:
            reply = await served.raw(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert [line for line in reply.split(b"\r\n") if line.startswith(b"Set-Cookie")] == [
            b"Set-Cookie: a=1",
            b"Set-Cookie: b=2",
        ]

    run(main())


def test_a_stream_of_unknown_length_is_chunked() -> None:
    async def handler(_request: Request) -> Response:
        async def chunks():  # type: ignore[no-untyped-def]
            yield b"ab"
            yield b""
            yield b"cd"

        return Response(ReadableStream.of_async_iterator(chunks()))

    async def main() -> None:
        async with serving(handler) as served:
            _, headers, body = await served.request("GET", "/")
        assert headers["transfer-encoding"] == "chunked"
        assert body == b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"

    run(main())


def test_a_stream_of_known_length_is_not_chunked() -> None:
    async def handler(_request: Request) -> Response:
        async def chunks():  # type: ignore[no-untyped-def]
            yield b"ab"
            yield b"cd"

        return Response(ReadableStream.of_async_iterator(chunks(), length=4))

    async def main() -> None:
        async with serving(handler) as served:
            _, headers, body = await served.request("GET", "/")
        assert (headers["content-length"], body) == ("4", b"abcd")

    run(main())


def test_a_stream_that_fails_at_once_is_an_empty_body() -> None:
    async def handler(_request: Request) -> Response:
        async def chunks():  # type: ignore[no-untyped-def]
            raise ValueError("stream boom")
            yield b""

        return Response(ReadableStream.of_async_iterator(chunks()))

    async def main() -> None:
        async with serving(handler) as served:
            status, _, body = await served.request("GET", "/")
        assert (status, body) == (200, b"0\r\n\r\n")
        assert "ValueError: stream boom" in served.text

    run(main())


def test_a_stream_that_fails_later_ends_as_if_it_were_whole() -> None:
    async def handler(_request: Request) -> Response:
        async def chunks():  # type: ignore[no-untyped-def]
            yield b"ab"
            raise ValueError("stream boom")

        return Response(ReadableStream.of_async_iterator(chunks()))

    async def main() -> None:
        async with serving(handler) as served:
            _, _, body = await served.request("GET", "/")
        assert body == b"2\r\nab\r\n0\r\n\r\n"
        assert served.text.startswith("GET / 200 cut off (")
        assert served.text.splitlines()[-1] == "    ValueError: stream boom"
        assert "ASGI" not in served.text

    run(main())


def test_a_body_that_was_read_is_a_worker_error() -> None:
    async def handler(_request: Request) -> Response:
        response = Response.js_new("x")
        await response.text()
        return response

    async def main() -> None:
        async with serving(handler) as served:
            status, _, body = await served.request("GET", "/")
        assert status == 500
        assert body.startswith(b"TypeError: Body has already been used.")

    run(main())


def test_an_exception_is_a_500_with_the_traceback() -> None:
    async def handler(_request: Request) -> Response:
        raise ValueError("worker boom <b>&")

    async def main() -> None:
        async with serving(handler) as served:
            status, headers, body = await served.request("GET", "/")
            page = await served.request("GET", "/", "Accept: text/html,*/*")
        assert (status, headers["content-type"]) == (500, TEXT)
        text = dechunk(body)
        assert text.startswith(b"Traceback (most recent call last):\n")
        assert text.endswith(b"ValueError: worker boom <b>&\n")
        assert page[1]["content-type"] == "text/html;charset=utf-8"
        assert b"<title>An error has occurred</title>" in page[2]
        assert b"<h1>ValueError: worker boom &lt;b&gt;&amp;</h1>" in page[2]

    run(main())


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        ("", "text/html;charset=utf-8"),
        ("Mozilla/5.0", "text/html;charset=utf-8"),
        *[(agent, TEXT) for agent in ("curl/8.1", "python-httpx/0.28", "Python/3.11 aiohttp/3.9")],
    ],
)
def test_who_takes_any_type_gets_the_page_and_tools_the_text(agent: str, kind: str) -> None:
    async def handler(_request: Request) -> Response:
        raise ValueError("worker boom")

    async def main() -> None:
        async with serving(handler) as served:
            _, headers, _ = await served.request("GET", "/", "Accept: */*", f"User-Agent: {agent}")
        assert headers["content-type"] == kind

    run(main())


def test_a_javascript_error_is_shown_by_name_and_message() -> None:
    async def handler(_request: Request) -> Response:
        raise JsException("TypeError", "Incorrect type for Promise: the Promise did not resolve to 'Response'.")

    async def main() -> None:
        async with serving(handler) as served:
            _, _, body = await served.request("GET", "/")
        first = body.split(b"\n")[0].decode()
        assert first == "TypeError: Incorrect type for Promise: the Promise did not resolve to 'Response'."

    run(main())


def test_a_handler_that_overran_its_time_is_error_1102() -> None:
    async def handler(_request: Request) -> Response:
        raise CpuLimitExceeded(MESSAGE)

    async def main() -> None:
        async with serving(handler) as served:
            status, _, body = await served.request("GET", "/")
        assert (status, body) == (503, b"error code: 1102\nWorker exceeded CPU time limit.\n")

    run(main())


def test_what_the_worker_sees_of_a_request() -> None:
    async def main() -> None:
        async with serving(describe) as served:
            _, _, body = await served.request("GET", "/a%20b/ü?x=1#frag", "Accept-Encoding: zstd", "TE: trailers")
        assert body.decode().split("\n") == [
            "GET",
            "http://test.local/a%20b/%C3%BC?x=1",
            "accept-encoding: br, gzip",
            "cf-connecting-ip: 127.0.0.1",
            "host: test.local",
        ]

    run(main())


def test_a_client_may_set_its_own_cf_headers() -> None:
    async def main() -> None:
        async with serving(describe) as served:
            _, _, body = await served.request("GET", "/", "CF-Connecting-IP: 1.2.3.4", "CF-Ray: abc")
        assert "cf-connecting-ip: 1.2.3.4\ncf-ray: abc" in body.decode()

    run(main())


def test_a_post_that_announces_no_body_has_none_in_the_bare_runtime() -> None:
    async def main() -> None:
        async with serving(describe, front=Front(is_wrangler=False)) as served:
            _, _, body = await served.request("POST", "/", "TE: trailers")
        assert body.decode().split("\n")[2:] == [
            "accept-encoding: br, gzip",
            "cf-connecting-ip: 127.0.0.1",
            "connection: close",
            "host: test.local",
            "te: trailers",
        ]

    run(main())


def test_cf_may_be_set_and_tells_what_the_client_accepts() -> None:
    async def handler(request: Request) -> Response:
        cf = request.cf
        return Response.js_new(f"{cf.country} {cf.colo} {cf.httpProtocol} {cf.clientAcceptEncoding}")

    async def main() -> None:
        async with serving(handler, front=Front(cf={"country": "DE"})) as served:
            _, _, body = await served.request("GET", "/", "Accept-Encoding: zstd, deflate")
        assert body == b"DE DFW HTTP/1.1 zstd, deflate"

    run(main())


def test_trailers_are_ignored() -> None:
    async def main() -> None:
        async with serving(describe) as served:
            reply = await served.raw(
                b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"3\r\nabc\r\n0\r\nX-T: v\r\n\r\n"
            )
        assert b"x-t" not in reply
        assert reply.endswith(b"\nabc")

    run(main())


def test_a_worker_spells_its_own_headers_and_the_runtime_those_it_knows() -> None:
    async def handler(_request: Request) -> Response:
        headers = Headers()
        for name in ("x-lower", "X-Mixed-cAse", "etag", "CACHE-CONTROL", "x-mixed-CASE"):
            headers.append(name, name)
        return answer(body="x", headers=headers)

    async def main() -> None:
        async with serving(handler) as served:
            reply = await served.raw(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert reply.split(b"\r\n") == [
            b"HTTP/1.1 200 OK",
            b"Content-Length: 1",
            b"Content-Type: text/plain;charset=UTF-8",
            b"Cache-Control: CACHE-CONTROL",
            b"ETag: etag",
            b"X-Mixed-cAse: X-Mixed-cAse",
            b"X-Mixed-cAse: x-mixed-CASE",
            b"x-lower: x-lower",
            b"",
            b"x",
        ]

    run(main())


@pytest.mark.parametrize(
    ("accept", "sent"),
    [
        ("br", "br"),
        ("gzip;q=0.5, br;q=1", "br"),
        ("gzip, br", "gzip"),
        ("zstd, deflate", None),
        ("identity, gzip", None),
        ("*", None),
    ],
)
@pytest.mark.parametrize("given", [None, "gzip", "br"])
def test_what_the_client_accepts_decides_the_encoding(accept: str, sent: str | None, given: str | None) -> None:
    async def handler(_request: Request) -> Response:
        return answer(body="hello " * 100, headers=JsObject({"content-encoding": given} if given else {}))

    async def main() -> None:
        async with serving(handler) as served:
            _, headers, body = await served.request("GET", "/", f"Accept-Encoding: {accept}")
        assert headers.get("content-encoding") == sent
        whole = dechunk(body) if "transfer-encoding" in headers else body
        plain = {"gzip": gzip.decompress, "br": brotli.decompress, None: bytes}[sent](whole)
        assert plain == b"hello " * 100

    run(main())


def test_a_body_that_the_worker_encoded_is_decoded_for_who_does_not_accept_it() -> None:
    packed = gzip.compress(b"packed")

    async def handler(_request: Request) -> Response:
        return answer(
            body=Uint8Array(ArrayBuffer(packed)), encodeBody="manual", headers=JsObject({"content-encoding": "gzip"})
        )

    async def main() -> None:
        async with serving(handler) as served:
            as_it_is = await served.request("GET", "/", "Accept-Encoding: gzip")
            plain = await served.request("GET", "/", "Accept-Encoding: identity")
        assert (as_it_is[1]["content-length"], as_it_is[2]) == (str(len(packed)), packed)
        assert (plain[1].get("content-encoding"), dechunk(plain[2])) == (None, b"packed")

    run(main())


@pytest.mark.parametrize("content_type", ["image/png", "text/event-stream"])
def test_what_the_edge_does_not_compress_is_left_alone(content_type: str) -> None:
    async def handler(_request: Request) -> Response:
        return answer(body="x" * 1000, headers=JsObject({"content-type": content_type}))

    async def main() -> None:
        async with serving(handler) as served:
            _, headers, _ = await served.request("GET", "/", "Accept-Encoding: gzip")
        assert headers == {"content-length": "1000", "content-type": content_type}

    run(main())


def test_a_client_that_refuses_the_plain_form_too_is_415() -> None:
    async def main() -> None:
        async with serving(hello) as served:
            status, headers, body = await served.request("GET", "/", "Accept-Encoding: zstd, identity;q=0")
        assert (status, headers["accept-encoding"], body) == (415, "br, gzip", b"Unsupported Media Type")

    run(main())


def test_a_post_without_a_body_has_an_empty_one() -> None:
    async def main() -> None:
        async with serving(describe) as served:
            _, _, body = await served.request("POST", "/")
        assert body.decode().split("\n")[2:] == [
            "accept-encoding: br, gzip",
            "cf-connecting-ip: 127.0.0.1",
            "content-length: 0",
            "host: test.local",
            "",
        ]

    run(main())


def test_a_chunked_request_arrives_whole() -> None:
    async def main() -> None:
        async with serving(describe) as served:
            reply = await served.raw(
                b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
            )
        assert reply.endswith(b"\nhello world")

    run(main())


def test_a_large_request_body_is_streamed() -> None:
    sizes: list[int] = []

    async def handler(request: Request) -> Response:
        body = request.take_body()
        assert isinstance(body, ReadableStream)
        sizes.extend([len(chunk) async for chunk in body.chunks()])
        return Response.js_new(str(sum(sizes)))

    async def main() -> None:
        async with serving(handler) as served:
            _, _, body = await served.request("POST", "/", body=b"x" * 3_000_000)
        assert body == b"3000000"
        assert max(sizes) < 1_000_000

    run(main())


def test_an_answer_may_come_before_the_body_was_read() -> None:
    async def main() -> None:
        async with serving(hello) as served:
            reader, writer = await served.connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n" + b"y" * 300_000)
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            for _ in range(2):
                assert b" 200 OK" in await reader.readline()
                assert (await reader.readuntil(b"hello")).endswith(b"\r\n\r\nhello")
            await leave(writer)

    run(main())


def test_expect_continue_needs_no_answer_where_the_body_has_come() -> None:
    async def main() -> None:
        async with serving(describe) as served:
            reader, writer = await served.connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nok")
            assert b" 200 OK" in await reader.readline()
            await leave(writer)

    run(main())


def test_expect_continue_is_answered_when_the_worker_reads() -> None:
    async def main() -> None:
        async with serving(describe) as served:
            reader, writer = await served.connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"ok")
            assert b" 200 OK" in await reader.readline()
            await leave(writer)

    run(main())


def test_pipelined_requests_are_answered_in_order() -> None:
    async def handler(request: Request) -> Response:
        return Response.js_new(request.url[-1])

    async def main() -> None:
        async with serving(handler) as served:
            first = b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
            reply = await served.raw(first + b"GET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert reply.index(b"\r\n\r\n1") < reply.index(b"\r\n\r\n2")

    run(main())


def test_a_worker_that_says_gzip_is_compressed_for() -> None:
    async def handler(_request: Request) -> Response:
        return answer(body="hello hello", headers=JsObject({"content-encoding": "gzip"}))

    async def main() -> None:
        async with serving(handler) as served:
            _, headers, body = await served.request("GET", "/", "Accept-Encoding: gzip")
            plain = await served.request("GET", "/", "Accept-Encoding: identity")
        assert headers["content-encoding"] == "gzip"
        assert gzip.decompress(dechunk(body)) == b"hello hello"
        assert (plain[1].get("content-encoding"), dechunk(plain[2])) == (None, b"hello hello")

    run(main())


@pytest.mark.parametrize("method", ["FOO", "get", "LINK"])
def test_a_method_that_does_not_exist_is_501(method: str) -> None:
    async def main() -> None:
        async with serving(hello) as served:
            status, headers, body = await served.request(method, "/")
        assert (status, body) == (501, b"ERROR: Unrecognized request method.")
        assert headers["connection"] == "close"

    run(main())


def test_connect_is_not_for_workers() -> None:
    async def main() -> None:
        async with serving(hello) as served:
            answer = await served.request("CONNECT", "/")
        assert answer == (500, {"connection": "close", "content-length": "21"}, b"Internal Server Error")

    run(main())


@pytest.mark.parametrize(
    ("data", "status", "text"),
    [
        (b"\x16\x03\x01\x02\r\n\r\n", 501, "Unrecognized request method."),
        (b"FOO / HTTP/1.1\r\n\r\n", 501, "Unrecognized request method."),
        (b"GET / HTTP/1.1\r\nHost: h\r\nNo colon\r\n\r\n", 400, "The headers sent by your client are not valid."),
    ],
)
def test_bytes_that_are_no_http_are_refused_with_a_line_in_the_log(data: bytes, status: int, text: str) -> None:
    async def main() -> None:
        async with serving(hello) as served:
            answer = parse(await served.raw(data))
            assert (answer[0], answer[2].decode()) == (status, f"ERROR: {text}")
            await served.written(f" {status} refused: {text}\n")
            assert served.text.count("\n") == 1
            assert (await served.request("GET", "/"))[2] == b"hello"

    run(main())


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n",
        b"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    ],
    ids=["length", "lengths", "encoding", "chunk", "target", "host"],
)
def test_a_request_that_cannot_be_a_workers_is_500(data: bytes) -> None:
    async def main() -> None:
        async with serving(hello) as served:
            answer = parse(await served.raw(data))
            assert answer == (500, {"connection": "close", "content-length": "21"}, b"Internal Server Error")
            assert (await served.request("GET", "/"))[2] == b"hello"

    run(main())


@pytest.mark.parametrize(
    ("data", "last"),
    [
        (b"FOO / HTTP/1.1\r\nHost: h\r\n\r\n", b"ERROR: Unrecognized request method."),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"ERROR: The headers sent by your client are not valid."),
    ],
    ids=["method", "header"],
)
def test_an_invalid_request_is_refused_after_the_answers_before_it(data: bytes, last: bytes) -> None:
    async def main() -> None:
        async with serving(hello) as served:
            reply = await served.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" + data)
        assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
        assert reply.endswith(last)

    run(main())


def test_a_request_without_a_host_is_400() -> None:
    async def main() -> None:
        async with serving(hello) as served:
            answer = parse(await served.raw(b"GET /x HTTP/1.1\r\nConnection: close\r\n\r\n"))
        assert answer == (400, {"content-length": "11"}, b"Bad Request")
        assert served.text.startswith("GET /x 400 (")

    run(main())


@pytest.mark.parametrize("size", [131_073, 200_000, 10_000_000])
@pytest.mark.parametrize("end", [b"\r\n\r\n", b""])
def test_headers_beyond_128_kb_are_431_however_they_arrive(size: int, end: bytes) -> None:
    async def main() -> None:
        async with serving(hello) as served:
            reply = await served.raw(b"GET /big HTTP/1.1\r\nHost: h\r\nX: " + b"a" * size + end)
            assert parse(reply) == (
                431,
                {"connection": "close", "content-length": "33", "content-type": "text/plain"},
                b"ERROR: Request headers too large.",
            )
            await served.written("GET /big 431 refused: Request headers too large.\n")
            assert (await served.request("GET", "/"))[2] == b"hello"

    run(main())


def test_a_path_beyond_128_kb_is_431() -> None:
    async def main() -> None:
        async with serving(hello) as served:
            reply = await served.raw(b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n")
            assert parse(reply)[0] == 431
            await served.written("aaa... 431 refused: Request headers too large.\n")

    run(main())


def test_headers_of_128_kb_are_taken_in_one_read_and_in_many() -> None:
    async def main() -> None:
        async with serving(hello) as served:
            head = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: " + b"a" * 130_000 + b"\r\n\r\n"
            assert parse(await served.raw(head))[2] == b"hello"
            reader, writer = await served.connect()
            for start in range(0, len(head), 10_000):
                writer.write(head[start : start + 10_000])
                await writer.drain()
            assert (await reader.read()).endswith(b"hello")
            await leave(writer)

    run(main())


def test_a_large_body_and_the_next_request_in_one_read_are_no_large_header() -> None:
    async def main() -> None:
        async with serving(describe) as served:
            post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
            reader, writer = await served.connect()
            writer.write(post + b"GET /next HTTP/1.1\r\nHost: h\r\n")
            assert b" 200 OK" in await reader.readline()
            writer.write(b"Connection: close\r\n\r\n")
            assert b"GET\nhttp://h/next" in await reader.read()
            await leave(writer)

    run(main())

    run(main())


def test_a_client_that_leaves_ends_its_handler() -> None:
    ended = asyncio.Event()
    started = asyncio.Event()

    async def handler(_request: Request) -> Response:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    async def main() -> None:
        async with serving(handler) as served:
            _, writer = await served.connect()
            writer.write(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            await started.wait()
            await leave(writer)
            await asyncio.wait_for(ended.wait(), 120)
        assert served.text.startswith("GET /wait client left (")

    run(main())


def test_a_client_that_leaves_mid_upload_ends_its_handler() -> None:
    ended = asyncio.Event()
    started = asyncio.Event()

    async def handler(request: Request) -> Response:
        started.set()
        try:
            await request.bytes()
        finally:
            ended.set()
        raise AssertionError

    async def main() -> None:
        async with serving(handler) as served:
            _, writer = await served.connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc")
            await started.wait()
            await leave(writer)
            await asyncio.wait_for(ended.wait(), 120)

    run(main())


def test_a_client_that_leaves_ends_its_stream_within_one_chunk() -> None:
    ended = asyncio.Event()
    more = asyncio.Event()
    produced: list[int] = []

    async def handler(_request: Request) -> Response:
        async def chunks():  # type: ignore[no-untyped-def]
            try:
                for number in range(1000):
                    produced.append(number)
                    yield b"data: %d\n\n" % number
                    await more.wait()
            finally:
                ended.set()

        return Response(ReadableStream.of_async_iterator(chunks()))

    async def main() -> None:
        async with serving(handler) as served:
            reader, writer = await served.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await reader.readuntil(b"data: 0\n\n")
            await leave(writer)
            await asyncio.wait_for(ended.wait(), 120)
        assert produced == [0]

    run(main())


def test_a_slow_client_slows_its_stream_down() -> None:
    produced: list[int] = []

    async def handler(_request: Request) -> Response:
        async def chunks():  # type: ignore[no-untyped-def]
            for number in range(1000):
                produced.append(number)
                yield b"x" * 100_000

        return Response(ReadableStream.of_async_iterator(chunks()))

    async def main() -> None:
        async with serving(handler) as served:
            reader, writer = await served.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            before = -1
            while before != len(produced):  # until nothing moves any more
                before = len(produced)
                await asyncio.sleep(0.05)
            assert len(produced) < 200
            await leave(writer)

    run(main())


def test_stopping_answers_the_requests_that_are_open() -> None:
    started = asyncio.Event()

    async def handler(_request: Request) -> Response:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        async with serving(handler) as served:
            reader, writer = await served.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await started.wait()
        reply = await reader.read()
        assert reply.startswith(b"HTTP/1.1 503 ")
        assert reply.endswith(b"\r\n\r\nThe server is stopping.\n")
        await leave(writer)

    run(main())


def test_stopping_cuts_the_streams_that_are_open_without_a_word_of_the_servers_own() -> None:
    async def handler(_request: Request) -> Response:
        async def chunks():  # type: ignore[no-untyped-def]
            yield b"ab"
            await asyncio.Event().wait()

        return Response(ReadableStream.of_async_iterator(chunks()))

    async def main() -> None:
        async with serving(handler) as served:
            reader, writer = await served.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await reader.readuntil(b"\r\nab\r\n")
        assert await reader.read() == b""
        await leave(writer)
        assert re.fullmatch(r"GET / 200 cut off \(\d+(\.\d)? ms\)\n", served.text)

    run(main())


def test_a_stream_is_part_of_its_event_until_it_ends() -> None:
    async def main() -> None:
        log = AccessLog(Output(io.StringIO()), several=False)
        scope = {"method": "GET", "raw_path": b"/", "query_string": b"", "headers": []}
        exchange = Exchange(scope, ignore, log, full_tracebacks=False)
        event = exchange.open(FakeIsolate(hello))  # type: ignore[arg-type]  # a fake
        exchange.on_stream()
        assert current_event() is event
        exchange.finish()
        assert current_event() is None  # the task goes on to the connection's next request

    async def ignore(_message: object) -> None:
        return

    run(main())


def test_a_request_is_freed_with_its_answer() -> None:
    async def main() -> None:
        async with serving(hello) as served:
            gc.collect()
            gc.disable()
            try:
                await served.request("GET", "/")
                left = [found for found in gc.get_objects() if type(found) is Exchange]
            finally:
                gc.enable()
            assert not left

    run(main())


EXPECTING = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"


def test_an_answer_before_the_word_to_send_the_body_closes_the_connection() -> None:
    """Curl and Java's client send their next request in the place of the body."""

    async def main() -> None:
        async with serving(hello) as served:
            reader, writer = await served.connect()
            writer.write(EXPECTING)
            status, headers, body = parse(await reader.read())
            assert (status, headers["connection"], body) == (200, "close", b"hello")
            await leave(writer)

    run(main())


def test_an_answer_made_of_a_body_that_waits_for_word_is_whole() -> None:
    async def handler(request: Request) -> Response:
        return Response.js_new(request.body)

    async def main() -> None:
        async with serving(handler) as served:
            reader, writer = await served.connect()
            writer.write(EXPECTING)
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"helloGET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            head, _, rest = (await reader.read()).partition(b"\r\n\r\n")
            assert head == b"HTTP/1.1 200 OK\r\nContent-Length: 5"
            assert rest.startswith(b"helloHTTP/1.1 200 OK\r\n")
            await leave(writer)

    run(main())


def test_a_worker_that_does_not_read_a_small_body_does_not_wait_for_it() -> None:
    async def main() -> None:
        async with serving(hello) as served:
            reader, writer = await served.connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 OK\r\n")
            writer.write(b"abcdeGET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
            await leave(writer)

    run(main())
