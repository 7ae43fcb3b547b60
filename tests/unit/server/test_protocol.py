"""One connection: its requests are served in turn by one task, and it is closed when it has been idle for long."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
from wired import IDLE_S, Client, Wire, answer, turns

from tests.loop_time import run


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


def test_a_cancellation_that_a_request_does_not_notice_leaves_the_next_ones_alone() -> None:
    async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        if scope["path"] == "/cancels":
            task.cancel()
            task.cancel()
        else:
            await asyncio.sleep(0)
        await answer(send, f"{scope['path'][1:]}{task.cancelling()}")

    async def main() -> None:
        client = Client(app)
        client.get("/cancels", "/second")
        await turns()
        client.get("/third")
        await turns()
        assert client.answers == ["cancels2", "second0", "third0"]
        client.leave()
        await turns()
        assert not client.state.tasks

    run(main())


def test_nothing_is_served_behind_an_answer_that_closes_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    begun: list[str] = []

    async def app(scope: dict[str, Any], _receive: Any, _send: Any) -> None:
        begun.append(scope["path"])
        raise ValueError("boom")

    async def main() -> None:
        client = Client(app)
        client.get("/first", "/second")
        await turns()
        assert client.answers == ["Internal Server Error"]
        assert (begun, len(caplog.records)) == (["/first"], 1)
        assert not client.state.tasks

    run(main())


def test_a_failed_application_is_answered_for_though_the_client_is_slow(caplog: pytest.LogCaptureFixture) -> None:
    async def app(_scope: dict[str, Any], _receive: Any, _send: Any) -> None:
        raise ValueError("boom")

    async def main() -> None:
        client = Client(app)
        client.protocol.pause_writing()
        client.get("/")
        await turns()
        assert client.answers == ["Internal Server Error"]
        assert client.wire.is_closing()
        assert len(caplog.records) == 1

    run(main())


def test_no_word_to_go_on_comes_once_the_response_has_begun() -> None:
    async def app(_scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        received = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"ok"})
        assert await received == {"type": "http.disconnect"}

    async def main() -> None:
        client = Client(app)
        client.protocol.data_received(
            b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        await turns()
        assert client.wire.written == (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        client.leave()

    run(main())


def test_what_has_ended_is_freed_at_once() -> None:
    class Large:
        """What a request's scope refers to."""

    async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        scope["large"] = large = Large()
        requests.append(weakref.ref(large))
        await answer(send, "x")

    async def main() -> None:
        client = Client(app)
        client.get("/1", "/2")
        await turns()
        client.get("/3")
        await turns()
        assert [request() is None for request in requests] == [True, True, False]
        client.leave()
        connection = weakref.ref(client.protocol)
        del client
        await turns()
        assert connection() is None
        assert requests[2]() is None

    requests: list[weakref.ref[Large]] = []
    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (b"BREW / HTTP/1.1\r\n\r\n", b"501 Not Implemented"),
        (b"GET * HTTP/1.1\r\n\r\n", b"500 Internal Server Error"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 140_000 + b"\r\n\r\n", b"431 Request Header Fields Too Large"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"500 Internal Server Error"),
        (b"\x00", b"501 Not Implemented"),
    ],
)
def test_a_refusal_comes_after_the_answers_that_are_due_before_it(refused: bytes, status: bytes) -> None:
    go_on = asyncio.Event()

    async def app(_scope: dict[str, Any], receive: Any, send: Any) -> None:
        if (await receive())["type"] == "http.disconnect":
            return
        await go_on.wait()
        await answer(send, "x")

    async def main() -> None:
        client = Client(app)
        client.get("/1", "/2")
        await turns()
        client.protocol.data_received(refused)
        await turns()
        assert client.wire.written == b""
        go_on.set()
        await turns()
        lines = [line for line in client.wire.written.split(b"\r\n") if b"HTTP/" in line]
        assert lines == [b"HTTP/1.1 200 OK", b"xHTTP/1.1 200 OK", b"xHTTP/1.1 " + status]
        client.leave()
        await turns()
        assert not client.state.tasks

    run(main())


def test_headers_that_are_too_large_are_refused_once() -> None:
    ends = 0

    class OneEnd(Wire):
        def write_eof(self) -> None:
            nonlocal ends
            ends += 1

    async def app(_scope: dict[str, Any], _receive: Any, _send: Any) -> None:
        raise AssertionError

    async def main() -> None:
        client = Client(app, OneEnd())
        client.protocol.data_received(b"GET / HTTP/1.1\r\nX: " + b"a" * 140_000 + b"\r\n\r\n")
        client.leave()

    run(main())
    assert ends == 1


@pytest.mark.parametrize("is_pipelined", [True, False])
def test_an_upgrade_comes_after_the_answers_that_are_due_before_it(*, is_pipelined: bool) -> None:
    go_on = asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await go_on.wait()
            await answer(send, "x")
            return
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    async def main() -> None:
        client = Client(app)
        handshake = (
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        if not is_pipelined:
            go_on.set()
        client.get("/1", "/2")
        await turns()
        client.protocol.data_received(handshake)
        await turns()
        if is_pipelined:
            assert client.wire.written == b""
            go_on.set()
            await turns()
        lines = [line for line in client.wire.written.split(b"\r\n") if b"HTTP/" in line]
        assert lines == [b"HTTP/1.1 200 OK", b"xHTTP/1.1 200 OK", b"xHTTP/1.1 101 Switching Protocols"]
        assert client.protocol.timeout_keep_alive_task is None
        client.wire.close()
        await turns()
        assert not client.state.tasks
        assert not client.state.connections

    run(main())


@pytest.mark.parametrize("header", ["Content-Length: 2", "Transfer-Encoding: chunked", "Cookie: " + "a" * 10_000])
@pytest.mark.parametrize("before", [(), ("/",)])
def test_a_handshake_that_cannot_be_read_is_refused(before: tuple[str, ...], header: str) -> None:
    async def app(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await answer(send, "x")

    async def main() -> None:
        client = Client(app)
        client.get(*before)
        client.protocol.data_received(
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n\r\n" % header.encode()
        )
        await turns()
        why = "ERROR: The headers sent by your client are not valid."
        assert client.answers == [*("x" for _ in before), why]
        assert client.state.connections == {client.protocol}
        client.wire.close()
        await turns()
        assert not client.state.connections
        assert not client.state.tasks

    run(main())


@pytest.mark.parametrize("size", [1, 50, 10_000])
def test_a_request_that_asks_for_another_protocol_is_one_like_any_other(size: int) -> None:
    seen: list[tuple[str, str, bytes]] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, is_more = b"", True
        while is_more:
            message = await receive()
            body, is_more = body + message["body"], message["more_body"]
        seen.append((scope["method"], scope["path"], body))
        await answer(send, "x")

    async def main() -> None:
        client = Client(app)
        head = b"%s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n%s\r\n"
        text = (
            head % (b"PUT /1", b"Content-Length: 2\r\n")
            + b"ab"
            + head % (b"POST /2", b"Transfer-Encoding: chunked\r\n")
            + b"2\r\nab\r\n1\r\nc\r\n0\r\nTrailer: t\r\n\r\n"
            + head % (b"GET /3", b"")
            + b"GET /4 HTTP/1.1\r\nHost: h\r\n\r\n"
        )
        for start in range(0, len(text), size):
            client.protocol.data_received(text[start : start + size])
            await turns()
        assert seen == [("PUT", "/1", b"ab"), ("POST", "/2", b"abc"), ("GET", "/3", b""), ("GET", "/4", b"")]
        assert client.answers == ["x"] * 4
        client.leave()

    run(main())


async def echo_target(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await answer(send, f"{scope['method']}{scope['path']}")


@pytest.mark.parametrize("size", range(1, 70))
def test_requests_may_be_cut_into_reads_anywhere(size: int) -> None:
    whole = (
        b"GET /a HTTP/1.1\r\nHost: h\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyzSEARCH /c HTTP/1.1\r\n\r\n"
    )

    async def main() -> None:
        client = Client(echo_target)
        for start in range(0, len(whole), size):
            client.protocol.data_received(whole[start : start + size])
            await turns()
        assert client.answers == ["GET/a", "POST/b", "SEARCH/c"]
        client.leave()

    run(main())


@pytest.mark.parametrize("together", [True, False])
def test_what_is_refused_as_a_first_request_is_refused_as_a_later_one(together: bool) -> None:
    first = b"GET /a HTTP/1.1\r\n\r\n"
    large = b"GET /large HTTP/1.1\r\nX: %s\r\n\r\n" % (b"x" * 129 * 1024)
    cut = len(large) - 1000

    async def main(second: tuple[bytes, ...], status: bytes, told: tuple[str, str, int, str]) -> None:
        refused: list[Any] = []
        client = Client(echo_target)
        client.protocol._on_refused = lambda *request: refused.append(request)
        for data in (first + second[0], *second[1:]) if together else (first, *second):
            client.protocol.data_received(data)
            await turns()
        answers = client.wire.written.split(b"HTTP/1.1 ")[1:]
        assert [part.partition(b"\r\n")[0] for part in answers] == [b"200 OK", status]
        assert refused == [told]

    method = (b"SOURCE /b HTTP/1.1\r\n\r\n",)
    run(main(method, b"501 Not Implemented", ("SOURCE", "/b", 501, "Unrecognized request method.")))
    too_large = (b"431 Request Header Fields Too Large", ("GET", "/large", 431, "Request headers too large."))
    run(main((large,), *too_large))
    run(main((large[:cut], large[cut:]), *too_large))
    run(main((large[:20], large[20:]), *too_large))


@pytest.mark.parametrize("second", [b"GET /b HTTP/1.1\r\n\r\n", b"OPTIONS /b HTTP/1.1\r\nHost: h\r\n\r\n"])
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 3\r\n\r\nxyz", b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"]
)
def test_a_head_may_begin_in_a_read_that_begins_in_a_body(framing: bytes, second: bytes) -> None:
    first = b"POST /a HTTP/1.1\r\n" + framing
    whole = first + second

    async def main(start: int, end: int) -> None:
        client = Client(echo_target)
        for data in (whole[:start], whole[start:end], whole[end:]):
            client.protocol.data_received(data)
            await turns()
        assert client.answers == ["POST/a", f"{second.partition(b' ')[0].decode()}/b"]
        client.leave()

    for start in range(first.index(b"\r\n\r\n"), len(first)):
        for end in range(len(first), len(first) + 10):
            run(main(start, end))


def test_a_body_that_no_one_read_is_not_taken_for_a_request() -> None:
    async def main() -> None:
        client = Client(echo_target)
        client.protocol.data_received(b"POST /a HTTP/1.1\r\nContent-Length: 22\r\n\r\n")
        await turns()
        client.protocol.data_received(b"GET /body HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nA : 1\r\n\r\n")
        await turns()
        assert client.answers == ["POST/a", "ERROR: The headers sent by your client are not valid."]
        client.leave()

    run(main())


@pytest.mark.parametrize("is_answered", [True, False])
@pytest.mark.parametrize("has_left", [True, False])
def test_an_answer_that_closes_the_connection_under_a_body_is_not_lost(
    caplog: pytest.LogCaptureFixture, *, has_left: bool, is_answered: bool
) -> None:
    async def app(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        if is_answered:
            await answer(send, "x")

    async def main() -> None:
        client = Client(app)
        client.protocol.data_received(b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n")
        client.protocol.data_received(b"x" * 100_000)
        assert not client.wire.is_reading
        await turns()
        assert client.answers == ["x" if is_answered else "Internal Server Error"]
        assert (client.wire.has_ended, client.wire.is_reading, client.wire.is_closing()) == (True, True, False)
        client.protocol.data_received(b"x" * 100_000 + b"GET / HTTP/1.1\r\n\r\n")
        if has_left:
            client.wire.close()
            await turns()
        else:
            await asyncio.sleep(2)
            await turns()
        assert client.wire.is_closing()
        assert len(client.answers) == 1
        assert not client.state.tasks
        assert not client.state.connections
        await asyncio.sleep(3)

    run(main())
    assert len(caplog.records) == (0 if is_answered else 1)
