"""From an ASGI request to the worker's `Request`: what is not touched is not computed.

Source: recorded, contracts/http and contracts/http_dev, http.req.* and http_dev.req.*
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, Final, TypeAlias

from pyworkers.js.headers import RawHeaders, is_known
from pyworkers.js.request import Request
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.url import href_of, parse_url
from pyworkers.js.values import JsException
from pyworkers.server.cf import incoming_cf
from pyworkers.server.cycle import cycle_of
from pyworkers.server.front import WRANGLER, Front

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

SMALL_BODY_BYTES: Final = 64 * 1024
_SMALL_BODY_S: Final = 0.02  # how long one is waited for
_MAX_BUFFER_BYTES: Final = 256 * 1024
_BODYLESS: Final = frozenset(("GET", "HEAD"))
_REPLACED: Final = frozenset((b"accept-encoding",))
_HOP_BY_HOP: Final = _REPLACED | {b"connection", b"keep-alive", b"te", b"trailer"}
_ACCEPT_ENCODING: Final = (b"accept-encoding", b"br, gzip")
# What a Host is made of; the rest of the syntax is the URL parser's. The hosts that were asked for, once each.
_HOST: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+;=-]+(?::\d*)?|\[[0-9A-Fa-f:.]+\](?::\d*)?")
_MAX_HOSTS: Final = 1_000
_hosts: set[bytes | None] = set()
_NO_LENGTH: Final = (b"content-length", b"0")


class Refused(Exception):
    """The request cannot be a worker's.

    Args:
        status: of the answer.
        reason: its reason phrase, and its whole body.
        closes: the connection ends with it.
    """

    def __init__(self, status: int, reason: str, *, closes: bool = False) -> None:
        super().__init__(reason)
        self.closes = closes
        self.status = status
        self.reason = reason


class Inbox:
    """The only reader of a request's ASGI messages: its body, and the news that the client has gone.

    Args:
        receive: the ASGI callable.
        scope: of the request.
    """

    __slots__ = (
        *("_arrived", "_buffered", "_bytes", "_complete", "_read", "_receive", "_scope", "_task"),
        *("is_gone", "on_gone"),
    )

    def __init__(self, receive: Receive, scope: Scope) -> None:
        self._receive = receive
        self._scope = scope
        self._buffered: deque[bytes] | tuple[()] = ()
        self._bytes = 0
        self._complete = False
        self._task: asyncio.Task[None] | None = None
        self._arrived: asyncio.Event | None = None
        self._read: asyncio.Event | None = None
        self.is_gone = False
        self.on_gone: Callable[[], object] | None = None

    async def read_small(self) -> bytes | None:
        """Return the body if it comes soon and one message holds it; else None, and `body` gives all of it."""
        cycle = cycle_of(self._scope)
        if cycle is None or cycle.has_news:
            message = await self._receive()
        else:  # it may come behind its head, or only once the worker has answered
            timer = asyncio.get_running_loop().call_later(_SMALL_BODY_S, cycle.hurry)
            message = await self._receive()
            timer.cancel()
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
        """Stop reading, and telling."""
        self.on_gone = None
        if self._task is not None:
            self._task.cancel()

    async def _pump(self) -> None:
        while not self.is_gone:
            if self._bytes > _MAX_BUFFER_BYTES:
                await self._room()
                continue
            self._take(await self._receive())
            if self._arrived is not None:
                self._arrived.set()
        if self.on_gone is not None:
            self.on_gone()

    async def _room(self) -> None:
        """Wait until something is read, or the client has gone: `receive` would go on reading to tell of that."""
        self._read = asyncio.Event()
        cycle = cycle_of(self._scope)
        if cycle is None:
            await self._read.wait()
        elif cycle.disconnected:
            self._lose()
        else:
            cycle.on_lost = self._lose
            try:
                await self._read.wait()
            finally:
                cycle.on_lost = None

    def _lose(self) -> None:
        self.is_gone = True
        if self._read is not None:
            self._read.set()

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


async def make_request(scope: Scope, inbox: Inbox, front: Front = WRANGLER) -> Request:
    """Return the worker's request. A small body that has arrived stays bytes, any other is a stream.

    Raises:
        Refused: it names no host, or one that there cannot be.
    """
    length, is_chunked, waits, host = _framing(scope["headers"])
    if host not in _hosts:
        _check_host(host)
    body: bytes | ReadableStream | None = None
    if not is_chunked and (length is None or (length == 0 and front.is_wrangler and scope["method"] in _BODYLESS)):
        inbox.set_complete()
        body = b"" if front.is_wrangler and scope["method"] not in _BODYLESS else None
    elif length == 0:
        body = b""
    else:
        # A client that waits for "100 Continue" gets it when the worker reads.
        if length is not None and length <= SMALL_BODY_BYTES and not waits:
            body = await inbox.read_small()
        if body is None:
            body = ReadableStream.of_async_iterator(inbox.body(), length=length)
    return lazy_request(scope, body, front)


def lazy_request(scope: Scope, body: bytes | ReadableStream | None, front: Front = WRANGLER) -> Request:
    """Return a request whose URL, headers and ``cf`` are computed when they are asked for."""
    return Request(
        method=scope["method"],
        url=partial(request_url, scope),
        headers=partial(request_headers, scope, front),
        body=body,
        cf=partial(_cf, scope, front),
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
    href = href_of(text)
    return f"{scheme}://localhost{path.decode('latin-1')}" if href is None else href


def request_headers(scope: Scope, front: Front = WRANGLER) -> RawHeaders:
    """Return the headers that a worker sees: without what the front removes, with what Cloudflare's edge sets."""
    received: RawHeaders = scope["headers"]
    removed = _HOP_BY_HOP if front.is_wrangler else _REPLACED
    headers = [pair for pair in received if pair[0] not in removed and (pair[1] or not is_known(pair[0]))]
    names = {name for name, value in headers if value}
    headers.append(_ACCEPT_ENCODING)
    if front.is_wrangler:
        headers = _forwarded(scope, headers)
    if b"cf-connecting-ip" not in names:
        headers = [pair for pair in headers if pair[0] != b"cf-connecting-ip"]
        client = scope.get("client")
        headers.append((b"cf-connecting-ip", client[0].encode() if client else b"127.0.0.1"))
    if (
        front.is_wrangler
        and scope["type"] == "http"
        and scope["method"] not in _BODYLESS
        and b"content-length" not in names
        and b"transfer-encoding" not in names
    ):
        headers.append(_NO_LENGTH)
    return headers


def _forwarded(scope: Scope, headers: RawHeaders) -> RawHeaders:
    """Return headers as wrangler's proxy writes them again: the host as in the URL, the framing in its usual form."""
    known = {
        b"host": lambda value: _url_host(scope, value),
        b"content-length": lambda value: b"%d" % int(value),
        b"transfer-encoding": bytes.lower,
    }
    is_chunked = any(name == b"transfer-encoding" for name, _ in headers)
    is_bodyless = scope["method"] in _BODYLESS
    return [
        (name, known[name](value) if name in known else value)
        for name, value in headers
        if not (name == b"content-length" and (is_chunked or (is_bodyless and int(value) == 0)))
        and not (name == b"upgrade" and scope["type"] == "http")
    ]


def _url_host(scope: Scope, value: bytes) -> bytes:
    parsed = parse_url(f"{scope['scheme'].replace('ws', 'http')}://{value.decode('latin-1')}")
    return value if parsed is None else parsed.host.encode()


def _check_host(host: bytes | None) -> None:
    """Remember a host that is one.

    Raises:
        Refused: it is none.
    """
    if not host:
        raise Refused(400, "Bad Request")
    if not _HOST.fullmatch(host) or parse_url(f"http://{host.decode('latin-1')}") is None:
        raise Refused(500, "Internal Server Error", closes=True)
    if len(_hosts) < _MAX_HOSTS:
        _hosts.add(host)


def accept_encoding(headers: RawHeaders) -> bytes | None:
    """Return the client's Accept-Encoding, several joined, or None."""
    values = [value for name, value in headers if name == b"accept-encoding"]
    return b", ".join(values) if values else None


def _cf(scope: Scope, front: Front) -> Any:
    accepted = (accept_encoding(scope["headers"]) or b"").decode("latin-1")
    return incoming_cf("1.1", accepted, front.cf)


def _framing(headers: RawHeaders) -> tuple[int | None, bool, bool, bytes | None]:
    """Return Content-Length, whether the body is chunked, whether "100 Continue" is waited for, and the Host."""
    length: int | None = None
    is_chunked = waits = False
    host: bytes | None = None
    for name, value in headers:
        if name == b"content-length":
            length = int(value) if value else None
        elif name == b"transfer-encoding":
            is_chunked = bool(value)
            if is_chunked and value.lower() != b"chunked":
                raise Refused(500, "Internal Server Error", closes=True)
        elif name == b"expect":
            waits = True
        elif name == b"host":
            host = value if host is None else b", ".join((host, value))
    return length, is_chunked, waits, host
