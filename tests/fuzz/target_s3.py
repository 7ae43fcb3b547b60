"""Requests to the S3 API: their signatures, headers and ``aws-chunked`` bodies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from fuzz_source import Source

from pyworkers.server.s3.chunked import ChunkedDecoder
from pyworkers.server.s3.conditions import write_condition_of
from pyworkers.server.s3.credentials import Credentials
from pyworkers.server.s3.errors import S3Error
from pyworkers.server.s3.intake import Promise
from pyworkers.server.s3.request import read_request
from pyworkers.server.s3.signature import Signature, verify

_CREDENTIALS: Final = Credentials("key", "secret")
_NOW_MS: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z
_CHUNKS: Final = (
    *(
        b"0\r\n",
        b"1\r\na\r\n",
        b"5\r\nhello\r\n",
        b"\r\n",
        b"a",
        b";chunk-signature=",
        b"00",
        b"ff",
        b"-1",
        b"+1",
        b"0x1",
        b"1_0",
    ),
    *(
        b"x-amz-checksum-crc32:",
        b"AAAAAA==",
        b"x-amz-trailer-signature:",
        b":",
        b"\r",
        b"\n",
        b" ",
        b"\xe9",
        b"0;chunk-signature=x\r\n",
    ),
)
_TEXTS: Final = (
    *(
        b"AWS4-HMAC-SHA256 ",
        b"Credential=key/20260101/auto/s3/aws4_request",
        b",",
        b"SignedHeaders=host",
        b"Signature=00",
        b";",
    ),
    *(
        b"20260101T000000Z",
        b"20260101",
        b"key",
        b"auto",
        b"/",
        b"UNSIGNED-PAYLOAD",
        b"STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        b"=",
    ),
    *(
        b"host",
        b"x-amz-date",
        b"AAAAAAAAAAAAAAAAAAAAAA==",
        b"AAAAAA==",
        b"\xe9",
        b"\xb2",
        b"%C3%A9",
        b"%ff",
        b"+",
        b"&",
        b"Expires",
    ),
    *(
        b"X-Amz-Algorithm=AWS4-HMAC-SHA256",
        b"&X-Amz-Expires=60",
        b"&X-Amz-Date=99991231T235959Z",
        b"&X-Amz-Signature=0",
    ),
    *(
        b"&X-Amz-SignedHeaders=host",
        b"&X-Amz-Credential=key/99991231/auto/s3/aws4_request",
        b"99999999999999999999",
        b"*",
        b'"',
    ),
    *(
        b"Thu, 01 Jan 2026 00:00:00 GMT",
        b"Fri, 31 Dec 9999 23:59:59 -2359",
        b"-1",
        b"crc32",
        b"crc64nvme",
        b"?uploads",
        b"e" * 64,
    ),
)
_HEADERS: Final = (
    *(
        b"authorization",
        b"x-amz-date",
        b"date",
        b"x-amz-content-sha256",
        b"content-md5",
        b"x-amz-checksum-crc32",
        b"host",
    ),
    *(
        b"x-amz-sdk-checksum-algorithm",
        b"x-amz-trailer",
        b"content-length",
        b"x-amz-decoded-content-length",
        b"if-match",
    ),
    *(b"if-modified-since", b"x-amz-copy-source", b"x-amz-checksum-sha1", b"if-unmodified-since"),
)


def fuzz(source: Source) -> None:
    """A request is understood, or refused in S3's words."""
    if source.is_true():
        data = source.mixture(_CHUNKS)
        assert _decoded(source.cut(data)) == _decoded([data])
    else:
        _request(source)


def _decoded(pieces: Iterable[bytes]) -> Any:
    """Return what a body stands for and what trails it; or of a wrong one, that it is wrong."""
    out = bytearray()
    decoder = ChunkedDecoder(out.extend, None)
    try:
        for piece in pieces:
            decoder.feed(piece)
        decoder.finish()
    except S3Error as error:
        return error.code
    return bytes(out), decoder.trailers


def _request(source: Source) -> None:
    headers = [(source.choice(_HEADERS), source.mixture(_TEXTS, 6)) for _ in range(source.number(6))]
    path = b"/cdn-cgi/s3/" + source.mixture((b"bucket", b"/", b"key", b"%C3%A9", b"%ff", b"..", b"%2F"), 6)
    scope = {
        "method": source.choice(("GET", "PUT", "POST", "HEAD", "DELETE")),
        "headers": headers,
        "raw_path": path,
        "query_string": source.mixture(_TEXTS, 10),
    }
    request = _refusable(lambda: read_request(scope, frozenset({"bucket"})))  # type: ignore[arg-type]  # what is read
    if request is None:
        return
    signed = Signature("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "0", b"k", "20260101T000000Z", "s")
    signature = source.choice((signed, Signature("UNSIGNED-PAYLOAD", "0", b"k", "", "")))
    _refusable(lambda: request.operation)
    _refusable(lambda: write_condition_of(request.headers))
    _refusable(lambda: verify(request, _CREDENTIALS, _NOW_MS))
    promise = _refusable(lambda: Promise(request.headers, signature))
    decoder = None if promise is None else promise.decoder(lambda _piece: None)
    if decoder is not None:
        _refusable(lambda: decoder.feed(source.mixture(_CHUNKS, 6)))


def _refusable(call: Callable[[], Any]) -> Any:
    """Return what a call gives, None where it is refused."""
    try:
        return call()
    except S3Error as error:
        error.body("/", "id")
        return None
