"""uvicorn's HTTP/1.1 protocol, with what the real runtime answers where uvicorn's answer differs."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote_from_bytes

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pyworkers.server.cycle import EXTENSION, Cycle

MAX_HEADER_BYTES: Final = 128 * 1024
_METHOD: Final = re.compile(rb"([A-Za-z]+) ")
_COMMON: Final = frozenset((b"GET ", b"POST"))
_SAFE: Final = "".join(map(chr, range(0x20, 0x7F)))
_LINGER_S: Final = 2.0
_LINGER_BYTES: Final = 64 * 1024 * 1024


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 on one connection.

    A request whose headers exceed 128 KB is answered 431 before they are kept in memory; a method that does not exist
    gets 501; a path may hold raw bytes beyond ASCII.

    Source: recorded, contracts/http, http.req.methods and http.req.get;
    developers.cloudflare.com/workers/platform/limits (checked 2026-11-23)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_headers = True
        self._header_bytes = 0
        self._refused_bytes: int | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what arrived."""
        if not self._in_headers:
            super().data_received(data)
            return
        if self._refused_bytes is not None:
            self._discard(data)
            return
        if not self._header_bytes:
            if data[:4] not in _COMMON and (method := _METHOD.match(data)) and not _is_method(method[1]):
                self._refuse(501, b"Not Implemented", b"ERROR: Unrecognized request method.")
                return
            if not data.isascii():
                data = _quote_target(data)
        super().data_received(data)
        if self._in_headers and self.parser is not None:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
                self._refuse(431, b"Request Header Fields Too Large", b"ERROR: Request headers too large.")

    def on_headers_complete(self) -> None:
        """Start the request."""
        self._in_headers = False
        self._header_bytes = 0
        previous = self.cycle
        super().on_headers_complete()
        cycle: Any = self.cycle
        if cycle is not previous:
            # uvicorn names its class itself; ours adds a method and no state. The request's task has not run yet.
            cycle.__class__ = Cycle
            self.scope["extensions"] = {EXTENSION: cycle}

    def on_message_complete(self) -> None:
        """Note that headers follow."""
        self._in_headers = True
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection to the WebSocket protocol, which is imported by the first that needs it."""
        if self.ws_protocol_class is None:
            from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

            self.ws_protocol_class = WebSocketsSansIOProtocol
        super().handle_websocket_upgrade()

    def _should_upgrade_to_ws(self) -> bool:
        return True

    def _refuse(self, status: int, reason: bytes, text: bytes) -> None:
        """Answer, and go on reading for a moment: closing at once would reset the connection and lose the answer."""
        self.transport.write(
            b"HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n%s"
            % (status, reason, len(text), text)
        )
        self._refused_bytes = 0
        self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.close)

    def _discard(self, data: bytes) -> None:
        assert self._refused_bytes is not None
        self._refused_bytes += len(data)
        if self._refused_bytes > _LINGER_BYTES:
            self.transport.abort()


def _quote_target(data: bytes) -> bytes:
    """Percent-encode what is not ASCII in the request line, as a URL parser would; the parser takes ASCII only."""
    line, separator, rest = data.partition(b"\r\n")
    if line.isascii():
        return data
    return quote_from_bytes(line, _SAFE).encode() + separator + rest


_known_methods: dict[bytes, bool] = {}


def _is_method(method: bytes) -> bool:
    """Ask the parser; it knows what HTTP registers, in capitals."""
    if method not in _known_methods:
        if len(_known_methods) > 1000:
            return False
        try:
            httptools.HttpRequestParser(None).feed_data(method + b" / HTTP/1.1\r\n\r\n")
            _known_methods[method] = True
        except httptools.HttpParserUpgrade:
            _known_methods[method] = method != b"CONNECT"
        except httptools.HttpParserError:
            _known_methods[method] = False
    return _known_methods[method]
