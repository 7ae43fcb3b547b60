"""The sockets, and uvicorn's HTTP protocol on them.

uvicorn's own `Server` is left out: it takes the signals, wakes ten times a second, and needs up to 0.3 s to stop.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.server import ServerState

from pyworkers.errors import UsageError
from pyworkers.server.protocol import HttpProtocol, OnRefused

PORTS_TRIED: Final = 100
_BACKLOG: Final = 2048
_ALL_LOOPBACK: Final = ("127.0.0.1", "::1")

App = Callable[[Any, Any, Any], Awaitable[None]]


def bind(ip: str, port: int) -> tuple[list[socket.socket], int]:
    """Listen on an address, on the next free port if ``port`` is taken; returns the sockets and the port.

    Args:
        ip: an address; ``localhost`` is the loopback of IPv4 and, where there is one, of IPv6; ``*`` is every address.
        port: 0 takes any free port.

    Raises:
        UsageError: the address is not one of this machine's, or no port is free.
    """
    ips = {"localhost": _ALL_LOOPBACK, "*": ("0.0.0.0", "::")}.get(ip, (ip,))  # noqa: S104  # asked for by its user
    last = min(port + PORTS_TRIED, 65536) if port else 1
    for candidate in range(port, last):
        sockets = _bind_all(ips, candidate)
        if sockets:
            return sockets, sockets[0].getsockname()[1]
    raise UsageError(
        f"no port from {port} to {last - 1} is free on {ip}", hint="stop what listens there, or pass --port 0"
    )


def _bind_all(ips: Sequence[str], port: int) -> list[socket.socket]:
    """Bind every address at one port; [] when one of them is taken."""
    sockets: list[socket.socket] = []
    for ip in ips:
        try:
            sockets.append(_bind_one(ip, sockets[0].getsockname()[1] if sockets else port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                _close(sockets)
                return []
            if sockets:
                continue  # no IPv6 here
            raise _refused(ip, port, error) from error
    return sockets


def _bind_one(ip: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    # With its protocol named, asyncio's own loop sets TCP_NODELAY on what it accepts, as uvloop always does.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((ip, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)  # noqa: FBT003  # its signature
    except BaseException:
        listener.close()
        raise
    return listener


def _refused(ip: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EACCES:
        return UsageError(f"port {port} may not be used without privileges", hint="pass --port 8787")
    return UsageError(
        f'cannot listen on "{ip}": {error.strerror or error}', hint="pass --ip 127.0.0.1, or an address of this machine"
    )


def _close(sockets: Sequence[socket.socket]) -> None:
    for listener in sockets:
        listener.close()


class Listener:
    """Serves an ASGI application on bound sockets.

    Args:
        app: the ASGI application.
        sockets: as `bind` returns them; closed with the listener.
        refused: told of requests that the application never sees.
    """

    def __init__(self, app: App, sockets: Sequence[socket.socket], *, refused: OnRefused = lambda *_: None) -> None:
        self._config = Config(
            app,
            loop="none",
            http=HttpProtocol,
            ws="none",  # HttpProtocol imports it with the first upgrade
            lifespan="off",
            log_config=None,
            access_log=False,
            interface="asgi3",
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            ws_max_size=32 * 1024 * 1024,
        )
        self._sockets = sockets
        self._refused = refused
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        """Take connections."""
        self._config.load()
        loop = asyncio.get_running_loop()
        for listener in self._sockets:
            self._servers.append(await loop.create_server(self._protocol, sock=listener, backlog=_BACKLOG))

    def _protocol(self) -> asyncio.Protocol:
        return HttpProtocol(self._config, self._state, {}, on_refused=self._refused)

    async def stop(self, grace_s: float) -> None:
        """Take no more connections, let open requests end within ``grace_s`` seconds, and cancel those left."""
        for server in self._servers:
            server.close()
        _close(self._sockets)
        for connection in list(self._state.connections):
            connection.shutdown()
        tasks = set(self._state.tasks)
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=grace_s)
            for task in pending:
                task.cancel()
            if pending:
                await asyncio.wait(pending, timeout=grace_s)
        for connection in list(self._state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)  # a transport lets go of its socket in the next turn
