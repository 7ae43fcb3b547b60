"""``EventSource`` and the format of its streams."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyworkers.clock import ManualClock
from pyworkers.js.event_source import EventParser, ServerEvent
from pyworkers.js.realm import REALM, Realm
from pyworkers.js.response import Response
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException, JsObject

PIECES = st.lists(
    st.sampled_from(
        ["data", ":", " ", "\n", "\r", "\r\n", "id", "event", "retry", "7", "x", "\0", "\ufeff", "é", "😀"]
    ),
    max_size=30,
).map("".join)


def events(text: str | bytes) -> list[ServerEvent]:
    return list(EventParser().feed(text.encode() if isinstance(text, str) else text))


@given(text=PIECES, cuts=st.lists(st.integers(0, 60), max_size=5))
def test_a_stream_cut_anywhere_gives_the_same_events(text: str, cuts: list[int]) -> None:
    data, parser = text.encode(), EventParser()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    found = [event for start, end in pairwise(edges) for event in parser.feed(data[start:end])]
    assert found == events(data)


@given(data=st.binary(max_size=60))
def test_no_bytes_are_an_error(data: bytes) -> None:
    assert all(event.data and event.type for event in events(data))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: a\n\n", [ServerEvent("message", "a", "")]),
        ("data:a\ndata: b\n\n", [ServerEvent("message", "a\nb", "")]),
        ("event: e\ndata: a\nid: 1\n\ndata: b\n\n", [ServerEvent("e", "a", "1"), ServerEvent("message", "b", "1")]),
        ("id: 1\n\nid\ndata: a\n\n", [ServerEvent("message", "a", "")]),
        ("id: a\0b\ndata: a\n\n", [ServerEvent("message", "a", "")]),
        ("data\n\n", []),
        ("event: e\n\ndata: a", []),
        (": comment\nretry: x\nnonsense\ndata:  a\n\n", [ServerEvent("message", " a", "")]),
        ("\ufeffdata: a\r\n\r\n", [ServerEvent("message", "a", "")]),
    ],
)
def test_the_format_is_the_standards(text: str, expected: list[ServerEvent]) -> None:
    assert events(text) == expected


def test_the_time_between_connections_is_the_streams() -> None:
    parser = EventParser()
    assert list(parser.feed(b"retry: 1500\n\n")) == []
    assert parser.retry_ms == 1500


def test_a_connection_that_ends_is_made_again_with_the_last_id() -> None:
    async def main() -> tuple[list[Any], list[Any]]:
        sent, log = [], []
        over = asyncio.Event()

        async def outbound(request: Any) -> Response:
            sent.append([request.url, request.headers.find("accept"), request.headers.find("last-event-id")])
            if len(sent) == 3:
                over.set()
                return Response(b"", status=204)
            response = Response.js_new(
                f"retry: 100\nid: {len(sent)}\ndata: m{len(sent)}\n\n",
                JsObject({"headers": JsObject({"content-type": "text/event-stream"})}),
            )
            return response.received(request)

        clock = ManualClock()
        token = REALM.set(Realm(outbound=outbound, clock=clock))
        try:
            source = js.EventSource.new("http://h/events")
            source.addEventListener("open", lambda event: log.append(event.type))
            source.onmessage = lambda event: log.append((event.data, event.lastEventId))
            while not over.is_set():
                await clock.advance(0.1)
            await asyncio.wait_for(source._task, 120)
            assert source.readyState == 2
            return sent, log
        finally:
            REALM.reset(token)

    sent, log = asyncio.run(main())
    assert sent == [
        ["http://h/events", "text/event-stream", None],
        ["http://h/events", "text/event-stream", "1"],
        ["http://h/events", "text/event-stream", "2"],
    ]
    assert log == ["open", ("m1", "1"), "open", ("m2", "2")]


def test_an_answer_that_holds_no_events_is_an_error_and_the_end() -> None:
    async def main() -> tuple[list[str], int]:
        messages: list[str] = []
        failed = asyncio.Event()

        async def outbound(request: Any) -> Response:
            return Response.js_new("x").received(request)

        token = REALM.set(Realm(outbound=outbound))
        try:
            source = js.EventSource.new("http://h/")

            def note(event: Any) -> None:
                messages.append(event.message)
                failed.set()

            source.onerror = note
            await failed.wait()
            return messages, source.readyState
        finally:
            REALM.reset(token)

    messages, state = asyncio.run(main())
    assert (len(messages), state) == (1, 2)


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(JsException) as caught:
        js.EventSource.new("nowhere")
    assert caught.value.name == "SyntaxError"
