"""One connection: its requests are served in turn by one task, and it is closed when it has been idle for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from pyworkers.server.protocol import HttpProtocol
from tests.loop_time import run

App = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]
IDLE_S = 75


class Wire(asyncio.Transport):
    """A transport that keeps what is written; closing it is told in the loop's next turn, as by a real one."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.protocol: HttpProtocol | None = None
        self.is_reading = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None:
        self.written += data

    def write_eof(self) -> None:
        return

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

    def __init__(self, app: App) -> None:
        config = Config(app, log_config=None, lifespan="off", interface="asgi3", timeout_keep_alive=IDLE_S)
        config.load()
        self.state = ServerState()
        self.wire = Wire()
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


def test_requests_of_one_connection_are_served_in_turn() -> None:
    begun: list[str] = []
    go_on = asyncio.Event()

    async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        begun.append(scope["path"])
        if scope["path"] == "/slow":
            await go_on.wait()
        await answer(send, scope["path"][1:])

    async def main() -> None:
        client = Client(app)
        client.get("/first")
        await turns()
        client.get("/slow", "/second", "/third")
        await turns()
        assert (begun, client.wire.is_reading) == (["/first", "/slow"], False)
        go_on.set()
        await turns()
        assert client.answers == ["first", "slow", "second", "third"]
        assert client.wire.is_reading
        client.leave()
        await turns()
        assert not client.state.tasks

    run(main())


def test_a_client_that_leaves_while_others_of_its_requests_wait_ends_the_one_that_runs() -> None:
    log: list[Any] = []

    async def app(scope: dict[str, Any], receive: Any, _send: Any) -> None:
        log.append(scope["path"])
        log.append(await receive())
        log.append(await receive())

    async def main() -> None:
        client = Client(app)
        client.get("/first", "/second")
        await turns()
        client.leave()
        await turns()
        nothing = {"type": "http.request", "body": b"", "more_body": False}
        assert log == ["/first", nothing, {"type": "http.disconnect"}]
        assert not client.state.tasks

    run(main())


def test_a_request_that_is_cancelled_leaves_the_next_one_alone() -> None:
    async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        if scope["path"] == "/cancelled":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.sleep(0)
        async with asyncio.timeout(1):  # looks at the count of cancellations
            await asyncio.sleep(0)
        await answer(send, str(task.cancelling()))

    async def main() -> None:
        client = Client(app)
        client.get("/cancelled", "/next")
        await turns()
        assert client.answers == ["1", "0"]
        client.leave()

    run(main())


def test_an_application_that_fails_is_answered_for_and_its_connection_closed(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        if scope["path"] == "/late":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        if scope["path"] != "/silent":
            raise ValueError("boom")

    async def main() -> None:
        for path, status, message in (
            ("/early", "500 Internal Server Error", "Exception in ASGI application\n"),
            ("/silent", "500 Internal Server Error", "the application ended before its response"),
            ("/late", "200 OK", "Exception in ASGI application\n"),
        ):
            caplog.clear()
            client = Client(app)
            client.get(path)
            await turns()
            assert client.wire.written.decode().partition("\r\n")[0] == f"HTTP/1.1 {status}"
            assert [record.message for record in caplog.records] == [message]
            assert client.wire.is_closing()
            assert not client.state.tasks

    run(main())


def test_an_idle_connection_is_closed_and_one_in_use_is_not() -> None:
    async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        if scope["path"] == "/long":
            await asyncio.sleep(2 * IDLE_S)
        await answer(send, scope["path"][1:])

    async def main() -> None:
        client = Client(app)
        client.get("/first")
        await asyncio.sleep(IDLE_S - 1)
        client.get("/long")
        await asyncio.sleep(2 * IDLE_S + IDLE_S - 1)
        assert client.answers == ["first", "long"]
        assert not client.wire.is_closing()
        await asyncio.sleep(2)
        assert client.wire.is_closing()
        assert not client.state.connections
        assert not client.state.tasks

    run(main())


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query"),
    [
        ("/a", "/a", b"/a", b""),
        ("/a?b=1", "/a", b"/a", b"b=1"),
        ("/a?", "/a", b"/a?", b""),
        ("/a?b?", "/a", b"/a", b"b?"),
        ("/a?b?c", "/a", b"/a", b"b?c"),
        ("/%41%20?%41", "/A ", b"/%41%20", b"%41"),
        ("/a#b?c", "/a", b"/a", b""),
        ("/a?b#c", "/a", b"/a", b"b"),
        ("//host/a", "//host/a", b"//host/a", b""),
    ],
)
def test_the_target_is_split_as_it_is_written(target: str, path: str, raw_path: bytes, query: bytes) -> None:
    seen: list[tuple[str, bytes, bytes]] = []

    async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        seen.append((scope["path"], scope["raw_path"], scope["query_string"]))
        await answer(send, "x")

    async def main() -> None:
        client = Client(app)
        client.get(target)
        await turns()
        client.leave()

    run(main())
    assert seen == [(path, raw_path, query)]
