"""From an ASGI request to the worker's `Request`: what is not touched is not computed.

Source: recorded, contracts/http_dev, http_dev.req.*
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, Final, TypeAlias

from pyworkers.js.headers import RawHeaders
from pyworkers.js.request import Request
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.url import parse_url
from pyworkers.js.values import JsException
from pyworkers.server.cf import incoming_cf

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

SMALL_BODY_BYTES: Final = 64 * 1024
_MAX_BUFFER_BYTES: Final = 256 * 1024
_BODYLESS: Final = frozenset(("GET", "HEAD"))
_HOP_BY_HOP: Final = frozenset((b"connection", b"keep-alive", b"te", b"trailer", b"accept-encoding"))
_ACCEPT_ENCODING: Final = (b"accept-encoding", b"br, gzip")
_NO_LENGTH: Final = (b"content-length", b"0")


class Inbox:
    """The only reader of a request's ASGI messages: its body, and the news that the client has gone.

    Args:
        receive: the ASGI callable.
    """

    __slots__ = ("_arrived", "_buffered", "_bytes", "_complete", "_read", "_receive", "_task", "is_gone", "on_gone")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._buffered: deque[bytes] | tuple[()] = ()
        self._bytes = 0
        self._complete = False
        self._task: asyncio.Task[None] | None = None
        self._arrived: asyncio.Event | None = None
        self._read: asyncio.Event | None = None
        self.is_gone = False
        self.on_gone: Callable[[], object] | None = None

    async def read_small(self) -> bytes | None:
        """Return the body if one message holds it; else None, and `body` gives what came and what follows."""
        message = await self._receive()
        self._take(message)
        return self._buffered.popleft() if self._complete and self._buffered else None

    def set_complete(self) -> None:
        """The request has no body: only the client's leaving is left to hear of."""
        self._complete = True

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; the client is slowed down while nobody reads.

        Raises:
            JsException: the client went before its body was complete.
        """
        while True:
            while self._buffered:
                chunk = self._buffered.popleft()
                self._bytes -= len(chunk)
                if self._read is not None:
                    self._read.set()
                yield chunk
            if self._complete:
                return
            if self.is_gone:
                raise JsException("Error", "Network connection lost.")
            self.watch()
            if self._arrived is None:
                self._arrived = asyncio.Event()
            self._arrived.clear()
            await self._arrived.wait()

    def watch(self) -> None:
        """Read ahead in a task, up to a limit, until the client goes or `close` is called."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._pump())

    def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()

    async def _pump(self) -> None:
        while not self.is_gone:
            if self._bytes > _MAX_BUFFER_BYTES:
                self._read = asyncio.Event()
                await self._read.wait()
                continue
            self._take(await self._receive())
            if self._arrived is not None:
                self._arrived.set()
        if self.on_gone is not None:
            self.on_gone()

    def _take(self, message: Message) -> None:
        if message["type"] != "http.request":
            self.is_gone = True
            return
        chunk = message.get("body", b"")
        self._complete = self._complete or not message.get("more_body", False)
        if chunk or self._complete:
            if not isinstance(self._buffered, deque):
                self._buffered = deque()
            self._buffered.append(chunk)
            self._bytes += len(chunk)


async def make_request(scope: Scope, inbox: Inbox) -> Request:
    """Return the worker's request. A small body that has arrived stays bytes, any other is a stream."""
    method = scope["method"]
    length, is_chunked, waits = _framing(scope["headers"])
    body: bytes | ReadableStream | None = None
    if length is None and not is_chunked:
        inbox.set_complete()
        body = None if method in _BODYLESS else b""
    elif length == 0:
        body = None if method in _BODYLESS else b""
    else:
        # A client that waits for "100 Continue" gets it when the worker reads.
        if length is not None and length <= SMALL_BODY_BYTES and not waits:
            body = await inbox.read_small()
        if body is None:
            body = ReadableStream.of_async_iterator(inbox.body(), length=length)
    return lazy_request(scope, body)


def lazy_request(scope: Scope, body: bytes | ReadableStream | None) -> Request:
    """Return a request whose URL, headers and ``cf`` are computed when they are asked for."""
    return Request(
        method=scope["method"],
        url=partial(request_url, scope),
        headers=partial(request_headers, scope),
        body=body,
        cf=partial(incoming_cf, scope["http_version"]),
    )


def request_url(scope: Scope) -> str:
    """Return the request's URL as the client meant it: its Host header, not the socket's address."""
    host = next((value for name, value in scope["headers"] if name == b"host"), None)
    if not host:
        address, port = scope.get("server") or ("localhost", None)
        host = f"{address}:{port}".encode() if port else address.encode()
    scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
    query = scope["query_string"]
    path = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
    text = f"{scheme}://{host.decode('latin-1')}{path.decode('latin-1')}"
    parsed = parse_url(text)
    return f"{scheme}://localhost{path.decode('latin-1')}" if parsed is None else parsed.href


def request_headers(scope: Scope) -> RawHeaders:
    """Return the headers that a worker sees: hop-by-hop ones removed, those that Cloudflare's edge sets added."""
    received: RawHeaders = scope["headers"]
    headers = [pair for pair in received if pair[0] not in _HOP_BY_HOP]
    names = {name for name, _ in headers}
    headers.append(_ACCEPT_ENCODING)
    if b"cf-connecting-ip" not in names:
        client = scope.get("client")
        headers.append((b"cf-connecting-ip", client[0].encode() if client else b"127.0.0.1"))
    if (
        scope["type"] == "http"
        and scope["method"] not in _BODYLESS
        and b"content-length" not in names
        and b"transfer-encoding" not in names
    ):
        headers.append(_NO_LENGTH)
    return headers


def _framing(headers: RawHeaders) -> tuple[int | None, bool, bool]:
    """Return Content-Length, whether the body is chunked, and whether the client waits for "100 Continue"."""
    length: int | None = None
    is_chunked = waits = False
    for name, value in headers:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            is_chunked = True
        elif name == b"expect":
            waits = True
    return length, is_chunked, waits
