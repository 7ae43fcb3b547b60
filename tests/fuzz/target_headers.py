"""Headers, URLs, dates, ranges and conditions: the small languages of HTTP."""

from __future__ import annotations

from typing import Final

from fuzz_outcome import outcome
from fuzz_source import Source, as_text

from pyworkers.bindings.cache.ranges import parse_ranges
from pyworkers.js.objects import JsArray
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException, JsObject
from pyworkers.server.s3.conditions import conditions_of

_VALUES: Final = (
    *(b"bytes=", b"0-", b"-5", b"0-0", b",", b" ", b"\t", b"99999999999999999999", b'"etag"', b"W/", b"*", b"\xb2"),
    *(b"Mon, 01 Jan 2024 00:00:00 GMT", b"-0001", b"+9999", b"Jan", b"9999", b"0000", b":", b"=", b";", b"max-age="),
    *(b"\r\n", b"\x00", b"\xff", b"text/html", b"set-cookie", b"x", b"content-type"),
)
_URLS: Final = (
    *(
        b"http://",
        b"file:",
        b"data:,",
        b"/",
        b":",
        b"@",
        b"?",
        b"#",
        b"[",
        b"]",
        b"%",
        b"%41",
        b"xn--",
        b"..",
        b"\\",
        b"0x",
    ),
    *(b"1.2.3.4", b"\xc3\xa9", b"\xed\xa0\x80", b" ", b"\t", b"blob:", b"&", b"=", b"+", b"host"),
)


def fuzz(source: Source) -> None:
    """Each is taken, and reads again as it was written, or is refused."""
    part = source.number(4)
    if part == 0:
        _urls(as_text(source.mixture(_URLS, 10)))
    elif part == 1:
        _ranges(source.mixture(_VALUES, 12).decode("latin-1"), source.number(100))
    elif part == 2:
        value = source.mixture(_VALUES, 10).decode("latin-1")
        names = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
        conditions_of({source.choice(names): value, source.choice(names): value[:9]})
        assert isinstance(js.Date.new(value).getTime(), int | float)
    else:
        _headers(source.mixture(_VALUES, 4).decode("latin-1"), source.mixture(_VALUES, 8).decode("latin-1"))


def _urls(text: str) -> None:
    found = outcome(js.URL.new, text)
    assert js.URL.canParse(text) is not isinstance(found, JsException)
    if not isinstance(found, JsException):
        assert js.URL.new(found.href).href == found.href
    params = js.URLSearchParams.new(text)
    assert js.URLSearchParams.new(params.toString()).pairs() == params.pairs()
    pattern = outcome(js.URLPattern.new, JsObject({"pathname": text}))
    if not isinstance(pattern, JsException):
        outcome(pattern.test, "http://host/a")


def _ranges(text: str, size: int) -> None:
    for first, last in parse_ranges(text, size) or ():
        assert 0 <= first <= last < size


def _headers(name: str, value: str) -> None:
    headers = js.Headers.new()
    if isinstance(outcome(headers.append, name, value), JsException):
        return
    assert headers.has(name)
    assert [key for key, _ in headers.entries()] == [name.lower()] or not name.isascii()
    copy = js.Headers.new(JsArray([JsArray([name, headers.get(name)])]))
    assert copy.get(name) == headers.get(name)
