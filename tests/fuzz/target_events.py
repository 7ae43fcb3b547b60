"""``EventSource``: the format of event streams."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from fuzz_source import Source

from pyworkers.js.event_source import EventParser

_WORDS: Final = (
    *(
        b"data:",
        b"data",
        b"event:",
        b"id:",
        b"retry:",
        b"retry: 5",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b":",
        b" ",
        b"\x00",
    ),
    *(b"\xef\xbb\xbf", b"\xc3\xa9", b"\xe2\x80\xa8", b"\xff", b"comment", b"99999999999999999999", b"\xb2"),
)


def fuzz(source: Source) -> None:
    """The same events come of a stream wherever it is cut."""
    data = source.mixture(_WORDS)
    assert _events(source.cut(data)) == _events([data])


def _events(pieces: Iterable[bytes]) -> Any:
    parser = EventParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    assert all(event.data for event in events)
    return events, parser.last_id, parser.retry_ms
