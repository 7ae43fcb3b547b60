from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from pyworkers.config.compat import resolve_compat
from pyworkers.js.abort import AbortController
from pyworkers.js.blob import Blob
from pyworkers.js.buffers import Uint8Array
from pyworkers.js.headers import Headers
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.realm import REALM, Realm
from pyworkers.js.request import Request
from pyworkers.js.search_params import URLSearchParams
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.url import URL
from pyworkers.js.values import JsException, JsObject

new = Request.constructor.new
USED = "Body has already been used. It can only be used once. Use tee() first if you need to read it twice."


@pytest.fixture(autouse=True)
def realm() -> Iterator[None]:
    token = REALM.set(Realm(compat=resolve_compat("2026-04-01")))
    yield
    REALM.reset(token)


def message_of(action) -> str:
    with pytest.raises(JsException) as caught:
        action()
    assert caught.value.name == "TypeError"
    return caught.value.message


async def rejection(promise) -> str:
    with pytest.raises(JsException) as caught:
        await promise
    return caught.value.message


def test_defaults():
    request = new("http://x/p?q#h")
    assert (request.method, request.url, request.redirect, request.body) == ("GET", "http://x/p?q#h", "follow", jsnull)
    assert (request.cache, request.integrity, request.keepalive, request.cf) == (None, "", False, None)
    assert (request.fetcher, request.bodyUsed, request.signal.aborted) == (jsnull, False, False)
    assert request.signal is request.signal
    for absent in ("mode", "credentials", "referrer", "destination", "duplex"):
        assert not hasattr(request, absent)


@pytest.mark.parametrize(
    ("given", "shown"),
    [("get", "GET"), ("Post", "POST"), ("PATCH", "PATCH"), ("patch", "PATCH"), ("purge", "PURGE"), ("QUERY", "QUERY")],
)
def test_methods_are_upper_cased(given, shown):
    assert new("http://x", method=given).method == shown


@pytest.mark.parametrize("method", ["FOO", "", "CONNECT", jsnull, "bad method"])
def test_an_unknown_method_is_refused(method):
    text = "null" if method is jsnull else method
    assert message_of(lambda: new("http://x", method=method)) == f"Invalid HTTP method string: {text}"


def test_before_2024_10_only_the_standards_methods_were_upper_cased():
    REALM.get().compat = resolve_compat("2024-01-01")
    assert new("http://x", method="post").method == "POST"
    assert message_of(lambda: new("http://x", method="patch")) == "Invalid HTTP method string: patch"


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("s", "text/plain;charset=UTF-8", "s"),
        (URLSearchParams([("a", "1")]), "application/x-www-form-urlencoded;charset=UTF-8", "a=1"),
        (Uint8Array.of_bytes(b"ab"), None, "ab"),
        (Blob(b"x", "text/blob"), "text/blob", "x"),
        (Blob(b"x"), None, "x"),
        (5, "text/plain;charset=UTF-8", "5"),
        (JsObject(), "text/plain;charset=UTF-8", "[object Object]"),
    ],
)
def test_a_body_brings_its_content_type(body, content_type, text):
    async def main() -> None:
        request = new("http://x", method="POST", body=body)
        assert request.headers.find("content-type") == content_type
        assert await request.text() == text
        assert request.bodyUsed is True

    asyncio.run(main())


def test_a_given_content_type_stays():
    headers = JsObject({"content-type": "a/b"})
    assert new("http://x", method="POST", body="x", headers=headers).headers.get("content-type") == "a/b"


@pytest.mark.parametrize("method", ["GET", "HEAD", None])
def test_get_and_head_have_no_body(method):
    assert message_of(lambda: new("http://x", method=method, body="x")) == (
        "Request with a GET or HEAD method cannot have a body."
    )


REDIRECT = (
    'Invalid redirect value, must be one of "follow" or "manual" ("error" won\'t be implemented since it does not make '
    'sense at the edge; use "manual" and check the response status code).'
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"redirect": "error"}, REDIRECT),
        ({"redirect": "bogus"}, REDIRECT),
        ({"cache": "force-cache"}, "Unsupported cache mode: force-cache"),
        ({"cache": "reload"}, "Unsupported cache mode: reload"),
        (
            {"headers": 5},
            "Incorrect type for the 'headers' field on 'RequestInitializerDict': the provided value is not of type "
            "'Headers or Sequence or object'.",
        ),
        (
            {"signal": "x"},
            "Incorrect type for the 'signal' field on 'RequestInitializerDict': the provided value is not of type "
            "'AbortSignal'.",
        ),
        (
            {"cf": jsnull},
            "Incorrect type for the 'cf' field on 'RequestInitializerDict': the provided value is not of type "
            "'Object'.",
        ),
        (
            {"integrity": "sha256-x"},
            "Subrequest integrity checking is not implemented. The integrity option must be either undefined or an "
            "empty string.",
        ),
        ({"encodeResponseBody": "x"}, "encodeResponseBody: unexpected value: x"),
    ],
)
def test_a_wrong_option_has_the_platforms_text(options, message):
    assert message_of(lambda: new("http://x", JsObject(options))) == message


def test_wrong_arguments_have_the_platforms_text():
    assert message_of(lambda: new()) == (
        "Failed to construct 'Request': constructor parameter 1 is not of type 'Request or string'."
    )
    assert message_of(lambda: new("http://x", "init")) == (
        "Failed to construct 'Request': constructor parameter 2 is not of type 'RequestInitializerDict or Request'."
    )
    assert message_of(lambda: new(jsnull)) == "Invalid URL: null"


def test_the_cache_option_came_with_a_date():
    REALM.get().compat = resolve_compat("2024-01-01")
    with pytest.raises(JsException) as caught:
        new("http://x", cache="no-store")
    assert (caught.value.name, caught.value.message) == (
        "Error",
        "The 'cache' field on 'RequestInitializerDict' is not implemented.",
    )


def test_what_browsers_have_is_ignored():
    request = new("http://x", mode="cors", credentials="include", keepalive=True, duplex="half", signal=jsnull)
    assert (request.url, request.keepalive) == ("http://x/", False)


def test_a_url_object_is_a_url():
    assert new(URL("http://x/y")).url == "http://x/y"


def test_a_request_from_a_request_takes_its_body():
    async def main() -> None:
        signal = AbortController().signal
        first = new("http://x", method="POST", body="b", headers=[("a", "1")], cache="no-store", signal=signal)
        second = new(first, headers=JsObject({"b": "2"}))
        assert (second.method, second.cache, second.signal is signal) == ("POST", "no-store", True)
        assert [list(pair) for pair in second.headers] == [["b", "2"]]
        assert (first.bodyUsed, await second.text()) == (True, "b")
        assert message_of(lambda: new(first)) == "Cannot reconstruct a Request with a used body."
        assert await new(first, body="new").text() == "new"

    asyncio.run(main())


def test_a_request_as_init_is_a_dictionary():
    async def main() -> None:
        init = new("http://a", method="PUT", body="b", redirect="manual")
        request = new("http://x", init)
        assert (request.url, request.method, request.redirect) == ("http://x/", "PUT", "manual")
        assert await request.text() == "b"

    asyncio.run(main())


def test_a_streams_source_moves_to_the_new_request():
    async def main() -> None:
        first = new("http://x", method="POST", body=ReadableStream.of_bytes(b"abc"))
        second = new(first)
        assert (first.bodyUsed, first.body.locked) == (True, True)
        assert await second.text() == "abc"

    asyncio.run(main())


def test_a_clone_reads_the_same_body():
    async def main() -> None:
        request = new("http://x", method="POST", body="b", headers=[("a", "1")])
        copy = request.clone()
        assert await copy.text() == await request.text() == "b"
        assert copy.headers.get("a") == "1"
        assert message_of(request.clone) == "This ReadableStream is currently locked to a reader,"

    asyncio.run(main())


def test_an_incoming_request_computes_each_value_once_when_it_is_read():
    calls = []

    def lazily(name, value):
        def compute():
            calls.append(name)
            return value

        return compute

    request = Request(
        method="POST",
        url=lazily("url", "http://x/"),
        headers=lazily("headers", [(b"a", b"1")]),
        body=lazily("body", b"data"),
        cf=lazily("cf", JsObject({"colo": "LAX"})),
    )
    assert (request.method, request.redirect, calls) == ("POST", "manual", [])
    for _ in range(2):
        assert (request.url, request.headers.get("a"), request.cf.colo) == ("http://x/", "1", "LAX")
    assert message_of(lambda: request.headers.set("a", "b")) == "Can't modify immutable headers."
    assert calls == ["url", "headers", "cf"]

    async def main() -> None:
        assert await request.text() == "data"
        assert await rejection(request.text()) == USED

    asyncio.run(main())
    assert calls == ["url", "headers", "cf", "body"]


def test_an_iterable_is_a_stream_from_the_date_on_which_it_became_one():
    async def main() -> None:
        parts = JsArray([Uint8Array.of_bytes(b"a"), Uint8Array.of_bytes(b"b")])
        assert await new("http://x", method="POST", body=parts).text() == "ab"
        REALM.get().compat = resolve_compat("2026-01-01")
        assert await new("http://x", method="POST", body=JsArray([1, 2])).text() == "1,2"

    asyncio.run(main())


def test_a_disturbed_stream_is_no_body():
    async def main() -> None:
        stream = ReadableStream.of_bytes(b"x")
        await stream.read_all()
        assert message_of(lambda: new("http://x", method="POST", body=stream)) == (
            "This ReadableStream is disturbed (has already been read from), and cannot be used as a body."
        )

    asyncio.run(main())


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (None, []),
        ("b", [(b"content-length", b"1"), (b"content-type", b"text/plain;charset=UTF-8")]),
        ("", [(b"content-length", b"0"), (b"content-type", b"text/plain;charset=UTF-8")]),
    ],
)
def test_a_delivered_request_is_what_the_other_worker_sees(body, headers):
    async def main() -> None:
        request = new("http://x/p#frag", method="POST", body=body)
        delivered = request.delivered()
        assert (delivered.url, delivered.redirect, delivered.cf) == ("http://x/p", "manual", None)
        assert delivered.headers.wire_list() == headers
        assert delivered.has_body is (body is not None)
        assert await delivered.text() == (body or "")
        assert message_of(lambda: delivered.headers.set("a", "b")) == "Can't modify immutable headers."

    asyncio.run(main())


def test_a_delivered_stream_is_chunked_unless_its_length_is_known():
    async def chunks():
        yield b"a"
        yield b"b"

    async def main() -> None:
        unknown = new("http://x", method="POST", body=ReadableStream.of_async_iterator(chunks())).delivered()
        assert unknown.headers.wire_list() == [(b"transfer-encoding", b"chunked")]
        assert await unknown.text() == "ab"
        known = new("http://x", method="POST", body=ReadableStream.of_async_iterator(chunks(), length=2)).delivered()
        assert known.headers.wire_list() == [(b"content-length", b"2")]
        assert await known.text() == "ab"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "status", "becomes", "keeps_body"),
    [
        ("POST", 301, "GET", False),
        ("POST", 302, "GET", False),
        ("PUT", 302, "PUT", True),
        ("POST", 303, "GET", False),
        ("POST", 307, "POST", True),
        ("PUT", 308, "PUT", True),
    ],
)
def test_a_redirect_changes_the_method_as_the_standard_says(method, status, becomes, keeps_body):
    request = new("http://x", method=method, body="b")
    request.take_body()
    follow_up = request.redirected("http://x/2", status)
    assert (follow_up.url, follow_up.method, follow_up.has_body) == ("http://x/2", becomes, keeps_body)
    assert follow_up.bodyUsed is False


def test_a_stream_cannot_be_sent_again():
    request = new("http://x", method="POST", body=ReadableStream.of_bytes(b"x"))
    assert message_of(lambda: request.redirected("http://x/2", 302)).startswith(
        "A request with a one-time-use body (it was initialized from a stream, not a buffer) encountered a redirect"
    )
    assert request.redirected("http://x/2", 303).method == "GET"


def test_credentials_do_not_cross_origins():
    request = new("http://x", headers=[("Authorization", "secret"), ("a", "1")])
    assert request.redirected("http://x/2", 302).headers.get("authorization") == "secret"
    assert [list(pair) for pair in request.redirected("http://y/", 302).headers] == [["a", "1"]]
    REALM.get().compat = resolve_compat("2025-08-01")
    assert request.redirected("http://y/", 302).headers.get("authorization") == "secret"


def test_cf_is_copied():
    cf = JsObject({"a": 1, "nested": JsObject({"b": JsArray([1])})})
    request = new("http://x", cf=cf)
    cf.nested.b.append(2)
    assert list(request.cf.nested.b) == [1]


def test_host_headers_are_taken_over():
    request = Request(url="http://x/", headers=Headers([(b"a", b"1")]))
    request.headers.set("a", "2")
    assert request.headers.get("a") == "2"
