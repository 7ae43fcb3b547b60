"""The hibernatable WebSockets of one object, which stay open while it is not in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from pyworkers.clock import Clock
from pyworkers.js.websocket import WebSocket, WebSocketRequestResponsePair
from pyworkers.js.websocket_link import Close, Message

Deliver = Callable[[str, tuple[Any, ...]], Awaitable[None]]


class _Accepted:
    """What is known of one socket."""

    __slots__ = ("answered_ms", "tags")

    def __init__(self, tags: tuple[str, ...]) -> None:
        self.tags = tags
        self.answered_ms: int | None = None


class HibernatableSockets:
    """The sockets of one object.

    Args:
        clock: what dates automatic responses.
        deliver: runs a handler of the object by name; brings the object into memory where it is not.
    """

    def __init__(self, clock: Clock, deliver: Deliver) -> None:
        self.auto_response: WebSocketRequestResponsePair | None = None
        self.event_timeout_ms: int | None = None
        self._clock = clock
        self._deliver = deliver
        self._accepted: dict[WebSocket, _Accepted] = {}

    def __len__(self) -> int:
        return len(self._accepted)

    def accept(self, socket: WebSocket, tags: tuple[str, ...]) -> None:
        """Take a socket over."""
        socket.accept_hibernatable(lambda message: self._receive(socket, message))
        self._accepted[socket] = _Accepted(tags)

    def tagged(self, tag: str | None) -> list[WebSocket]:
        """Return the sockets with a tag, in the order in which they came, or all, the latest first."""
        if tag is None:
            return list(reversed(self._accepted))
        return [socket for socket, known in self._accepted.items() if tag in known.tags]

    def tags_of(self, socket: WebSocket) -> tuple[str, ...] | None:
        """Return a socket's tags; None where it is not one of these."""
        known = self._accepted.get(socket)
        return None if known is None else known.tags

    def auto_response_ms(self, socket: WebSocket) -> int | None:
        """Return when a socket was last answered automatically."""
        known = self._accepted.get(socket)
        return None if known is None else known.answered_ms

    def disconnect(self) -> None:
        """Break every connection."""
        accepted, self._accepted = self._accepted, {}
        for socket in accepted:
            socket.disconnect()

    async def _receive(self, socket: WebSocket, message: Message) -> None:
        known = self._accepted.get(socket)
        if known is None:
            return
        if isinstance(message, Close):
            try:
                await self._deliver("webSocketClose", (socket, message.code, message.reason, message.was_clean))
            finally:
                self._accepted.pop(socket, None)
            return
        pair = self.auto_response
        if pair is not None and message == pair.request:
            known.answered_ms = self._clock.now_ms()
            socket.answer(pair.response)
            return
        limit_ms = self.event_timeout_ms
        if limit_ms is None:
            await self._deliver("webSocketMessage", (socket, message))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_ms / 1000):
                await self._deliver("webSocketMessage", (socket, message))
