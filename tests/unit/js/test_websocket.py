from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from pyworkers.js.convert import create_proxy, to_js
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.realm import REALM, Realm
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException, JsObject
from pyworkers.js.websocket_link import WAITING_MESSAGES, Close


@dataclass
class Flags:
    off: set[str] = field(default_factory=set)

    def enabled(self, flag: str) -> bool:
        return flag not in self.off


def run(function: Callable[[], Any], *off: str) -> Any:
    async def main() -> Any:
        REALM.set(Realm(compat=Flags(set(off))))
        return await function()

    return asyncio.run(main())


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def text_of(function: Callable[..., Any], *args: Any) -> str:
    with pytest.raises(JsException) as caught:
        function(*args)
    return str(caught.value)


def test_messages_arrive_in_order_and_wait_for_accept():
    async def main() -> list[Any]:
        client, server = js.WebSocketPair.new().object_values()
        got: list[Any] = []
        client.accept()
        for index in range(10_000):
            client.send(str(index))
        client.close(1000, "done")
        ended = asyncio.get_running_loop().create_future()
        server.addEventListener("message", create_proxy(lambda event: got.append(event.data)))
        server.addEventListener("close", create_proxy(ended.set_result))
        server.accept()
        event = await ended
        return [got == [str(index) for index in range(10_000)], event.code, event.reason, event.wasClean]

    assert run(main) == [True, 1000, "done", True]


@pytest.mark.parametrize(
    ("off", "choice", "kind"),
    [
        ((), None, "Blob"),
        (("websocket_standard_binary_type",), None, "ArrayBuffer"),
        ((), "arraybuffer", "ArrayBuffer"),
    ],
)
def test_binary_messages_are_of_the_chosen_type(off, choice, kind):
    async def main() -> str:
        client, server = js.WebSocketPair.new()
        got: list[Any] = []
        server.onmessage = lambda event: got.append(event.data)
        if choice:
            server.binaryType = choice
        server.accept()
        client.accept()
        client.send(to_js(b"ab"))
        await turns()
        return got[0].constructor.name

    assert run(main, *off) == kind


def test_a_close_is_answered_and_both_ends_are_closed():
    async def main() -> Any:
        client, server = js.WebSocketPair.new()
        events: list[Any] = []
        for name, end in (("client", client), ("server", server)):
            end.accept()
            end.onclose = lambda event, name=name: events.append((name, event.code, event.reason))
        states = [client.readyState]
        client.close(4000, "bye")
        states.append(client.readyState)
        client.close(4001, "ignored")
        await turns()
        return events, states, client.readyState, server.readyState

    assert run(main) == ([("server", 4000, "bye"), ("client", 4000, "bye")], [1, 2], 3, 3)


def test_without_the_flag_a_close_waits_for_an_answer():
    async def main() -> Any:
        client, server = js.WebSocketPair.new()
        client.accept()
        server.accept()
        client.close()
        await turns()
        half = server.readyState
        server.send("a last word")
        server.close(1000)
        await turns()
        return half, server.readyState, client.readyState

    assert run(main, "web_socket_auto_reply_to_close") == (2, 3, 3)


def test_half_open_is_a_choice():
    async def main() -> int:
        client, server = js.WebSocketPair.new()
        client.accept()
        server.accept(allowHalfOpen=True)
        client.close()
        await turns()
        return server.readyState

    assert run(main) == 2


def test_a_close_without_a_code_arrives_as_1005():
    async def main() -> Any:
        client, server = js.WebSocketPair.new()
        events: list[Any] = []
        server.onclose = lambda event: events.append((event.code, event.reason))
        server.accept()
        client.accept()
        client.close()
        await turns()
        return events

    assert run(main) == [(1005, "")]


LONG = "WebSocket close reason must not be longer than 123 bytes when UTF-8 encoded."


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((999,), "InvalidAccessError: Invalid WebSocket close code: 999."),
        ((1004,), "InvalidAccessError: Invalid WebSocket close code: 1004."),
        ((1005,), "InvalidAccessError: Invalid WebSocket close code: 1005."),
        ((1006,), "InvalidAccessError: Invalid WebSocket close code: 1006."),
        ((1015,), "InvalidAccessError: Invalid WebSocket close code: 1015."),
        ((5000,), "InvalidAccessError: Invalid WebSocket close code: 5000."),
        (("x",), "InvalidAccessError: Invalid WebSocket close code: 0."),
        ((jsnull,), "InvalidAccessError: Invalid WebSocket close code: 0."),
        ((2**32 + 1000,), "TypeError: Value out of range. Must be between -2147483648 and 2147483647 (inclusive)."),
        ((None, "why"), "InvalidAccessError: If you specify a WebSocket close reason, you must also specify a code."),
        ((1000, "x" * 124), f"SyntaxError: {LONG}"),
        ((1000, "é" * 62), f"SyntaxError: {LONG}"),
    ],
)
def test_close_arguments_are_checked(args, message):
    async def main() -> Any:
        client, _ = js.WebSocketPair.new()
        client.accept()
        return text_of(client.close, *args), client.readyState

    assert run(main) == (message, 1)


def test_use_before_accept_and_after_close():
    async def main() -> list[str]:
        client, _server = js.WebSocketPair.new()
        texts = [text_of(client.send, "x"), text_of(client.close)]
        client.accept()
        client.accept()
        client.close()
        return [*texts, text_of(client.send, "x")]

    first = (
        "TypeError: You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages."
    )
    assert run(main) == [first, first, "TypeError: Can't call WebSocket send() after close()."]


@pytest.mark.parametrize("code", [1000, 1001, 1016, 2999, 3000, 4999, "1000", 1000.9])
def test_other_close_codes_arrive(code):
    async def main() -> Any:
        client, server = js.WebSocketPair.new()
        events: list[Any] = []
        server.onclose = lambda event: events.append((event.code, event.reason, event.wasClean))
        server.accept()
        client.accept()
        client.close(code, 5)
        await turns()
        return events

    assert run(main) == [(int(float(code)), "5", True)]


@pytest.mark.parametrize(
    ("value", "received"),
    [
        ("a", "a"),
        (5, "5"),
        (True, "true"),
        (jsnull, "null"),
        (None, "undefined"),
        (JsObject(), "[object Object]"),
        (JsArray([1, 2]), "1,2"),
        (js.Blob.new(JsArray(["xyz"])), "[object Blob]"),
        ("a\ud800b", "a\ufffd\ufffd\ufffdb"),
    ],
)
def test_what_is_no_buffer_is_sent_as_text(value, received):
    async def main() -> Any:
        client, server = js.WebSocketPair.new()
        got: list[Any] = []
        server.onmessage = lambda event: got.append(event.data)
        server.accept()
        client.accept()
        client.send(value)
        await turns()
        return got

    assert run(main) == [received]


def test_wrong_arguments():
    async def main() -> list[str]:
        client, _server = js.WebSocketPair.new()
        texts = [text_of(client.accept, 5), text_of(js.WebSocket.new)]
        client.accept(jsnull)
        client.binaryType = "text"
        return [*texts, text_of(client.send), client.binaryType]

    assert run(main) == [
        "TypeError: Failed to execute 'accept' on 'WebSocket': parameter 1 is not of type 'AcceptOptions'.",
        "TypeError: Failed to construct 'WebSocket': constructor parameter 1 is not of type 'string'.",
        "TypeError: Failed to execute 'send' on 'WebSocket': parameter 1 is not of type 'ArrayBuffer or "
        "ArrayBufferView or string'.",
        "blob",
    ]


def test_the_option_wins_over_the_flag():
    async def main() -> Any:
        client, server = js.WebSocketPair.new()
        client.accept(allowHalfOpen=False)
        server.accept(allowHalfOpen=False)
        client.close(3001, "b")
        await turns()
        return client.readyState, server.readyState

    assert run(main, "web_socket_auto_reply_to_close") == (3, 3)


def test_a_listener_that_raises_ends_the_connection():
    async def main() -> Any:
        told: list[Any] = []
        REALM.set(Realm(console=lambda _level, args: told.append(args[0])))
        client, server = js.WebSocketPair.new()
        events: list[Any] = []

        def raises(event: Any) -> None:
            events.append(event.data)
            raise ValueError("boom")

        server.addEventListener("message", create_proxy(raises))
        server.addEventListener("message", create_proxy(lambda _event: events.append("second")))
        server.onerror = lambda event: events.append((event.message, str(event.error)))
        client.onclose = lambda event: events.append((event.code, event.wasClean))
        server.accept()
        client.accept()
        client.send("1")
        client.send("2")
        await turns()
        client.send("3")
        server.send("4")
        server.close()
        return events, server.readyState, client.readyState, told

    uncaught = "Uncaught ValueError: boom"
    assert run(main) == (["1", (uncaught, "boom"), (1006, False)], 3, 2, [uncaught])


def test_a_coroutine_that_raises_does_not():
    async def main() -> Any:
        REALM.set(Realm(console=lambda _level, _args: None))
        client, server = js.WebSocketPair.new()
        got: list[Any] = []

        async def raises(event: Any) -> None:
            got.append(event.data)
            raise ValueError("boom")

        server.onmessage = raises
        server.accept()
        client.accept()
        client.send("1")
        client.send("2")
        await turns()
        return got, server.readyState

    assert run(main) == (["1", "2"], 1)


def test_attachments_are_copies():
    async def main() -> Any:
        socket = js.WebSocketPair.new().sockets[0]
        empty = socket.deserializeAttachment()
        value = JsObject({"n": 0})
        socket.serializeAttachment(value)
        value.n = 1
        return empty, socket.deserializeAttachment().n, text_of(socket.serializeAttachment, "x" * 16_384)

    assert run(main) == (
        jsnull,
        0,
        "Error: A WebSocket 'attachment' cannot be larger than 16384 bytes.'attachment' was 16390 bytes.",
    )


def test_a_server_couples_an_end():
    async def main() -> Any:
        client, server = js.WebSocketPair.new()
        events: list[Any] = []
        server.onmessage = lambda event: (events.append(event.data), server.send("echo"))
        server.onclose = lambda event: events.append((event.code, event.reason, event.wasClean))
        server.accept()
        host = client.couple()
        await host.send("hi")
        received = [await host.receive()]
        await host.close(1001, "leaving")
        received.append(await host.receive())
        return events, received, text_of(client.accept), text_of(client.couple)

    assert run(main) == (
        ["hi", (1001, "leaving", True)],
        ["echo", Close(1001, "leaving")],
        "TypeError: Can't accept() WebSocket that was already used in a response.",
        "TypeError: Can't return WebSocket that was already used in a response.",
    )


def test_a_client_that_vanishes_is_a_1006():
    async def main() -> Any:
        client, server = js.WebSocketPair.new()
        events: list[Any] = []
        server.onclose = lambda event: events.append((event.code, event.reason, event.wasClean))
        server.accept()
        client.couple().abort()
        await turns()
        server.send("into the void")
        return events, server.readyState

    assert run(main) == ([(1006, "WebSocket disconnected without sending Close frame.", False)], 2)


def test_the_host_waits_for_a_worker_that_is_behind():
    async def main() -> Any:
        client, server = js.WebSocketPair.new()
        host = client.couple()
        for _ in range(WAITING_MESSAGES):
            await host.send("x")
        more = asyncio.ensure_future(host.send("one more"))
        await turns()
        waits = not more.done()
        server.accept()
        await more
        return waits

    assert run(main) is True


def test_accepted_ends_cannot_be_coupled():
    async def main() -> list[str]:
        accepted, hibernating = js.WebSocketPair.new()

        async def deliver(_message: Any) -> None: ...

        hibernating.accept_hibernatable(deliver)
        accepted.accept()
        return [text_of(accepted.couple), text_of(hibernating.couple), text_of(hibernating.accept)]

    assert run(main) == [
        "TypeError: Can't return WebSocket in a Response after calling accept().",
        "TypeError: Can't return WebSocket in a Response after calling acceptWebSocket().",
        "TypeError: Can't accept() WebSocket after enabling hibernation.",
    ]


# ---- new WebSocket(url)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("nope",), "The url is invalid."),
        (("http://x/",), "The url scheme must be ws or wss."),
        (("ws://x/#f",), "The url fragment must be empty."),
        (("ws://x/", "a b"), "The protocol header token is invalid."),
        (("ws://x/", ""), "The protocol header token is invalid."),
        (("ws://x/", JsArray(["a", "b c"])), "One of the protocol header tokens is invalid."),
        (("ws://x/", JsArray(["a", "a"])), "The protocols header cannot have repeating values."),
    ],
)
def test_constructor_arguments_are_checked(args, message):
    async def main() -> str:
        return text_of(js.WebSocket.new, *args)

    assert run(main) == f"SyntaxError: WebSocket Constructor: {message}"


def test_a_connection_that_fails_tells_error_then_close():
    async def main() -> Any:
        socket = js.WebSocket.new("wss://example.com/")
        events: list[Any] = []
        socket.onerror = lambda event: events.append(event.type)
        socket.onclose = lambda event: events.append((event.code, event.wasClean))
        before = socket.readyState
        await turns()
        return before, events, socket.readyState, socket.url

    assert run(main) == (0, ["error", (1006, False)], 3, "wss://example.com/")


def test_a_connection_that_is_made_opens_and_talks():
    async def main() -> Any:
        ends: list[Any] = []
        seen: list[Any] = []

        async def outbound(request: Any) -> Any:
            client, server = js.WebSocketPair.new()
            server.accept()
            server.onmessage = lambda event: server.send(f"echo {event.data}")
            ends.append(server)
            seen.append((request.url, request.headers.get("upgrade"), request.headers.get("sec-websocket-protocol")))
            return js.Response.new(None, status=101, webSocket=client)

        REALM.set(Realm(outbound=outbound))
        socket = js.WebSocket.new("ws://example.com/chat", "v1")
        events: list[Any] = []
        socket.onopen = lambda _event: (events.append("open"), socket.send("hi"))
        socket.onmessage = lambda event: events.append(event.data)
        await turns(20)
        return seen, events, socket.readyState

    assert run(main) == ([("http://example.com/chat", "websocket", "v1")], ["open", "echo hi"], 1)
