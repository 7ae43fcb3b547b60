from __future__ import annotations

import asyncio

import pytest

from pyworkers.js.buffers import Uint8Array
from pyworkers.js.convert import create_proxy, to_js
from pyworkers.js.headers import Headers
from pyworkers.js.primitives import JsBigInt, jsnull
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject, JsProxy

R = Response.constructor
USED = "Body has already been used. It can only be used once. Use tee() first if you need to read it twice."
NULL_BODY = "Response with null body status (101, 204, 205, or 304) cannot have a body."
RANGE = "Responses may only be constructed with status codes in the range 200 to 599, inclusive."
TEXT = (b"content-type", b"text/plain;charset=UTF-8")


class WebSocket(JsProxy):
    """Stands for the real one, which is told by its name."""


def message_of(action, name="TypeError") -> str:
    with pytest.raises(JsException) as caught:
        action()
    assert caught.value.name == name
    return caught.value.message


async def rejection(promise) -> str:
    with pytest.raises(JsException) as caught:
        await promise
    return caught.value.message


def test_defaults():
    async def main() -> None:
        response = R.new()
        assert (response.status, response.statusText, response.type, response.url) == (200, "OK", "default", "")
        assert (response.redirected, response.body, response.bodyUsed, response.ok) == (False, jsnull, False, True)
        assert (response.webSocket, response.cf) == (jsnull, None)
        for _ in range(2):
            assert (await response.text(), response.bodyUsed) == ("", False)

    asyncio.run(main())


def test_a_plain_answer_makes_neither_headers_nor_a_stream():
    response = R.new("hi")
    assert (response.header_list(), response.body_source) == ([TEXT], b"hi")
    assert (response._headers, response._stream) == (None, None)


@pytest.mark.parametrize(
    ("given", "status", "text"),
    [
        (200, 200, "OK"),
        (599, 599, "Server Error"),
        ("201", 201, "Created"),
        (200.9, 200, "OK"),
        (299, 299, "Successful"),
        (404, 404, "Not Found"),
    ],
)
def test_the_status_is_a_number_with_a_text(given, status, text):
    response = R.new("x", status=given)
    assert (response.status, response.statusText) == (status, text)


@pytest.mark.parametrize("status", [199, 600, 0, "abc", 1000, -200, jsnull, 101])
def test_a_status_out_of_range_is_a_range_error(status):
    assert message_of(lambda: R.new("x", status=status), "RangeError") == RANGE


def test_a_null_body_status_takes_only_an_empty_body_in_memory():
    for status in (204, 205, 304):
        assert message_of(lambda status=status: R.new("x", status=status)) == NULL_BODY
    assert message_of(lambda: R.new(ReadableStream.of_bytes(b""), status=204)) == NULL_BODY
    for body in ("", None, jsnull, Uint8Array.of_bytes(b"")):
        response = R.new(body, status=204)
        assert (response.body, response.header_list()) == (jsnull, [])


@pytest.mark.parametrize(
    ("init", "message"),
    [
        (5, "Failed to construct 'Response': constructor parameter 2 is not of type 'InitializerDict or Response'."),
        ("s", "Failed to construct 'Response': constructor parameter 2 is not of type 'InitializerDict or Response'."),
        (
            JsObject({"headers": jsnull}),
            "Incorrect type for the 'headers' field on 'InitializerDict': the provided value is not of type "
            "'Headers or Sequence or object'.",
        ),
        (JsObject({"headers": to_js([["bad name", "v"]])}), "Invalid header name."),
        (JsObject({"encodeBody": "weird"}), "encodeBody: unexpected value: weird"),
        (JsObject({"statusText": "a\r\nb"}), "Invalid statusText"),
        (
            JsObject({"webSocket": JsObject()}),
            "Incorrect type for the 'webSocket' field on 'InitializerDict': the provided value is not of type "
            "'WebSocket'.",
        ),
    ],
)
def test_a_wrong_init_has_the_platforms_text(init, message):
    assert message_of(lambda: R.new("x", init)) == message


def test_undefined_and_null_init_are_defaults():
    for init in (None, jsnull, JsObject({"webSocket": jsnull})):
        assert R.new("x", init).header_list() == [TEXT]


def test_a_raw_python_dict_is_an_init():
    assert R.new("x", {"status": 404}).status == 404


def test_a_web_socket_needs_status_101():
    socket = WebSocket()
    response = R.new(None, status=101, webSocket=socket)
    assert (response.webSocket, response.statusText) == (socket, "Switching Protocols")
    assert message_of(lambda: R.new(None, webSocket=socket), "RangeError") == (
        "Responses with a WebSocket must have status code 101."
    )
    assert message_of(response.clone) == "Cannot clone a response to a WebSocket handshake."


def test_another_response_is_an_init():
    first = R.new("x", status=299, statusText="T", headers=[("a", "1"), ("content-type", "x/y")], encodeBody="manual")
    second = R.new("y", first)
    assert (second.status, second.statusText, second.encode_body) == (299, "T", "manual")
    assert second.header_list() == [(b"content-type", b"x/y"), (b"a", b"1")]
    second.headers.set("a", "2")
    assert first.headers.get("a") == "1"


def test_every_reader_gives_the_body():
    async def main() -> None:
        assert await R.new("é").text() == "é"
        assert (await R.new("abc").arrayBuffer()).to_bytes() == b"abc"
        assert (await R.new("abc").bytes()).to_bytes() == b"abc"
        blob = await R.new("abc").blob()
        assert (blob.type, blob.data) == ("text/plain;charset=UTF-8", b"abc")
        assert await R.new(Uint8Array.of_bytes(b"\xff")).text() == "\ufffd"
        assert await R.new(Uint8Array.of_bytes(b"\xef\xbb\xbfhi")).text() == "hi"
        assert await R.new("\ufeffhi").text() == "hi"
        assert await R.new("\ud800").text() == "\ufffd"
        assert await R.new(create_proxy(b"raw")).text() == "raw"

    asyncio.run(main())


def test_json_is_parsed_with_the_engines_errors():
    async def main() -> None:
        assert (await R.new('{"a":1}').json()).a == 1
        assert (await R.new('\ufeff{"a":1}').json()).a == 1
        assert await rejection(R.new("").json()) == "Unexpected end of JSON input"
        assert await rejection(R.new("{bad").json()) == (
            "Expected property name or '}' in JSON at position 1 (line 1 column 2)"
        )

    asyncio.run(main())


def test_a_body_is_read_once():
    async def main() -> None:
        response = R.new("x")
        assert await response.text() == "x"
        for method in ("text", "json", "bytes", "arrayBuffer", "blob", "formData"):
            assert await rejection(getattr(response, method)()) == USED
        assert message_of(response.clone) == "This ReadableStream is currently locked to a reader,"
        assert (response.bodyUsed, response.body.locked) == (True, True)
        assert message_of(response.take_body) == USED

    asyncio.run(main())


def test_a_locked_body_is_not_used():
    async def main() -> None:
        response = R.new("x")
        response.body.getReader()
        assert await rejection(response.text()) == "This ReadableStream is currently locked to a reader."
        assert response.bodyUsed is False

    asyncio.run(main())


def test_what_reads_the_stream_uses_the_body():
    async def main() -> None:
        response = R.new("x")
        stream = response.body
        assert await R.new(stream).text() == "x"
        assert response.body is stream
        assert response.bodyUsed is True
        assert await rejection(response.text()) == USED

    asyncio.run(main())


def test_a_touched_but_unread_body_still_reads():
    async def main() -> None:
        response = R.new("x")
        assert response.body.locked is False
        assert await response.text() == "x"
        assert (response.body.locked, response.bodyUsed) == (True, True)

    asyncio.run(main())


def test_tee_gives_two_streams_and_uses_the_body():
    async def main() -> None:
        response = R.new("stream body")
        first, second = response.body.tee()
        assert [await R.new(part).text() for part in (first, second)] == ["stream body"] * 2
        assert await rejection(response.text()) == USED

    asyncio.run(main())


def test_a_clone_is_independent():
    async def main() -> None:
        for body in ("b", Uint8Array.of_bytes(b"b"), ReadableStream.of_bytes(b"b")):
            response = R.new(body, status=201, headers=[("a", "1")])
            copy = response.clone()
            copy.headers.set("a", "2")
            assert (copy.status, response.headers.get("a")) == (201, "1")
            assert await copy.text() == await response.text() == "b"
        plain = R.new("b")
        assert plain.clone().header_list() == [TEXT]
        touched = R.new("b")
        touched.body  # noqa: B018  # makes the stream
        assert await touched.clone().text() == await touched.text() == "b"

    asyncio.run(main())


def test_response_json():
    async def main() -> None:
        response = R.json(to_js({"a": 1}))
        assert (await response.text(), response.header_list()) == (
            '{"a":1}',
            [(b"content-type", b"application/json")],
        )
        response.headers.set("a", "b")
        typed = R.json("str", status=201, headers=JsObject({"Content-Type": "x/y", "a": "b"}))
        assert (typed.status, await typed.text(), typed.headers.get("content-type")) == (201, '"str"', "x/y")
        assert message_of(lambda: R.json(JsBigInt(1))) == "Do not know how to serialize a BigInt"
        assert message_of(lambda: R.json("x", status=204)) == NULL_BODY

    asyncio.run(main())


def test_response_json_needs_an_argument():
    assert message_of(lambda: R.json()) == (
        "Failed to execute 'json' on 'Response': parameter 1 is not of type 'JsValue'."
    )


def test_response_redirect():
    response = R.redirect("http://x/ü?a=b", 301)
    assert (response.status, response.statusText, response.body) == (301, "Moved Permanently", jsnull)
    assert response.header_list() == [(b"location", b"http://x/%C3%BC?a=b")]
    assert message_of(lambda: response.headers.set("a", "b")) == "Can't modify immutable headers."
    assert R.redirect("http://x").status == 302
    assert message_of(lambda: R.redirect("http://x", 200), "RangeError") == (
        "200 is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308."
    )
    assert message_of(lambda: R.redirect("x")) == "Unable to parse URL: x"
    assert message_of(lambda: R.redirect()) == (
        "Failed to execute 'redirect' on 'Response': parameter 1 is not of type 'string'."
    )


def test_response_error():
    response = R.error()
    assert (response.status, response.type, response.statusText, response.ok) == (0, "error", "", False)


def test_the_server_takes_the_body_once():
    assert R.new("é").take_body() == "é".encode()
    assert R.new().take_body() is None
    stream = ReadableStream.of_bytes(b"x")
    assert R.new(stream).take_body() is stream


def test_the_length_is_known_where_the_source_knows_it():
    async def chunks():
        yield b"abc"

    async def main() -> None:
        assert [R.new(body).body_length for body in (None, "é", ReadableStream.of_bytes(b"abc"))] == [0, 2, 3]
        stream = ReadableStream.of_async_iterator(chunks())
        assert R.new(stream).body_length is None
        await stream.cancel()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "status", "has_body"),
    [("GET", 302, True), ("HEAD", 200, False), ("GET", 204, False), ("GET", 200, True)],
)
def test_a_received_response_has_a_body_where_http_has_one(method, status, has_body):
    request = Request(method=method, url="http://x/p#f")
    received = R.new(None, status=status, statusText="T", headers=[("a", "1")]).received(request)
    assert (received.url, received.status, received.statusText) == ("http://x/p", status, "T")
    assert (received.has_body, received.redirected) == (has_body, False)
    assert message_of(lambda: received.headers.set("a", "b")) == "Can't modify immutable headers."


def test_a_received_response_knows_that_it_was_redirected():
    request = Request(url="http://x/").redirected("http://y/", 302)
    received = R.new("b").received(request)
    assert (received.redirected, received.url) == (True, "http://y/")


def test_the_hosts_constructor_takes_everything():
    response = Response(
        b"x", status=404, status_text="Gone", headers=Headers([(b"a", b"1")]), url="http://x/", encode_body="manual"
    )
    assert (response.status, response.status_text, response.url) == (404, "Gone", "http://x/")
    assert (response.header_list(), response.encode_body) == ([(b"a", b"1")], "manual")
    assert response.location() is None
