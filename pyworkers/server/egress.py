"""From a worker's `Response` to ASGI messages.

Messages of the type ``http.response.start`` carry one key more than ASGI has: ``reason``, the reason phrase.

Source: recorded, contracts/http and contracts/http_dev, http.resp.* and http.err.*
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from email.utils import formatdate
from functools import partial
from typing import Any, Final

from pyworkers.js.decoding import decoded
from pyworkers.js.headers import RawHeaders, in_wire_order
from pyworkers.js.response import Response
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException
from pyworkers.server.cycle import cycle_of
from pyworkers.server.encoding import CODINGS, NotAcceptable, choose_coding, encoded
from pyworkers.server.front import WRANGLER, Front
from pyworkers.server.ingress import Refused, Scope, Send, accept_encoding

_NULL_BODY: Final = frozenset((101, 204, 304))
# What frames the message is the server's to say.
_CONNECTION: Final = frozenset((b"connection", b"keep-alive", b"te", b"trailer", b"upgrade"))
_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding")) | _CONNECTION
_RESET_CONTENT: Final = 205
_WITHOUT_BODY: Final = _NULL_BODY | {_RESET_CONTENT}
_CHUNKED: Final = (b"transfer-encoding", b"chunked")
_TEXT: Final = b"text/plain;charset=UTF-8"
_UNSUPPORTED: Final = b"Unsupported Media Type"

Recode = Callable[[AsyncIterator[bytes]], AsyncGenerator[bytes, None]]


class StreamFailed(Exception):
    """A response's stream failed; what was sent of it stands, and the connection is cut unless nothing was.

    Args:
        cause: what the stream raised.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


def send_response(
    response: Response, scope: Scope, send: Send, *, on_stream: Callable[[], None], front: Front = WRANGLER
) -> Coroutine[Any, Any, None] | None:
    """Send a worker's response: at once where it is there as a whole, else by the coroutine that is returned.

    Args:
        scope: of the request it answers.
        on_stream: called before the first chunk of a stream is asked for.

    Raises:
        JsException: the body was read before; nothing has been sent then.
        StreamFailed: the stream failed; raised by the coroutine.
    """
    status, headers = response.status, response.header_list()
    body = response.take_body()
    is_head = scope["method"] == "HEAD"
    content_type, current, is_framed = _of_note(headers)
    try:
        coding = choose_coding(accept_encoding(scope["headers"]), content_type, current)
    except NotAcceptable:
        return _send_unsupported(send, body)
    own_reason = response.own_status_text
    reason = None if own_reason is None else own_reason.encode()
    # wrangler's proxy looks at HTML.
    is_rewritten = front.is_wrangler and content_type is not None and content_type.startswith(b"text/html")
    if coding is current is None and not (
        is_head or is_framed or is_rewritten or status in _WITHOUT_BODY or isinstance(body, ReadableStream)
    ):
        return _send_at_once(scope, send, status, reason, _spelled(headers, response), body or b"")
    if coding != current:
        headers = [pair for pair in headers if pair[0] != b"content-encoding"]
        headers = headers if coding is None else in_wire_order([*headers, (b"content-encoding", coding)])
    if is_head or status in _NULL_BODY:
        kept = _unframed(headers, status, is_head=is_head)
        return _send_head(send, status, reason, _spelled(kept, response), body)
    if is_framed:
        headers = [pair for pair in headers if pair[0] not in _FRAMING]
    headers = _spelled(headers, response)
    recode, has_no_length = _treatment(response, body, current, coding, is_rewritten=is_rewritten)
    if isinstance(body, ReadableStream):
        on_stream()
    elif recode is None:
        return _send_at_once(scope, send, status, reason, headers, body or b"", has_no_length=has_no_length)
    else:
        body = ReadableStream.of_bytes(body or b"")
    if body.length is not None and recode is None and not has_no_length:
        headers = [(b"content-length", b"%d" % body.length), *headers]
    return _send_stream(send, status, reason, headers, body, recode)


def _of_note(headers: RawHeaders) -> tuple[bytes | None, bytes | None, bool]:
    """Return the content type, the content encoding, and whether a header frames the message."""
    content_type = current = None
    is_framed = False
    for name, value in headers:
        if name == b"content-type":
            content_type = value
        elif name == b"content-encoding":
            current = value
        elif name in _FRAMING:
            is_framed = True
    return content_type, current, is_framed


def _treatment(
    response: Response,
    body: bytes | ReadableStream | None,
    current: bytes | None,
    coding: bytes | None,
    *,
    is_rewritten: bool,
) -> tuple[Recode | None, bool]:
    """Return how a body is recoded on its way out, and whether it leaves without a length.

    Args:
        current: the encoding that the worker names.
        coding: the one that the client gets.
        is_rewritten: whether wrangler's proxy looks at the body.
    """
    recode = _recoding(current if response.encode_body == "manual" else None, coding)
    is_reset = response.status == _RESET_CONTENT
    # What the worker has encoded, and what is looked at, stays nothing where it is; the proxy encodes what is empty.
    stays_nothing = current in CODINGS or is_rewritten
    is_nothing = is_reset or (recode is not None and stays_nothing and not body)
    if is_nothing:
        recode = None
    elif recode is not None and stays_nothing:
        recode = partial(_nothing_of_nothing, recode)
    # What was decoded on its way has no length.
    was_decoded = coding is None and current in CODINGS
    return recode, not is_reset and (is_rewritten or (is_nothing and body is not None) or was_decoded)


def _send_at_once(
    scope: Scope,
    send: Send,
    status: int,
    reason: bytes | None,
    headers: RawHeaders,
    body: bytes,
    *,
    has_no_length: bool = False,
) -> Coroutine[Any, Any, None] | None:
    """Send a whole response in one write, or by the coroutine that is returned where the client is slow."""
    cycle = cycle_of(scope)
    if cycle is not None and cycle.answer(status, reason, headers, body, has_no_length=has_no_length):
        return None
    headers = [_CHUNKED if has_no_length else (b"content-length", b"%d" % len(body)), *headers]
    return _send_whole(send, status, reason, headers, body)


async def send_failure(
    send: Send, scope: Scope, status: int, content_type: bytes, body: bytes, *, is_page: bool = False
) -> None:
    """Send what stands for the response that a worker failed to give.

    Args:
        is_page: it is wrangler's page about what the worker threw, which has its own head.

    Source: recorded, contracts/http_dev, http_dev.err.throw
    """
    is_head = scope["method"] == "HEAD"
    headers = [(b"content-type", content_type)]
    if not is_page:
        headers.insert(0, (b"content-length", b"%d" % len(body)))
        await _send_whole(send, status, None, headers, b"" if is_head else body)
        return
    coding = None
    try:
        coding = choose_coding(accept_encoding(scope["headers"]), content_type, None)
    except NotAcceptable:
        pass  # better a page that is plain than none
    headers = [_CHUNKED, (b"date", formatdate(usegmt=True).encode())]
    if is_head:
        await _send_whole(send, status, None, headers, b"")
        return
    headers.append((b"content-type", content_type))
    if coding is not None:
        headers.append((b"content-encoding", coding))
    await _send_stream(send, status, b"", headers, ReadableStream.of_bytes(body), _recoding(None, coding))


async def send_refusal(send: Send, refused: Refused, content_type: bytes | None = None) -> None:
    """Send the answer to a request that is not for a worker, as the runtime does."""
    body = refused.reason.encode()
    headers = [(b"content-length", b"%d" % len(body))]
    if content_type is not None:
        headers.append((b"content-type", content_type))
    await _send_whole(send, refused.status, body, headers, body)


async def send_bytes(send: Send, status: int, content_type: bytes, body: bytes, *extra: tuple[bytes, bytes]) -> None:
    """Send a whole answer of the server's own."""
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", content_type), *extra]
    await _send_whole(send, status, None, headers, body)


async def _send_whole(send: Send, status: int, reason: bytes | None, headers: RawHeaders, body: bytes) -> None:
    await send(_start(status, reason, headers))
    await send({"type": "http.response.body", "body": body})


async def _send_unsupported(send: Send, body: bytes | ReadableStream | None) -> None:
    if isinstance(body, ReadableStream):
        await body.chunks().aclose()
    await send_bytes(send, 415, _TEXT, _UNSUPPORTED, (b"accept-encoding", b"br, gzip"))


async def _send_head(
    send: Send, status: int, reason: bytes | None, headers: RawHeaders, body: bytes | ReadableStream | None
) -> None:
    """Send headers alone."""
    if isinstance(body, ReadableStream):
        await body.chunks().aclose()
    await _send_whole(send, status, reason, headers, b"")


async def _send_stream(
    send: Send, status: int, reason: bytes | None, headers: RawHeaders, body: ReadableStream, recode: Recode | None
) -> None:
    """Send chunk by chunk; the client's pace is the stream's."""
    await send(_start(status, reason, headers))
    chunks = body.chunks()
    try:
        if recode is None:
            async for chunk in chunks:
                if chunk:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        else:
            async with aclosing(recode(chunks)) as pieces:
                async for chunk in pieces:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except Exception as error:
        # Recorded, http.resp.stream-error0 and stream-error-late: what was promised no length ends as if it were whole.
        if body.length is None or recode is not None:
            await send({"type": "http.response.body", "body": b""})
        raise StreamFailed(error) from error
    finally:
        # Where something is left, the client has gone; a pump that is dropped cancels its source like this.
        await chunks.aclose(JsException("Error", "Network connection lost."))
    await send({"type": "http.response.body", "body": b""})


def _start(status: int, reason: bytes | None, headers: RawHeaders) -> dict[str, Any]:
    message: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": headers}
    if reason is not None:
        message["reason"] = reason
    return message


def _unframed(headers: RawHeaders, status: int, *, is_head: bool) -> RawHeaders:
    """Return headers that have no body after them; what the worker says of a body is told to HEAD."""
    removed = _CONNECTION if is_head else _FRAMING
    kept = [pair for pair in headers if pair[0] not in removed]
    if status == _RESET_CONTENT and not any(name == b"content-length" for name, _ in kept):
        kept.insert(0, (b"content-length", b"0"))
    return kept


def _spelled(headers: RawHeaders, response: Response) -> RawHeaders:
    """Return headers whose names are spelled as the worker did."""
    spelling = response.header_spelling()
    return [(spelling.get(name, name), value) for name, value in headers] if spelling else headers


def _recoding(present: bytes | None, wanted: bytes | None) -> Recode | None:
    """Return what leads from the encoding that bytes have to the one they leave with; None where nothing does."""
    before = present if present in CODINGS else None
    after = wanted if wanted in CODINGS else None
    if before == after:
        return None
    return partial(_recoded, before=before, after=after)


async def _nothing_of_nothing(recode: Recode, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Recode a stream, unless it ends without a byte: there is not even what frames the encoding then."""
    async for first in chunks:
        if first:
            async with aclosing(recode(_led_by(first, chunks))) as pieces:
                async for piece in pieces:
                    yield piece
            return


async def _led_by(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk


async def _recoded(
    chunks: AsyncIterator[bytes], *, before: bytes | None, after: bytes | None
) -> AsyncGenerator[bytes, None]:
    plain = chunks if before is None else decoded(chunks, before.decode())
    async for chunk in plain if after is None else encoded(plain, after):
        if chunk:
            yield chunk
