"""One request and response of a connection, as an ASGI application has it.

In uvicorn's place, whose own checks every header against two patterns, puts names in lower case, has a reason phrase of
its own, and makes for every request what most need none of. A worker's headers were checked when they were set, so an
answer that is there as a whole leaves in one write.

Source: recorded, contracts/http, http.resp.*; asgi.readthedocs.io, HTTP and WebSocket protocol 2.3
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from pyworkers.js.headers import RawHeaders
from pyworkers.server.wire import message_head

EXTENSION: Final = "pyworkers.cycle"
_CLOSE: Final = (b"Connection: close\r\n",)
_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS: Final = frozenset((101, 204, 304))
_HIGH_WATER_BYTES: Final = 64 * 1024
_log = logging.getLogger("uvicorn.error")


class Flow(Protocol):
    """How fast a connection's two sides are, as uvicorn's ``FlowControl`` tells."""

    write_paused: bool

    async def drain(self) -> None:
        """Wait until the client has taken what was written."""
        ...

    def pause_reading(self) -> None:
        """Read no more until `resume_reading`."""
        ...

    def resume_reading(self) -> None:
        """Read on."""
        ...


class Connection(Protocol):
    """What a cycle needs of its connection."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop

    @property
    def flow(self) -> Flow:
        """The pace of its two sides."""
        ...

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        ...

    def linger(self) -> None:
        """End what is written, and read for a moment what still comes, so that the answer is not lost with it."""
        ...


class Cycle:
    """One request and response; in the scope's extensions under `EXTENSION`.

    Args:
        connection: that they are on.
        is_head: whether the answer has no body.
        closing: header lines that say that the connection closes, where it does and the client has not said so.
        expects_continue: whether the client waits for word that it may send the body.

    Attributes:
        disconnected: the client has gone, or is to be taken for gone.
        keep_alive: whether the connection takes another request.
        on_lost: called when the client goes before the response is complete.
    """

    __slots__ = (
        *("_chunked", "_closing", "_has_news", "_is_head", "_left", "_more", "_connection", "_pieces", "_size"),
        *("_waiter", "disconnected", "expects_continue", "keep_alive", "on_lost", "response_complete"),
        "response_started",
    )

    def __init__(
        self,
        connection: Connection,
        *,
        is_head: bool,
        keep_alive: bool,
        closing: Iterable[bytes],
        expects_continue: bool,
    ) -> None:
        self._connection = connection
        self._is_head = is_head
        self._closing = closing
        self.keep_alive = keep_alive
        self.expects_continue = expects_continue
        self.disconnected = False
        self.on_lost: Callable[[], object] | None = None
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

    def end_badly(self, error: BaseException | None) -> None:
        """The application has ended without its response: our mistake, since it answers whatever happens in it."""
        if error is not None:
            _log.error("Exception in ASGI application\n", exc_info=error)
        elif self.response_complete or self.disconnected:
            return
        else:
            _log.error("the application ended before its response")
        if self.response_started:
            self._connection.transport.close()
        elif not self.disconnected:
            self.keep_alive = False
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            self._send_whole(500, None, headers, b"Internal Server Error", has_no_length=False)

    # ---- the request's body

    @property
    def has_news(self) -> bool:
        """Tell whether `receive` would return at once."""
        return self._has_news

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
            self._connection.flow.pause_reading()
        self._tell()

    def end(self) -> None:
        """The body has come, or there is none: no word is waited for."""
        self._more = self.expects_continue = False
        self._tell()

    def lose(self) -> None:
        """The client has gone."""
        if not self.response_complete:
            self.disconnected = True
            if self.on_lost is not None:
                self.on_lost()
        self._tell()

    def hurry(self) -> None:
        """Let `receive` return, be it with nothing."""
        self._tell()

    async def receive(self) -> dict[str, Any]:
        """Return the next ASGI message: what has come of the body since the last one, or that the client has gone."""
        connection = self._connection
        if self.expects_continue and not connection.transport.is_closing():
            self.expects_continue = False
            connection.transport.write(_CONTINUE)
        if not self.disconnected and not self.response_complete:
            connection.flow.resume_reading()
            while not self._has_news:
                self._waiter = connection.loop.create_future()
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

    def answer(
        self, status: int, reason: bytes | None, headers: RawHeaders, body: bytes, *, has_no_length: bool = False
    ) -> bool:
        """Send a whole response at once; False, and nothing is sent, when the client cannot take it now.

        Args:
            reason: the reason phrase; None is the status's own.
            headers: all but those that frame the body, free of line breaks.
            has_no_length: whether the body is sent as a chunk.
        """
        if self.response_started or self.disconnected or self._connection.flow.write_paused:
            return False
        self._send_whole(status, reason, headers, body, has_no_length=has_no_length)
        return True

    def _send_whole(
        self, status: int, reason: bytes | None, headers: RawHeaders, body: bytes, *, has_no_length: bool
    ) -> None:
        self.response_started = True
        if self.expects_continue:
            self.keep_alive = False  # the client may send the body all the same, or leave it out
        framing = _CHUNKED if has_no_length else b"Content-Length: %d\r\n" % len(body)
        head = message_head(status, reason, headers, (framing,) if self.keep_alive else (*self._closing, framing))
        head.append(_in_chunks(body) if has_no_length else body)
        self._connection.transport.write(b"".join(head))
        self._complete()

    async def send(self, message: Any) -> None:
        """Send an ASGI message; ``http.response.start`` may have a ``reason``."""
        flow = self._connection.flow
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
            self._connection.transport.close()

    def _start(self, status: int, reason: bytes | None, headers: RawHeaders) -> None:
        self.response_started = True
        if self.expects_continue:  # the body may be what the answer is made of
            self.expects_continue = False
            self._connection.transport.write(_CONTINUE)
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
        self._connection.transport.write(b"".join(message_head(status, reason, headers, extra)))

    def _continue(self, body: bytes, *, is_last: bool) -> None:
        transport = self._connection.transport
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
        connection = self._connection
        if not self.keep_alive:
            if self._more:
                connection.linger()
            else:
                connection.transport.close()
        connection.on_response_complete()


def cycle_of(scope: Mapping[str, Any]) -> Cycle | None:
    """Return the cycle that a scope belongs to; None where another server made it, and for a WebSocket."""
    extensions = scope.get("extensions")
    return None if extensions is None else extensions.get(EXTENSION)


def _in_chunks(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
