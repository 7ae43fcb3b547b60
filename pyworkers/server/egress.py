"""From a worker's `Response` to ASGI messages.

Source: recorded, contracts/http, http.resp.*
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Final

from pyworkers.js.headers import RawHeaders
from pyworkers.js.response import Response
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.server.cycle import EXTENSION
from pyworkers.server.ingress import Scope, Send

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_NULL_BODY: Final = frozenset((101, 204, 304))
# What frames the message is the server's to say.
_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding", b"connection", b"keep-alive"))
_ENCODED_HERE: Final = frozenset((b"gzip", b"br"))


class StreamFailed(Exception):
    """A response's stream failed; what was sent of it stands, and the connection is cut unless nothing was.

    Args:
        cause: what the stream raised.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


async def send_response(
    response: Response, scope: Scope, send: Send, *, on_stream: Callable[[], None] | None = None
) -> None:
    """Send a worker's response.

    Args:
        scope: of the request it answers.
        on_stream: called before the first chunk of a stream is asked for.

    Raises:
        JsException: the body was read before; nothing has been sent then.
        StreamFailed: the stream failed.
    """
    status, headers = response.status, response.header_list()
    body = response.take_body()
    if scope["method"] == "HEAD" or status in _NULL_BODY:
        if isinstance(body, ReadableStream):
            await body.chunks().aclose()
        await _send_head(send, status, headers)
        return
    gzips = False
    for name, value in headers:
        if name == b"content-encoding" and value in _ENCODED_HERE and response.encode_body == "automatic":
            gzips = value == b"gzip" and _accepts_gzip(scope["headers"])
            headers = [pair for pair in headers if pair[0] != b"content-encoding"]
            if gzips:
                headers.append((b"content-encoding", b"gzip"))
        elif name in _FRAMING:
            headers = [pair for pair in headers if pair[0] not in _FRAMING]
    if isinstance(body, ReadableStream):
        if on_stream is not None:
            on_stream()
        await _send_stream(send, status, headers, body, gzips=gzips)
    elif gzips:
        await _send_stream(send, status, headers, ReadableStream.of_bytes(body or b""), gzips=True)
    else:
        body = body or b""
        headers = [(b"content-length", b"%d" % len(body)), *headers]
        extensions = scope.get("extensions")
        cycle = extensions.get(EXTENSION) if extensions is not None else None
        if cycle is not None and cycle.answer(status, response.status_text, headers, body):
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def send_bytes(send: Send, status: int, content_type: bytes, body: bytes, *extra: tuple[bytes, bytes]) -> None:
    """Send a whole answer of the server's own."""
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", content_type), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_head(send: Send, status: int, headers: RawHeaders) -> None:
    """Send headers alone; a Content-Length that the worker gave stands, as it tells of a body that is not sent."""
    kept = [
        (name, value)
        for name, value in headers
        if name not in _FRAMING or (name == b"content-length" and value.isdigit() and status not in _NULL_BODY)
    ]
    await send({"type": "http.response.start", "status": status, "headers": kept})
    await send({"type": "http.response.body", "body": b""})


async def _send_stream(send: Send, status: int, headers: RawHeaders, body: ReadableStream, *, gzips: bool) -> None:
    """Send chunk by chunk; the client's pace is the stream's."""
    if body.length is not None and not gzips:
        headers = [(b"content-length", b"%d" % body.length), *headers]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    chunks = body.chunks()
    sent = False
    try:
        async with aclosing(chunks):
            async for chunk in _gzipped(chunks) if gzips else chunks:
                if chunk:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    sent = True
    except Exception as error:
        # Recorded, http.resp.stream-error0: one that fails before its first byte ends as an empty body.
        if not sent and body.length is None:
            await send({"type": "http.response.body", "body": b""})
        raise StreamFailed(error) from error
    await send({"type": "http.response.body", "body": b""})


async def _gzipped(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Compress a stream; each chunk can be read when it has arrived."""
    encoder = zlib.compressobj(wbits=_GZIP_WINDOW)
    async for chunk in chunks:
        yield encoder.compress(chunk) + encoder.flush(zlib.Z_SYNC_FLUSH)
    yield encoder.flush()


def _accepts_gzip(headers: RawHeaders) -> bool:
    accepted = [value for name, value in headers if name == b"accept-encoding"]
    return not accepted or any(b"gzip" in value or b"*" in value for value in accepted)
