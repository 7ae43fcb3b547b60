"""One request and response of uvicorn's protocol: the bytes of the answer are the runtime's, not uvicorn's.

ASGI sends an answer in two messages, and uvicorn checks every header against two patterns, puts names in lower case and
has a reason phrase of its own. A worker's headers were checked when they were set, so an answer that is there as a
whole leaves in one write.

Source: recorded, contracts/http, http.resp.*
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from pyworkers.js.headers import RawHeaders
from pyworkers.server.wire import message_head

EXTENSION: Final = "pyworkers.cycle"
_CLOSE: Final = (b"Connection: close\r\n",)
_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
_BODILESS: Final = frozenset((101, 204, 304))


class Cycle(RequestResponseCycle):
    """One request and response; in the scope's extensions under `EXTENSION`."""

    def answer(self, status: int, reason: bytes, headers: RawHeaders, body: bytes) -> bool:
        """Send a whole response at once; False, and nothing is sent, when the client cannot take it now.

        Args:
            headers: all of them, framing included, free of line breaks.
            body: as it goes over the wire.
        """
        if self.response_started or self.disconnected or self.flow.write_paused:
            return False
        self.response_started = True
        self.waiting_for_100_continue = False
        head = message_head(status, reason, headers, () if self.keep_alive else self._closing())
        head.append(body)
        self.transport.write(b"".join(head))
        self._complete()
        return True

    async def send(self, message: Any) -> None:
        """Send an ASGI message; ``http.response.start`` may have a ``reason``."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self._start(message["status"], message.get("reason"), message.get("headers", []))
        elif not self.response_complete:
            self._continue(message.get("body", b""), is_last=not message.get("more_body", False))
        else:
            raise RuntimeError(f"the response is complete, and {message['type']} came")

    def cut(self) -> None:
        """Close the connection under a response that has begun and will not end; uvicorn would call it our mistake."""
        if self.response_started and not self.response_complete:
            self.disconnected = True
            self.transport.close()

    def _start(self, status: int, reason: bytes | None, headers: RawHeaders) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        length = next((value for name, value in headers if name == b"content-length"), None)
        extra = [] if self.keep_alive else [*self._closing()]
        if self.scope["method"] == "HEAD" or status in _BODILESS:
            self.chunked_encoding = None  # neither: there is no body
        elif length is not None:
            self.chunked_encoding = False
            self.expected_content_length = int(length)
        else:
            self.chunked_encoding = True
            if not any(name == b"transfer-encoding" for name, _ in headers):
                extra.append(_CHUNKED)
        self.transport.write(b"".join(message_head(status, reason, headers, extra)))

    def _continue(self, body: bytes, *, is_last: bool) -> None:
        if self.chunked_encoding:
            parts = [b"%x\r\n" % len(body), body, b"\r\n"] if body else []
            if is_last:
                parts.append(b"0\r\n\r\n")
            self.transport.write(b"".join(parts))
        elif body and self.chunked_encoding is not None:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("the response is longer than its Content-Length")
            self.transport.write(body)
        if is_last:
            if self.expected_content_length:
                raise RuntimeError("the response is shorter than its Content-Length")
            self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _closing(self) -> Iterable[bytes]:
        """Say that the connection closes, unless the client has said so itself."""
        if self.scope["http_version"] == "1.0":
            return ()
        asked = (value.lower() for name, value in self.scope["headers"] if name == b"connection")
        return () if any(b"close" in value for value in asked) else _CLOSE
