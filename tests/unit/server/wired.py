"""A connection without a socket: an application's server at one end, a client of raw bytes at the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from pyworkers.server.protocol import HttpProtocol

App = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]
IDLE_S = 75  # how long a connection may be idle


class Wire(asyncio.Transport):
    """A transport that keeps what is written; closing it is told in the loop's next turn, as by a real one."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.protocol: Any = None
        self.is_reading = True
        self.has_ended = False  # the server's side

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None:
        self.written += data

    def write_eof(self) -> None:
        self.has_ended = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self.protocol is not None
        return self.protocol

    def is_closing(self) -> bool:
        return self.protocol is None

    def close(self) -> None:
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            asyncio.get_running_loop().call_soon(protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True


class Client:
    """The far end of a connection to an application."""

    def __init__(self, app: App, wire: Wire | None = None) -> None:
        config = Config(app, log_config=None, lifespan="off", interface="asgi3", timeout_keep_alive=IDLE_S)
        config.load()
        self.state = ServerState()
        self.wire = wire or Wire()
        self.protocol = self.wire.protocol = HttpProtocol(config, self.state, {})
        self.protocol.connection_made(self.wire)

    def get(self, *targets: str) -> None:
        """Ask for targets, all at once."""
        text = "".join(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n" for target in targets)
        self.protocol.data_received(text.encode())

    def leave(self) -> None:
        """Go away."""
        self.wire.protocol = None
        self.protocol.connection_lost(None)

    @property
    def answers(self) -> list[str]:
        """The bodies that came; each is one word."""
        return [part.rpartition("\r\n")[2] for part in self.wire.written.decode().split("HTTP/1.1 ")[1:]]


async def answer(send: Callable[[Any], Awaitable[None]], body: str) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})


async def turns() -> None:
    """Let everything that is ready happen."""
    for _ in range(10):
        await asyncio.sleep(0)
