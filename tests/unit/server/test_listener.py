"""The sockets that the server listens on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
import uvloop

from pyworkers.server.listener import bind


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_small_writes_leave_at_once(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> int:
        listeners, port = bind("127.0.0.1", 0)
        accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        class Protocol(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                connection = transport.get_extra_info("socket")
                accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                transport.close()

        server = await asyncio.get_running_loop().create_server(Protocol, sock=listeners[0])
        async with server:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            no_delay = await accepted
            writer.close()
            await writer.wait_closed()
        return no_delay

    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(main()) != 0
