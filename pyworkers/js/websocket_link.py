"""The two ends of a WebSocket connection inside of the process, and the host's way to hold one of them.

A message is ``str``, ``bytes`` or a `Close`, which is the last. Each direction is a queue: a worker's ``send`` never
waits, as in production; the host's does when the worker falls behind.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

NO_CLOSE_FRAME: Final = "WebSocket disconnected without sending Close frame."
WAITING_MESSAGES: Final = 64  # that the host's `send` lets pile up before it waits


@dataclass(frozen=True, slots=True)
class Close:
    """The end of one direction.

    Attributes:
        code: 1000-4999; 1005 stands for a close frame without a code, 1006 for none at all.
        reason: text.
        was_clean: a close frame was sent.
        error: why the connection broke, where it did not just end.
    """

    code: int = 1005
    reason: str = ""
    was_clean: bool = True
    error: str = ""


Message = str | bytes | Close


def lost() -> Close:
    """Return the end of a connection that ended without a close frame."""
    return Close(1006, NO_CLOSE_FRAME, was_clean=False)


def protocol_failure(code: int, description: str) -> Close:
    """Return the end of a connection whose other side broke the rules, or sent too much.

    Args:
        code: that it was told: 1002, 1007 or 1009.
    """
    text = "Message is too large" if code == 1009 else description
    error = f"WebSocket protocol error; protocolError.statusCode = {code}; protocolError.description = {text}"
    return Close(1006, NO_CLOSE_FRAME, was_clean=False, error=error)


class Lane:
    """One direction of a connection."""

    def __init__(self) -> None:
        self.is_closed = False
        self._messages: deque[Message] = deque()
        self._readers: deque[asyncio.Future[None]] = deque()
        self._writers: deque[asyncio.Future[None]] = deque()

    def put(self, message: Message) -> None:
        """Queue a message; what comes after a `Close` is dropped."""
        if self.is_closed:
            return
        self.is_closed = isinstance(message, Close)
        self._messages.append(message)
        _wake(self._readers)

    async def put_when_room(self, message: Message) -> None:
        """Queue a message once fewer than `WAITING_MESSAGES` are waiting."""
        while len(self._messages) >= WAITING_MESSAGES and not self.is_closed:
            await _wait(self._writers)
        self.put(message)

    async def get(self) -> Message:
        """Wait for the next message."""
        while not self._messages:
            await _wait(self._readers)
        message = self._messages.popleft()
        if len(self._messages) < WAITING_MESSAGES:
            _wake(self._writers)
        return message


class HostSocket:
    """A connection's end in the host's hands: what a server couples with the client's connection.

    Args:
        incoming: what the worker sends.
        outgoing: what the worker receives.
    """

    def __init__(self, incoming: Lane, outgoing: Lane) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    async def receive(self) -> Message:
        """Wait for the worker's next message; a `Close` is the last."""
        return await self._incoming.get()

    async def send(self, data: str | bytes) -> None:
        """Hand the worker a message; waits while it has too many to work on."""
        await self._outgoing.put_when_room(data)

    async def close(self, code: int = 1005, reason: str = "") -> None:
        """Hand the worker the client's close frame."""
        await self.deliver(Close(code, reason))

    async def deliver(self, end: Close) -> None:
        """Hand the worker the end of what comes; where that was no close frame, what it sends is dropped."""
        self._outgoing.put(end)
        if not end.was_clean:
            self._incoming.is_closed = True

    def abort(self) -> None:
        """The client went away without a close frame: the worker sees code 1006."""
        self._outgoing.put(lost())
        self._incoming.is_closed = True


def _wake(waiters: deque[asyncio.Future[None]]) -> None:
    while waiters:
        future = waiters.popleft()
        if not future.done():
            future.set_result(None)
            return


async def _wait(waiters: deque[asyncio.Future[None]]) -> None:
    future = asyncio.get_running_loop().create_future()
    waiters.append(future)
    await future
