"""Status lines and headers as the runtime writes them.

Source: recorded, contracts/http, http.resp.*; capnproto, kj/compat/http.h: KJ_HTTP_FOR_EACH_BUILTIN_HEADER
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from pyworkers.js.headers import RawHeaders
from pyworkers.js.status import default_status_text

# Names that the runtime knows go out in its own spelling, whatever a worker's was; others as the worker spelled them.
_KNOWN: Final = (
    "Connection Keep-Alive TE Trailer Upgrade Content-Length Transfer-Encoding Sec-WebSocket-Key "
    "Sec-WebSocket-Version Sec-WebSocket-Accept Sec-WebSocket-Extensions Host Date Location Content-Type "
    "Accept-Charset Accept-Encoding Accept-Language Accept-Ranges Accept Access-Control-Allow-Origin Age Allow "
    "Authorization Cache-Control Content-Disposition Content-Encoding Content-Language Content-Location "
    "Content-Range Cookie ETag Expect Expires From If-Match If-Modified-Since If-None-Match If-Range "
    "If-Unmodified-Since Last-Modified Link Max-Forwards Proxy-Authenticate Proxy-Authorization Range Referer "
    "Refresh Retry-After Server Set-Cookie Strict-Transport-Security User-Agent Vary Via WWW-Authenticate "
    "CF-Cache-Status Pragma CF-Cache-Namespace CF-KV-Metadata CF-R2-Error CF-R2-Metadata-Size CF-R2-Request "
    "Sec-WebSocket-Protocol CF-Ray Origin"
)
SPELLING: Final = {name.lower().encode(): name.encode() for name in _KNOWN.split()}


def message_head(status: int, reason: bytes | None, headers: RawHeaders, extra: Iterable[bytes] = ()) -> list[bytes]:
    """Return the head of a response in pieces to be joined.

    Args:
        reason: the reason phrase; None is the status's own.
        headers: in wire order, free of line breaks; names in lower case where the runtime knows them.
        extra: whole header lines that come first.
    """
    head = [_status_line(status) if reason is None else b"HTTP/1.1 %d %s\r\n" % (status, reason), *extra]
    spelling = SPELLING.get
    head += [b"%s: %s\r\n" % (spelling(name, name), value) for name, value in headers]
    head.append(b"\r\n")
    return head


def reason_of(status: int) -> bytes:
    """Return the reason phrase of a status, also where it is not a registered one."""
    return default_status_text(status).encode("latin-1")


@lru_cache(maxsize=1024)
def _status_line(status: int) -> bytes:
    return b"HTTP/1.1 %d %s\r\n" % (status, reason_of(status))
