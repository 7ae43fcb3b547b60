"""What reads a request for its worker: its body, at the worker's pace, and the news that the client has gone."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
from wired import Client, answer, turns

from pyworkers.server.ingress import Inbox
from tests.loop_time import run

HEAD = b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"


@pytest.mark.parametrize("size", [0, 100_000, 300_000, 1_000_000])
def test_a_client_that_leaves_a_body_that_no_one_reads_is_heard_of(size: int) -> None:
    gone: list[bool] = []

    async def app(scope: dict[str, Any], receive: Any, _send: Any) -> None:
        inbox = Inbox(receive, scope)
        left = asyncio.Event()
        inbox.on_gone = left.set
        inbox.watch()
        await left.wait()
        gone.append(inbox.is_gone)
        inbox.close()

    async def main() -> None:
        client = Client(app)
        client.protocol.data_received(HEAD)
        await turns()
        for _ in range(0, size, 100_000):
            client.protocol.data_received(b"x" * 100_000)
            await turns()
        assert gone == []
        client.leave()
        await turns()
        assert gone == [True]
        assert not client.state.tasks
        connection = weakref.ref(client.protocol)
        del client
        await turns()
        assert connection() is None

    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()


def test_a_client_that_left_before_its_body_was_too_much_is_heard_of() -> None:
    async def app(scope: dict[str, Any], receive: Any, _send: Any) -> None:
        inbox = Inbox(receive, scope)
        await turns()  # all comes, and the client goes
        left = asyncio.Event()
        inbox.on_gone = left.set
        inbox.watch()
        await left.wait()
        inbox.close()

    async def main() -> None:
        client = Client(app)
        client.protocol.data_received(HEAD + b"x" * 300_000)
        await asyncio.sleep(0)
        client.leave()
        await turns()
        await turns()
        assert not client.state.tasks

    run(main())


def test_a_client_is_read_on_from_once_its_body_is() -> None:
    go_on = asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        inbox = Inbox(receive, scope)
        inbox.watch()
        await go_on.wait()
        size = 0
        async for chunk in inbox.body():
            size += len(chunk)
        inbox.close()
        await answer(send, str(size))

    async def main() -> None:
        client = Client(app)
        client.protocol.data_received(HEAD)
        for _ in range(4):
            client.protocol.data_received(b"x" * 100_000)
            await turns()
        assert not client.wire.is_reading
        go_on.set()
        await turns()
        assert client.wire.is_reading
        client.protocol.data_received(b"x" * 600_000)
        await turns()
        assert client.answers == ["1000000"]
        client.leave()

    run(main())
