"""uvicorn's HTTP/1.1 protocol, with what the real runtime answers where uvicorn's answer differs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pyworkers.js.request import METHODS
from pyworkers.server.cycle import EXTENSION, Cycle
from pyworkers.server.head import BadFraming, is_method, quote_target, read_head
from pyworkers.server.turns import Scope, Turns
from pyworkers.server.wire import reason_of

# Method and target, as far as they are known, the status, and why.
OnRefused: TypeAlias = Callable[[str, str, int, str], None]

MAX_HEADER_BYTES: Final = 128 * 1024
_METHOD: Final = re.compile(rb"([A-Za-z-]+) ")
_REQUEST_LINE: Final = re.compile(rb"([!-~]{1,20}) ([!-\xff]+)")
_NO_METHOD: Final = "Unrecognized request method."
_NOT_VALID: Final = "The headers sent by your client are not valid."
_TOO_LARGE: Final = "Request headers too large."
_NO_PATH: Final = "the target is no path"
_FAILED: Final = b"Internal Server Error"
_COMMON: Final = frozenset((b"GET ", b"POST"))
_FRAMING: Final = (b"content-length", b"transfer-encoding")
_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
_CLOSE: Final = (b"Connection: close\r\n",)
_LINGER_S: Final = 2.0
_LINGER_BYTES: Final = 64 * 1024 * 1024


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 on one connection.

    A request whose headers exceed 128 KB is answered 431 however they arrive; a method that does not exist gets 501; a
    path may hold raw bytes beyond ASCII.

    Args:
        on_refused: told of each request that the application does not see.

    Source: recorded, contracts/http, http.req.methods and http.req.get; capnproto, kj/compat/http.c++;
    developers.cloudflare.com/workers/platform/limits (checked 2026-11-23)
    """

    _turns: Turns
    cycle: Any  # a Cycle, where uvicorn has a class of its own; None before the first request
    scope: Any

    def __init__(self, *args: Any, on_refused: OnRefused = lambda *_: None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._on_refused = on_refused
        self._in_headers = True
        self._has_begun = False  # some of a head has come
        self._header_bytes = 0  # of a head that has not all come, from earlier reads
        self._read = b""  # the last read, where a head begins with it or goes on
        self._read_bytes = 0
        self._refused_bytes: int | None = None
        self._due: tuple[int, str, bytes] | None = None  # a refusal, after the answers that are due before it
        self._upgrades = False  # the request hands the connection to another protocol
        self._declines = False  # it asks for a protocol that there is not
        self._idle_since_s: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin."""
        super().connection_made(transport)
        self._turns = Turns(self.app, transport, self.loop, self.tasks)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived."""
        if self._refused_bytes is not None:
            self._discard(data)
            return
        self._read = data
        self._read_bytes = len(data)
        self._idle_since_s = None
        if self._in_headers and not self._header_bytes:
            if data[:4] not in _COMMON and (method := _METHOD.match(data)) and not is_method(method[1]):
                self._refuse_method(method[1])
                return
            if not data.isascii():
                data = self._read = quote_target(data)
        self._feed(data)
        if self._in_headers and self._has_begun and self._refused_bytes is None:
            # Of a head that began behind another request, in one read with it, what has been parsed is known.
            self._header_bytes = self._header_bytes + len(data) if self._read else max(1, self._size_of_headers())
            if self._header_bytes > MAX_HEADER_BYTES:
                self._refuse(431, _TOO_LARGE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell those who wait for the client that it has gone."""
        self.connections.discard(self)
        self._turns.lose()
        self.cycle = self.scope = None  # they refer to this object, too
        self._end()
        self.flow.resume_writing()
        self.parser = None  # type: ignore[assignment]  # as uvicorn does: it refers to this object
        if exc is None:
            self.transport.close()

    def on_message_begin(self) -> None:
        """Forget the request before."""
        if not self._in_headers:
            return  # a head that is parsed again, see `_go_on`
        self._has_begun = True
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        if self._in_headers:
            self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers, which come after the body, are ignored as the runtime ignores them."""
        if self._in_headers:  # as uvicorn does, without the call: this runs for every header
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Start the request."""
        if not self._in_headers:
            return
        is_large = self._header_bytes or self._read_bytes > MAX_HEADER_BYTES  # or may be
        if is_large and self._size_of_headers() > MAX_HEADER_BYTES:
            self._refuse(431, _TOO_LARGE)
            raise httptools.HttpParserError(_TOO_LARGE)
        url = self.url
        if url[:1] != b"/":
            self._refuse(500, _NO_PATH, answer=_FAILED)
            raise httptools.HttpParserError(_NO_PATH)
        scope = self._scope(url)
        if scope["method"] not in METHODS:
            self._refuse_method(b"")
            raise httptools.HttpParserError(_NO_METHOD)
        self.scope = scope
        self._in_headers = self._has_begun = False
        self._header_bytes = 0
        asks = self.parser.should_upgrade()
        self._upgrades = asks and self._should_upgrade()
        self._declines = asks and not self._upgrades
        if self._upgrades:
            return
        version = scope["http_version"]
        keep_alive = version != "1.0" and self.parser.should_keep_alive()
        cycle = Cycle(
            self,
            is_head=scope["method"] == "HEAD",
            keep_alive=keep_alive,
            closing=_CLOSE if keep_alive else self._closing(version),
            expects_continue=self.expect_100_continue and version != "1.0",
        )
        scope["extensions"] = {EXTENSION: cycle}
        if not self._is_free():
            self.flow.pause_reading()
        self.cycle = cycle
        self._turns.add(cycle, scope)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if not self._upgrades:
            self.cycle.take(body)

    def on_message_complete(self) -> None:
        """Note that headers follow, of which this read may hold some."""
        if self._declines:
            return  # its body is still to come
        self._in_headers = True
        self._read = b""
        if not self._upgrades:
            self.cycle.end()

    def on_response_complete(self) -> None:
        """Go on with the next request; the last one may be none."""
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self._refused_bytes is not None and not self._turns.is_owing:
            if self._due is not None:
                (status, why, answer), self._due = self._due, None
                self._refuse(status, why, answer=answer)
            elif self._upgrades:
                self.handle_websocket_upgrade()
            return
        if self._turns.has_next:
            return
        self._idle_since_s = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self._end_idle)

    def linger(self) -> None:
        """End what is written, and go on reading for a moment: closing at once would reset the connection."""
        self._refused_bytes = 0
        self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.close)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection to the WebSocket protocol, which is imported by the first that needs it."""
        if self.ws_protocol_class is None:
            from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

            self.ws_protocol_class = WebSocketsSansIOProtocol
        self._end()
        super().handle_websocket_upgrade()
        upgraded: Any = self.transport.get_protocol()
        if upgraded.conn.handshake_exc is not None and not self.transport.is_closing():
            # What the library cannot read (a body, a header of 8 KB) it leaves without an answer.
            self.transport.set_protocol(self)
            self.connections.discard(upgraded)
            self.connections.add(self)
            self._refuse(400, _NOT_VALID)

    def _should_upgrade_to_ws(self) -> bool:
        """Tell whether the handshake can be answered; what cannot is a request like any other."""
        headers = dict(self.headers)
        return headers.get(b"sec-websocket-version") == b"13" and bool(headers.get(b"sec-websocket-key"))

    def _scope(self, url: bytes) -> Scope:
        target = url.partition(b"#")[0] if b"#" in url else url
        raw_path, mark, query = target.partition(b"?")
        path = raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": self.parser.get_http_version(),
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": self.parser.get_method().decode("ascii"),
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path if query or not mark else target,  # an empty query is one, in the URL
            "query_string": query,
            "headers": self.headers,
        }

    def _closing(self, version: str) -> Iterable[bytes]:
        """Say that the connection closes, unless the client has said so itself."""
        asked = any(b"close" in value.lower() for name, value in self.headers if name == b"connection")
        return () if version == "1.0" or asked else _CLOSE

    def _end(self) -> None:
        """No request comes any more."""
        self._turns.end()
        self._unset_keepalive_if_required()

    def _end_idle(self) -> None:
        """Close a connection that has been idle for long; called late, as each request moves the moment."""
        self.timeout_keep_alive_task = None
        if self._idle_since_s is None:
            return  # the next answer starts the wait anew
        left_s = self._idle_since_s + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left_s, self._end_idle)
        elif not self.transport.is_closing():
            self.transport.close()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._end_http(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            begins = self._in_headers and self._read and not self._header_bytes  # the head, with this read
            if begins and self._refused_bytes is None and self._is_free():
                self._feed_as_read(data)
            else:
                self._refuse_invalid(data, error)

    def _end_http(self, rest: bytes) -> None:
        if self._declines:
            self._go_on(rest)
        elif self._turns.is_owing:
            self._refused_bytes = 0  # what comes before the handshake's answer belongs to nothing
        else:
            self.handle_websocket_upgrade()

    def _go_on(self, rest: bytes) -> None:
        """Parse what follows a head that asks for another protocol, which the parser takes for that protocol's.

        Java's client, for one, asks for HTTP/2 with every request, and sends its body at once.
        """
        self._declines = False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        framing = [b"%s: %s\r\n" % pair for pair in self.headers if pair[0] in _FRAMING]
        self._feed(b"POST / HTTP/1.1\r\n%s\r\n" % b"".join(framing))  # of which nothing but the body is noticed
        if rest and self._refused_bytes is None:
            self._feed(rest)

    def _feed_as_read(self, data: bytes) -> None:
        """Parse what the parser has refused, as the runtime reads it."""
        try:
            head = read_head(data)
        except BadFraming:
            self._refuse(500, "the body's length is not clear", answer=_FAILED)
            return
        if head is None:
            self._refuse_invalid(data)
            return
        if not head[0].split(b" ", 2)[1].startswith(b"/"):
            self._refuse(500, _NO_PATH, answer=_FAILED)
            return
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_chunked_length=True, lenient_data_after_close=True
        )
        self._read = b"".join(head)
        try:
            self.parser.feed_data(self._read)
        except httptools.HttpParserUpgrade as upgrade:
            self._end_http(self._read[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse_invalid(data, error)

    def _is_free(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _refuse_invalid(self, data: bytes, error: Exception | None = None) -> None:
        """Answer what is no HTTP."""
        if self._refused_bytes is not None:
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not self._in_headers:
            if cycle.response_started:
                self.transport.close()
                return
            cycle.lose()  # what the application answers now has nowhere to go
            self._refuse(500, "the body is not valid", answer=_FAILED)
        elif not self._is_free():
            is_method = isinstance(error, httptools.HttpParserInvalidMethodError)
            self._refuse(501 if is_method else 400, _NO_METHOD if is_method else _NOT_VALID)
        elif not self._in_headers or _METHOD.match(data):
            self._refuse(400, _NOT_VALID)
        else:
            self._refuse_method(b"")

    def _refuse_method(self, method: bytes) -> None:
        if method == b"CONNECT":
            self._refuse(500, "CONNECT is not for workers", answer=_FAILED)
        else:
            self._refuse(501, _NO_METHOD)

    def _refuse(self, status: int, why: str, *, answer: bytes = b"") -> None:
        """Answer, after the answers that are due before it, and end the connection."""
        self._refused_bytes = 0
        if self._turns.is_owing:
            self._due = status, why, answer
            return
        text = b"ERROR: " + why.encode()
        kind = b"Content-Type: text/plain\r\n" if not answer else b""
        self.transport.write(
            b"HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n%s"
            % (status, reason_of(status), len(answer or text), kind, answer or text)
        )
        self.linger()
        method, target = self._request_line()
        self._on_refused(method.decode("latin-1"), target.decode("latin-1"), status, why)

    def _request_line(self) -> tuple[bytes, bytes]:
        """Return method and target as far as they are known: of what was parsed, else of what was read."""
        if self._header_bytes or not self._read:
            return self.parser.get_method(), self.url
        line = _REQUEST_LINE.match(self._read)
        return (line[1], line[2]) if line else (b"", b"")

    def _size_of_headers(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _discard(self, data: bytes) -> None:
        assert self._refused_bytes is not None
        self._refused_bytes += len(data)
        if self._refused_bytes > _LINGER_BYTES:
            self.transport.abort()
