"""One request and response of a connection, as an ASGI application has it.

In uvicorn's place, whose own checks every header against two patterns, puts names in lower case, has a reason phrase of
its own, and makes for every request what most need none of. A worker's headers were checked when they were set, so an
answer that is there as a whole leaves in one write.

Source: recorded, contracts/http, http.resp.*; asgi.readthedocs.io, HTTP and WebSocket protocol 2.3
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from pyworkers.js.headers import RawHeaders
from pyworkers.server.wire import message_head, reason_of

if TYPE_CHECKING:
    from pyworkers.server.protocol import HttpProtocol

EXTENSION: Final = "pyworkers.cycle"
_CLOSE: Final = (b"Connection: close\r\n",)
_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS: Final = frozenset((101, 204, 304))
_HIGH_WATER_BYTES: Final = 64 * 1024
_log = logging.getLogger("uvicorn.error")


class Cycle:
    """One request and response; in the scope's extensions under `EXTENSION`.

    Args:
        protocol: of the connection.
        is_head: whether the answer has no body.
        closing: header lines that say that the connection closes, where it does and the client has not said so.
        expects_continue: whether the client waits for word that it may send the body.

    Attributes:
        disconnected: the client has gone, or is to be taken for gone.
        keep_alive: whether the connection takes another request.
        task: runs the application.
    """

    __slots__ = (
        *("_chunked", "_closing", "_has_news", "_is_head", "_left", "_more", "_pieces", "_protocol", "_size"),
        *("_waiter", "disconnected", "expects_continue", "keep_alive", "response_complete", "response_started", "task"),
    )

    def __init__(
        self,
        protocol: HttpProtocol,
        *,
        is_head: bool,
        keep_alive: bool,
        closing: Iterable[bytes],
        expects_continue: bool,
    ) -> None:
        self._protocol = protocol
        self._is_head = is_head
        self._closing = closing
        self.keep_alive = keep_alive
        self.expects_continue = expects_continue
        self.task: asyncio.Task[None] | None = None
        self.disconnected = False
        # The request's body: what has come of it and nobody has received.
        self._pieces: list[bytes] | tuple[()] = ()
        self._size = 0
        self._more = True
        self._has_news = False
        self._waiter: asyncio.Future[None] | None = None
        # The response: whether its body is chunked (None: it has none), and how much of a length is left.
        self.response_started = False
        self.response_complete = False
        self._chunked: bool | None = None
        self._left = 0

    async def run(self, app: Any, scope: dict[str, Any]) -> None:
        """Run the application, which answers whatever happens in it: what escapes it is our mistake."""
        try:
            await app(scope, self.receive, self.send)
            if not self.response_complete and not self.disconnected:
                _log.error("the application ended before its response: %s %s", scope["method"], scope["path"])
                self._protocol.transport.close()
        except BaseException as error:
            _log.error("Exception in ASGI application\n", exc_info=error)
            if self.response_started:
                self._protocol.transport.close()
            else:
                self.keep_alive = False
                body = b"Internal Server Error"
                headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"text/plain; charset=utf-8")]
                self.answer(500, reason_of(500), headers, body)
        finally:
            if self.task is not None:
                self._protocol.tasks.discard(self.task)

    # ---- the request's body

    def take(self, piece: bytes) -> None:
        """Take a piece of the body; a client whose body has come needs no word that it may send it."""
        self.expects_continue = False
        if self.response_complete:
            return
        if not isinstance(self._pieces, list):
            self._pieces = []
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _HIGH_WATER_BYTES:
            self._protocol.flow.pause_reading()
        self._tell()

    def end(self) -> None:
        """The body has come."""
        self._more = False
        self._tell()

    def lose(self) -> None:
        """The client has gone."""
        if not self.response_complete:
            self.disconnected = True
        self._tell()

    async def receive(self) -> dict[str, Any]:
        """Return the next ASGI message: what has come of the body since the last one, or that the client has gone."""
        protocol = self._protocol
        if self.expects_continue and not protocol.transport.is_closing():
            self.expects_continue = False
            protocol.transport.write(_CONTINUE)
        if not self.disconnected and not self.response_complete:
            protocol.flow.resume_reading()
            while not self._has_news:
                self._waiter = protocol.loop.create_future()
                await self._waiter
            self._has_news = False
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body = b"".join(self._pieces)
        self._pieces = ()
        self._size = 0
        return {"type": "http.request", "body": body, "more_body": self._more}

    def _tell(self) -> None:
        self._has_news = True
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    # ---- the response

    def answer(self, status: int, reason: bytes, headers: RawHeaders, body: bytes) -> bool:
        """Send a whole response at once; False, and nothing is sent, when the client cannot take it now.

        Args:
            headers: all of them, framing included, free of line breaks.
            body: as it goes over the wire.
        """
        protocol = self._protocol
        if self.response_started or self.disconnected or protocol.flow.write_paused:
            return False
        self.response_started = True
        head = message_head(status, reason, headers, () if self.keep_alive else self._closing)
        head.append(body)
        protocol.transport.write(b"".join(head))
        self._complete()
        return True

    async def send(self, message: Any) -> None:
        """Send an ASGI message; ``http.response.start`` may have a ``reason``."""
        flow = self._protocol.flow
        if flow.write_paused and not self.disconnected:
            await flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self._start(message["status"], message.get("reason"), message.get("headers", []))
        elif not self.response_complete:
            self._continue(message.get("body", b""), is_last=not message.get("more_body", False))
        else:
            raise RuntimeError(f"the response is complete, and {message['type']} came")

    def cut(self) -> None:
        """Close the connection under a response that has begun and will not end; `run` would call it our mistake."""
        if self.response_started and not self.response_complete:
            self.disconnected = True
            self._protocol.transport.close()

    def _start(self, status: int, reason: bytes | None, headers: RawHeaders) -> None:
        self.response_started = True
        length = next((value for name, value in headers if name == b"content-length"), None)
        extra = [] if self.keep_alive else [*self._closing]
        if self._is_head or status in _BODILESS:
            self._chunked = None
        elif length is not None:
            self._chunked = False
            self._left = int(length)
        else:
            self._chunked = True
            if not any(name == b"transfer-encoding" for name, _ in headers):
                extra.append(_CHUNKED)
        self._protocol.transport.write(b"".join(message_head(status, reason, headers, extra)))

    def _continue(self, body: bytes, *, is_last: bool) -> None:
        transport = self._protocol.transport
        if self._chunked:
            parts = [b"%x\r\n" % len(body), body, b"\r\n"] if body else []
            if is_last:
                parts.append(b"0\r\n\r\n")
            transport.write(b"".join(parts))
        elif body and self._chunked is not None:
            self._left -= len(body)
            if self._left < 0:
                raise RuntimeError("the response is longer than its Content-Length")
            transport.write(body)
        if is_last:
            if self._left:
                raise RuntimeError("the response is shorter than its Content-Length")
            self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        self.expects_continue = False
        if self._waiter is not None:
            self._tell()
        protocol = self._protocol
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()
