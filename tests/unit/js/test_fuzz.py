"""Whatever the parsers of the web platform are given, the worst they give is the platform's own error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyworkers.bindings.cache.ranges import parse_ranges
from pyworkers.js.data_url import parse_data_url
from pyworkers.js.html.selector_parser import parse_selector
from pyworkers.js.mime import MimeType
from pyworkers.js.multipart import encode_form, parse_form_data
from pyworkers.js.objects import JsArray
from pyworkers.js.scope import module as js
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject

ANY_TEXT: Final = st.text(alphabet=st.characters(codec=None), max_size=40)  # lone surrogates, too
ASCII: Final = st.text(alphabet=[chr(code) for code in range(256)], max_size=30)
URLISH: Final = st.lists(
    st.sampled_from([*"/:@?#[]%.\\ \t\n&=;", "http:", "file:", "data:", "xn--", "%zz", "%41", "..", "é", "0x", "1"])
    | ANY_TEXT,
    max_size=8,
).map("".join)
MULTIPART: Final = st.lists(
    st.sampled_from(
        [
            *(b"--x", b"\r\n", b"\n", b"--", b"\r\n\r\n", b"--x--", b"Content-Disposition", b": form-data", b"; name="),
            *(b'"a"', b"; filename=", b'"f', b"Content-Type: ", b"text/plain", b"charset=x", b"\\", b"\xff", b"%22"),
        ]
    )
    | st.binary(max_size=6),
    max_size=16,
).map(b"".join)
CONTENT_TYPE: Final = st.lists(
    st.sampled_from(
        ["multipart/form-data", "application/x-www-form-urlencoded", ";", "boundary=", "x", '"', "=", " ", ",", "a/b"]
    )
    | ASCII,
    max_size=6,
).map("".join)
RANGES: Final = st.lists(st.sampled_from([*"0123456789-,= \t", "bytes", "bytes=", "99999999999999999999"]), max_size=12)
EVENTS: Final = st.lists(
    st.sampled_from([b"data:", b"event:", b"id:", b"retry:", b"\n", b"\r", b"\r\n", b":", b" "])
    | st.binary(max_size=5),
    max_size=20,
).map(b"".join)
PLATFORM_ERRORS: Final = ("TypeError", "RangeError", "SyntaxError", "InvalidCharacterError")
HOSTILE: Final = settings(max_examples=200, deadline=None)


def deep(depth: int) -> Any:
    """Return objects inside objects."""
    value = JsObject()
    for _ in range(depth):
        value = JsObject({"a": value})
    return value


@pytest.mark.parametrize(
    "use",
    [
        lambda: js.JSON.parse("[" * 100_000),
        lambda: js.JSON.stringify(deep(20_000)),
        lambda: js.structuredClone(deep(20_000)),
        lambda: parse_selector(":not(" * 20_000 + "p"),
    ],
)
def test_what_is_nested_too_deeply_overflows_the_stack_as_in_javascript(use: Callable[[], Any]) -> None:
    with pytest.raises(JsException) as caught:
        use()
    assert (caught.value.name, caught.value.message) == ("RangeError", "Maximum call stack size exceeded")


def test_numbers_of_many_digits_are_infinite() -> None:
    digits = "9" * 5000
    assert js.parseInt(digits) == js.parseInt("-0x" + "f" * 5000) * -1 == js.parseFloat(digits) == float("inf")
    assert js.JSON.parse(f"-{digits}") == float("-inf")
    assert parse_ranges(f"bytes={digits}-", 5) is None


def outcome(function: Callable[..., Any], *args: Any) -> Any:
    """Return what a call gives, or the platform's error; any other exception is a bug."""
    try:
        return function(*args)
    except JsException as error:
        return error if error.name in PLATFORM_ERRORS and error.message else ("not the platform's", error)


@given(ANY_TEXT | ASCII, ANY_TEXT | ASCII)
@HOSTILE
def test_header_is_taken_or_refused(name: str, value: str) -> None:
    headers = js.Headers.new()
    refused = outcome(headers.append, name, value)
    if not isinstance(refused, JsException):
        assert headers.has(name)
        assert isinstance(headers.get(name), str)
        assert [key for key, _ in headers.entries()] == [name.lower()] or not name.isascii()
    outcome(js.Headers.new, JsArray([JsArray([name, value])]))
    outcome(js.Response.new, None, JsObject({"statusText": value, "headers": JsObject({name: value})}))


@given(URLISH, st.none() | URLISH)
@HOSTILE
def test_url_is_parsed_or_refused(text: str, base: str | None) -> None:
    found = outcome(js.URL.new, text) if base is None else outcome(js.URL.new, text, base)
    assert js.URL.canParse(text, base) is not isinstance(found, JsException)
    if isinstance(found, JsException):
        assert found.message == "Invalid URL string."
        return
    assert js.URL.new(found.href).href == found.href
    assert isinstance(found.searchParams.toString(), str)


@given(URLISH, st.sampled_from(["protocol", "host", "hostname", "port", "pathname", "search", "hash", "username"]))
@HOSTILE
def test_url_component_is_set_or_left(text: str, name: str) -> None:
    url = js.URL.new("http://example.com:81/a?b#c")
    setattr(url, name, text)
    assert js.URL.new(url.href).href == url.href


@given(URLISH)
@HOSTILE
def test_search_params_survive_their_own_text(text: str) -> None:
    params = js.URLSearchParams.new(text)
    assert js.URLSearchParams.new(params.toString()).pairs() == params.pairs()


@given(URLISH, URLISH)
@HOSTILE
def test_url_pattern_is_made_or_refused(pattern: str, text: str) -> None:
    for argument in (pattern, JsObject({"pathname": pattern})):
        made = outcome(js.URLPattern.new, argument)
        if not isinstance(made, JsException):
            outcome(made.test, text)
            outcome(made.exec, text)


@given(MULTIPART, CONTENT_TYPE | st.just("multipart/form-data; boundary=x"))
@HOSTILE
def test_form_is_parsed_or_refused(body: bytes, content_type: str) -> None:
    form = outcome(parse_form_data, body, content_type)
    if not isinstance(form, JsException):
        data, written_type = encode_form(form)
        assert len(list(parse_form_data(data, written_type).entries())) == len(list(form.entries()))


@given(CONTENT_TYPE)
@HOSTILE
def test_mime_type_is_read_or_none(text: str) -> None:
    found = MimeType.extract(text)
    if found is not None:
        assert MimeType.parse(str(found)) == found


@given(URLISH)
@HOSTILE
def test_data_url_is_read_or_none(text: str) -> None:
    found = parse_data_url(f"data:{text}")
    assert found is None or isinstance(found[0], bytes)


@given(RANGES.map("".join), st.integers(0, 100))
@HOSTILE
def test_ranges_are_inside_the_body(header: str, size: int) -> None:
    for first, last in parse_ranges(header, size) or ():
        assert 0 <= first <= last < size


@given(st.lists(st.sampled_from([*"*#.:()[]='\"\\ >+~,|^$-", "not(", "nth-child(", "2n+1", "p", "é"]), max_size=10))
@HOSTILE
def test_selector_is_parsed_or_refused(parts: list[str]) -> None:
    found = outcome(parse_selector, "".join(parts))
    assert not isinstance(found, JsException) or found.message.startswith("Parser error: ")


@given(ANY_TEXT)
@HOSTILE
def test_base64_is_decoded_or_refused(text: str) -> None:
    found = outcome(js.atob, text)
    if not isinstance(found, JsException):
        assert js.atob(js.btoa(found)) == found
    outcome(js.btoa, text)


@given(ANY_TEXT)
@HOSTILE
def test_json_is_parsed_or_refused(text: str) -> None:
    outcome(js.JSON.parse, text)


@given(ANY_TEXT)
@HOSTILE
def test_date_and_number_of_any_text_are_numbers(text: str) -> None:
    assert isinstance(js.Date.new(text).getTime(), int | float)
    assert isinstance(js.parseFloat(text), int | float)
    assert isinstance(js.parseInt(text), int | float)


@given(st.lists(EVENTS, max_size=6))
@HOSTILE
def test_event_stream_passes_through_as_it_is(chunks: list[bytes]) -> None:
    async def events() -> Any:
        for chunk in chunks:
            yield chunk

    async def run() -> str:
        headers = JsObject({"headers": JsObject({"content-type": "text/event-stream"})})
        stream = ReadableStream.of_async_iterator(events())
        return await js.Response.new(stream.pipeThrough(js.IdentityTransformStream.new()), headers).clone().text()

    assert asyncio.run(run()) == b"".join(chunks).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


@given(st.binary(max_size=60), st.sampled_from(["gzip", "deflate", "deflate-raw"]))
@HOSTILE
def test_compressed_bytes_are_read_or_refused(data: bytes, format_name: str) -> None:
    async def run() -> Any:
        body = js.Response.new(ReadableStream.of_bytes(data).pipeThrough(js.DecompressionStream.new(format_name)))
        try:
            return await body.arrayBuffer()
        except JsException as error:
            return error.name

    found = asyncio.run(run())
    assert found == "TypeError" or found.byteLength >= 0


@given(st.binary(max_size=60), st.sampled_from(["utf-8", "utf-16le", "shift_jis", "gb18030", "big5", "euc-kr"]))
@HOSTILE
def test_text_decodes_alike_at_any_split(data: bytes, label: str) -> None:
    whole = js.TextDecoder.new(label).decode(js.Uint8Array.new(JsArray(list(data))))
    decoder = js.TextDecoder.new(label)
    pieces = [decoder.decode(js.Uint8Array.new(JsArray([byte])), JsObject({"stream": True})) for byte in data]
    assert "".join(pieces) + decoder.decode() == whole
