"""Requests to the network: ``fetch`` of a URL that no binding takes.

Connections are pooled; a server that offers HTTP/2 over TLS gets it. Bodies stream both ways. A request that asks for
a WebSocket goes over a connection of its own. Redirects are followed here and not by the HTTP library, because the
platform's rules for bodies and credentials differ.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx

from pyworkers.js.decoding import accepted_encodings, can_decode, decoded
from pyworkers.js.fetch import unless_aborted
from pyworkers.js.headers import Headers, RawHeaders
from pyworkers.js.redirects import follow_redirects
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.status import NULL_BODY_STATUSES
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, type_error

if TYPE_CHECKING:
    from pyworkers.js.abort import AbortSignal
    from pyworkers.js.websocket_client import Connections

T = TypeVar("T")

_log = logging.getLogger("pyworkers.network")
_log.addHandler(logging.NullHandler())  # the server shows it under the request's line

MAX_CONNECTIONS: Final = 100
_CONNECTION_LOST: Final = "Network connection lost."
# Headers that belong to one connection; the library writes those of its own. Host follows from the URL.
_NOT_FORWARDED: Final = frozenset(
    (
        b"connection",
        b"content-length",
        b"host",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_HANDSHAKE: Final = _NOT_FORWARDED | {b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions"}
_LIMITS: Final = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=20)
_NOT_RECEIVED: Final = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"trailer", b"transfer-encoding"))


class HttpxOutbound:
    """Sends requests with httpx; ``await outbound(request)`` gives the response.

    Args:
        transport: what carries the requests; pooled HTTP/1.1 and HTTP/2 connections where it is None.
        before_send: called before each request that goes out, those of a redirect too; what it raises ends the fetch.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        before_send: Callable[[], None] | None = None,
    ) -> None:
        self._transport = transport or httpx.AsyncHTTPTransport(limits=_LIMITS, http2=True, trust_env=True)
        self._upgrading = transport or httpx.AsyncHTTPTransport(limits=_LIMITS, trust_env=True)  # HTTP/1.1 alone
        self._before_send = before_send
        self._connections: Connections | None = None

    async def __call__(self, request: Request) -> Response:
        """Send a request and follow its redirects.

        Raises:
            JsException: Error "Network connection lost." or "internal error; …", or a TypeError of the redirect rules.
        """
        return await follow_redirects(request, self._send, network=True)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._connections is not None:
            await self._connections.aclose()
        await self._transport.aclose()
        await self._upgrading.aclose()

    async def __aenter__(self) -> HttpxOutbound:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _send(self, request: Request) -> Response:
        if self._before_send is not None:
            self._before_send()
        if (request.headers.find("upgrade") or "").lower() == "websocket":
            return await self._upgrade(request)
        outgoing = _outgoing(request)
        try:
            answer = await _in_own_task(self._transport.handle_async_request(outgoing))
        except httpx.HTTPError as error:
            _tell(error, outgoing.url)
            raise _failure(error) from error
        finally:
            if isinstance(outgoing.stream, _Upload):
                await outgoing.stream.aclose()
        return await _incoming(request, answer)

    async def _upgrade(self, request: Request) -> Response:
        """Ask for a WebSocket; any answer but 101 is an ordinary one."""
        from pyworkers.js.websocket_client import Connections, handshake_headers  # imported by the first upgrade

        key, handshake = handshake_headers()
        headers = [pair for pair in request.headers.wire_list() if pair[0] not in _HANDSHAKE]
        outgoing = httpx.Request("GET", request.url.partition("#")[0], headers=[*headers, *handshake])
        try:
            answer = await _in_own_task(self._upgrading.handle_async_request(outgoing))
        except httpx.HTTPError as error:
            _tell(error, outgoing.url)
            raise _failure(error) from error
        if answer.status_code != 101:
            return await _incoming(request, answer)
        if self._connections is None:
            self._connections = Connections()
        raw: RawHeaders = [(name.lower(), value) for name, value in answer.headers.raw]
        response = Response(status=101, headers=Headers(raw, immutable=True), url=request.url.partition("#")[0])
        response.web_socket = self._connections.open(answer, key)
        return response


def _outgoing(request: Request) -> httpx.Request:
    body = request.take_body()
    length = request.body_length
    headers = [pair for pair in request.headers.wire_list() if pair[0] not in _NOT_FORWARDED]
    if not any(name == b"accept-encoding" for name, _value in headers):
        headers.append((b"accept-encoding", accepted_encodings().encode()))
    if request.cache is not None:
        given = {name for name, _value in headers}
        headers += [(name, b"no-cache") for name in (b"cache-control", b"pragma") if name not in given]
    url = request.url.partition("#")[0]
    if body is None:
        if request.method not in ("GET", "HEAD"):
            headers.append((b"content-length", b"0"))
        return httpx.Request(request.method, url, headers=headers)
    if isinstance(body, bytes):
        return httpx.Request(request.method, url, headers=headers, content=body)
    headers.insert(0, (b"host", httpx.URL(url).netloc))  # the library adds one only where it encodes the body
    headers.append((b"transfer-encoding", b"chunked") if length is None else (b"content-length", b"%d" % length))
    return httpx.Request(request.method, url, headers=headers, stream=_Upload(body))


class _Upload(httpx.AsyncByteStream):
    """A request body that is a stream."""

    def __init__(self, stream: ReadableStream) -> None:
        self._chunks = stream.chunks()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            yield chunk

    async def aclose(self) -> None:
        """Cancel what was not sent."""
        await self._chunks.aclose()


async def _incoming(request: Request, answer: httpx.Response) -> Response:
    raw: RawHeaders = [(name.lower(), value) for name, value in answer.headers.raw]
    raw = [pair for pair in raw if pair[0] not in _NOT_RECEIVED]
    headers = Headers(raw, immutable=True)
    body: ReadableStream | None = None
    if request.method == "HEAD" or answer.status_code in NULL_BODY_STATUSES:
        await _in_own_task(answer.aread())  # there is nothing to read; the connection is free again
    else:
        body = _body(request, answer, headers)
    reason = answer.extensions.get("reason_phrase", b"").decode("latin-1")
    return Response(
        body,
        status=answer.status_code,
        status_text=reason or None,
        headers=headers,
        url=request.url.partition("#")[0],
        redirected=request.redirects > 0,
        encode_body=request.encode_response_body,
    )


def _body(request: Request, answer: httpx.Response, headers: Headers) -> ReadableStream:
    encoding = (headers.find("content-encoding") or "").strip()  # names in capitals are not known
    chunks = _chunks(answer, request.given_signal)
    if request.encode_response_body == "automatic" and can_decode(encoding):
        return ReadableStream.of_async_iterator(_closing(decoded(chunks, encoding), chunks))
    length = headers.find("content-length")
    known = length is not None and length.isascii() and length.isdigit()
    return ReadableStream.of_async_iterator(chunks, length=int(length) if known and length is not None else None)


async def _chunks(answer: httpx.Response, signal: AbortSignal | None) -> AsyncIterator[bytes]:
    """Read the body as it comes; the connection goes back to the pool at its end."""
    assert isinstance(answer.stream, httpx.AsyncByteStream)
    iterator = answer.stream.__aiter__()
    try:
        while True:
            chunk = await unless_aborted(signal, _in_own_task(_next(iterator)))
            if chunk is None:
                return
            yield chunk
    except httpx.HTTPError as error:
        raise _failure(error) from error
    finally:
        await _in_own_task(answer.stream.aclose())


async def _in_own_task(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of the HTTP library from its first step to its last in one task.

    A promise's code may begin in one task and go on in another, which the library's cancel scopes do not bear.
    """
    return await asyncio.get_running_loop().create_task(work)


async def _next(iterator: AsyncIterator[bytes]) -> bytes | None:
    return await anext(iterator, None)


async def _closing(chunks: AsyncIterator[bytes], source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Iterate chunks; close what they come from when they end or nobody wants more."""
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        await _aclose(chunks)
        await _aclose(source)


async def _aclose(iterator: AsyncIterator[bytes]) -> None:
    aclose = getattr(iterator, "aclose", None)
    if aclose is not None:
        await aclose()


def _tell(error: httpx.HTTPError, url: httpx.URL) -> None:
    """Show at the terminal why a request failed, which the platform's text does not say."""
    origin = f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"
    _log.warning("fetch from %s failed: %s", origin, str(error) or type(error).__name__)


def _failure(error: httpx.HTTPError) -> JsException:
    """Return what a worker sees of a failure below HTTP."""
    if isinstance(error, httpx.UnsupportedProtocol):
        return type_error(f"Fetch API cannot load: {error.request.url}")
    is_unresolved = isinstance(error, httpx.ConnectError) and "[Errno -" in str(error)
    is_garbage = isinstance(error, httpx.ProtocolError) and "disconnected" not in str(error)
    if is_unresolved or (is_garbage and not str(error).startswith("peer closed")):
        # No such host, headers that HTTP/1.1 cannot carry, or an answer that is no HTTP.
        return JsException("Error", f"internal error; reference = {secrets.token_hex(12)}")
    lost = JsException("Error", _CONNECTION_LOST)
    lost.retryable = True  # type: ignore[attr-defined]  # the platform's own field
    return lost
