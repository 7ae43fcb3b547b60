"""The head of a request as the runtime reads it, which takes more than the parser does, and refuses other things.

Used where a head is not an ordinary one: nothing of this runs for a GET or POST that the parser takes.

Source: capnproto, kj/compat/http.c++, HttpHeaders::tryParseRequest; recorded, contracts/http, http.req.*
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_from_bytes

import httptools

from pyworkers.js.request import METHODS

_REQUEST_LINE: Final = re.compile(rb"([A-Za-z-]+)[ \t]([!-\xff]+)")
_NAME: Final = re.compile(rb"[ \t]*([^\x00-\x20\x7f()<>@,;:\\\"/\[\]?={}]+)[ \t]*:")
_LINE_END: Final = re.compile(rb"\r\n?|\n")
_FOLDED: Final = re.compile(rb"(\r\n?|\n)(?=[ \t])")
_HEAD_END: Final = re.compile(rb"\n\r?\n")
# What neither parser can be given: the first would take them for the end of a line, or refuse the message.
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_SAFE: Final = "".join(map(chr, range(0x20, 0x7F)))
_FRAMING: Final = (b"content-length", b"transfer-encoding")
_known_methods: dict[bytes, bool] = {}


class BadFraming(Exception):
    """The head says of its body what the runtime does not take."""


def read_head(data: bytes) -> tuple[bytes, bytes] | None:
    """Return a request's head in the form that every parser takes, and what follows it; None for one that is invalid.

    The protocol version counts for nothing, a line may be folded, and of a body that has a length and is chunked only
    the chunks count.

    Raises:
        BadFraming: a length that is no number or given twice, an encoding other than chunked.
    """
    end = _HEAD_END.search(data)
    if end is None:
        return None
    unfolded = _FOLDED.sub(lambda match: b" " * len(match[0]), data[: end.start() + 1])
    first, *lines = _LINE_END.split(unfolded.rstrip(b"\r\n"))
    request = _REQUEST_LINE.match(first)
    if request is None:
        return None
    headers: list[tuple[bytes, bytes]] = []
    for line in lines:
        name = _NAME.match(line)
        if name is None:
            return None
        value = line[name.end() :].strip(b" \t")
        if b"\x00" in value:
            return None
        headers.append((name[1], value))
    headers = _framed(headers)
    head = [b"%s %s HTTP/1.1" % request.groups(), *(b"%s: %s" % header for header in headers), b"", b""]
    return b"\r\n".join(head), data[end.end() :]


def _framed(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers without those that frame the body and are empty or do not count."""
    framing = [(name.lower(), value) for name, value in headers if value and name.lower() in _FRAMING]
    lengths = [value for name, value in framing if name == b"content-length"]
    encodings = [value for name, value in framing if name == b"transfer-encoding"]
    if len(lengths) > 1 or not all(map(bytes.isdigit, lengths)) or any(one.lower() != b"chunked" for one in encodings):
        raise BadFraming
    return [pair for pair in headers if pair[0].lower() not in _FRAMING or pair[1]]


def quote_target(data: bytes) -> bytes:
    """Percent-encode what is not ASCII in the request line, as a URL parser would; the parser takes ASCII only."""
    line, separator, rest = data.partition(b"\r\n")
    if line.isascii():
        return data
    return quote_from_bytes(line, _SAFE).encode() + separator + rest


def is_method(method: bytes) -> bool:
    """Tell whether the runtime knows a method, and the parser takes it; both want capitals."""
    if method not in _known_methods:
        if method.decode() not in METHODS or len(_known_methods) > 1000:
            return False
        try:
            httptools.HttpRequestParser(None).feed_data(method + b" / HTTP/1.1\r\n\r\n")
            _known_methods[method] = True
        except httptools.HttpParserUpgrade:
            _known_methods[method] = method != b"CONNECT"
        except httptools.HttpParserError:
            _known_methods[method] = False
    return _known_methods[method]
