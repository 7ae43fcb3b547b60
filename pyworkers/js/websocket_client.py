"""WebSocket connections to other servers: the handshake through the HTTP client, the frames by `websockets`.

What the worker sends waits for the network's pace, and what comes is read at the worker's.

Source: RFC 6455; what a worker sees of it: workerd, src/workerd/api/web-socket.c++, and observed on it
"""

from __future__ import annotations

import asyncio
import base64
import contextvars
import hashlib
import secrets
from collections.abc import Coroutine
from typing import Any, Final, Protocol

import httpcore
import httpx
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol as FrameProtocol
from websockets.protocol import Side, State

from pyworkers.js.headers import RawHeaders
from pyworkers.js.values import JsException
from pyworkers.js.websocket import WebSocket
from pyworkers.js.websocket_link import Close, HostSocket, Lane, lost, protocol_failure

MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
_CHUNK_BYTES: Final = 65_536
_CLOSE_TIMEOUT_S: Final = 10.0
_BROKEN: Final = (httpcore.NetworkError, OSError, EOFError)
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_NO_CODE: Final = 1005
_LOST: Final = 1006


class NetworkStream(Protocol):
    """The connection under a handshake, as the HTTP client gives it."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read some bytes; none at the end."""
        ...

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all bytes."""
        ...

    async def aclose(self) -> None:
        """Close the connection."""
        ...


def handshake_headers() -> tuple[str, RawHeaders]:
    """Return a new key, and the headers that ask for an upgrade with it."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    return key, [
        (b"connection", b"Upgrade"),
        (b"upgrade", b"websocket"),
        (b"sec-websocket-key", key.encode()),
        (b"sec-websocket-version", b"13"),
    ]


class Connections:
    """The WebSocket connections of one client.

    Use `open` for each, and `aclose` at the end.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, answer: httpx.Response, key: str) -> WebSocket:
        """Return a worker's end of a connection whose handshake was answered with 101.

        Args:
            key: that was sent.

        Raises:
            JsException: Error, when the answer does not fit the key.
        """
        digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
        if answer.headers.get("sec-websocket-accept") != base64.b64encode(digest).decode():
            raise JsException("Error", "internal error")
        to_worker, to_network = Lane(), Lane()
        peer = _Peer(answer, HostSocket(to_network, to_worker))
        self._run(peer.run())
        return WebSocket(to_worker, to_network)

    async def aclose(self) -> None:
        """Break every connection."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        # In an empty context: it is no part of the event that connected.
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Peer:
    """The server at the other end, as far as the process is concerned."""

    def __init__(self, answer: httpx.Response, socket: HostSocket) -> None:
        self._answer = answer
        self._socket = socket
        self._stream: NetworkStream = answer.extensions["network_stream"]
        self._frames = FrameProtocol(Side.CLIENT, state=State.OPEN, max_size=MAX_MESSAGE_BYTES)
        self._parts: list[bytes] = []
        self._is_text = False

    async def run(self) -> None:
        sending = asyncio.get_running_loop().create_task(self._send_all())
        try:
            await self._receive_all()
        except _BROKEN:
            await self._socket.deliver(lost())
        finally:
            sending.cancel()
            await asyncio.wait([sending])
            await self._stream.aclose()
            await self._answer.aclose()

    async def _receive_all(self) -> None:
        """Read until the connection is closed from either side."""
        while True:
            data = await self._stream.read(_CHUNK_BYTES)
            if data:
                self._frames.receive_data(data)
            else:
                self._frames.receive_eof()
            frames = self._frames.events_received()
            await self._flush()
            for frame in frames:
                if isinstance(frame, Frame) and await self._received(frame):
                    return
            if not data:
                await self._socket.deliver(lost())
                return
            if self._frames.parser_exc is not None:
                sent = self._frames.close_sent
                await self._socket.deliver(protocol_failure(sent.code if sent else 1002, sent.reason if sent else ""))
                return

    async def _received(self, frame: Frame) -> bool:
        """Hand a frame on; tells whether it was the last."""
        if frame.opcode is Opcode.CLOSE:
            received = self._frames.close_rcvd
            assert received is not None
            await self._socket.deliver(Close(received.code, received.reason))
            return True
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            return False  # the library answers
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
            self._parts.clear()
        self._parts.append(bytes(frame.data))
        if frame.fin:
            message = b"".join(self._parts)
            self._parts.clear()
            await self._socket.send(message.decode("utf-8", "replace") if self._is_text else message)
        return False

    async def _send_all(self) -> None:
        """Send until the worker closes its end; then give the server a while to answer."""
        try:
            await self._send_until_closed()
        except _BROKEN:
            return  # the other direction hears of it too

    async def _send_until_closed(self) -> None:
        while True:
            message = await self._socket.receive()
            if isinstance(message, Close):
                if message.code == _LOST or self._frames.state is not State.OPEN:
                    await self._stream.aclose()
                    return
                self._frames.send_close(None if message.code == _NO_CODE else message.code, message.reason)
                await self._flush()
                await asyncio.sleep(_CLOSE_TIMEOUT_S)
                await self._stream.aclose()
                return
            if isinstance(message, str):
                self._frames.send_text(message.encode("utf-8", "replace"))
            else:
                self._frames.send_binary(message)
            await self._flush()

    async def _flush(self) -> None:
        data = b"".join(self._frames.data_to_send())
        if data:
            await self._stream.write(data)
