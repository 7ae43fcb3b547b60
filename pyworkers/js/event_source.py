"""``EventSource``: events out of a stream of text, sent by a server or read from any stream.

`EventParser` is the format alone.

Source: html.spec.whatwg.org, section 9.2; recorded, misc.globals.own-event-source
"""

from __future__ import annotations

import asyncio
from codecs import getincrementaldecoder
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from pyworkers.js.events import ErrorEvent, Event, EventTarget, MessageEvent
from pyworkers.js.primitives import is_nullish, to_boolean, to_string
from pyworkers.js.promise import settle
from pyworkers.js.realm import current_realm
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.url import href_of
from pyworkers.js.values import JsException, JsObject, JsProxy, dom_exception, get_property, js_method
from pyworkers.js.webidl import MISSING, argument_error, constructor_error, is_object

CONNECTING, OPEN, CLOSED = range(3)
RECONNECT_MS: Final = 2000
# Turns of the loop before a stream is read: what the worker goes on to do at once, such as to listen, is done by then.
_JOBS_FIRST: Final = 64
_DIGITS: Final = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event of a stream.

    Attributes:
        type: its name, ``message`` where the stream gives none.
        data: the lines of its data, joined by line feeds.
        last_id: the latest id of the stream so far.
    """

    type: str
    data: str
    last_id: str


class EventParser:
    """Reads ``text/event-stream``, in pieces cut anywhere.

    Attributes:
        last_id: the latest id.
        retry_ms: how long to wait before connecting again, once the stream has said so.
    """

    def __init__(self) -> None:
        self.last_id = ""
        self.retry_ms: int | None = None
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._is_first = True  # a byte order mark may be ahead
        self._rest = ""
        self._type = ""
        self._data: list[str] = []
        self._id = ""

    def feed(self, data: bytes) -> Iterator[ServerEvent]:
        """Take bytes; yield the events that they complete."""
        text = self._decode(data)
        if self._is_first and text:
            self._is_first = False
            text = text.removeprefix("\ufeff")
        *lines, self._rest = _lines(self._rest + text)
        for line in lines:
            event = self._line(line)
            if event is not None:
                yield event

    def _line(self, line: str) -> ServerEvent | None:
        if not line:
            return self._end()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value and _DIGITS.issuperset(value):
            self.retry_ms = int(value[:12])
        return None

    def _end(self) -> ServerEvent | None:
        """A blank line: the event is whole, if it has data; the platform takes an empty text for none."""
        self.last_id = self._id
        kind, data = self._type or "message", self._data
        self._type, self._data = "", []
        text = "\n".join(data)
        return ServerEvent(kind, text, self.last_id) if text else None


def _lines(text: str) -> list[str]:
    """Split at CR, LF and CRLF; a CR at the end stays, for an LF may follow."""
    held = "\r" if text.endswith("\r") else ""
    lines = text[: len(text) - len(held)].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines[-1] += held
    return lines


class EventSource(EventTarget, read_only="readyState url withCredentials"):
    """Dispatches the events of a stream as they come."""

    CONNECTING, OPEN, CLOSED = range(3)
    static_CONNECTING, static_OPEN, static_CLOSED = range(3)
    on_handlers = ("onopen", "onmessage", "onerror")

    def __init__(self, url: str = "", *, with_credentials: bool = False, fetcher: Any = None) -> None:
        super().__init__()
        self.url = url
        self.withCredentials = with_credentials
        self.readyState = CONNECTING
        self._fetcher = fetcher
        self._task: asyncio.Task[None] | None = None
        self._parser = EventParser()

    @classmethod
    def js_new(cls, url: Any = MISSING, init: Any = None, *_: Any) -> JsProxy:
        """``new EventSource(url, {withCredentials, fetcher})``.

        Raises:
            JsException: SyntaxError, when the URL is none.
        """
        if url is MISSING:
            raise constructor_error("EventSource", 1, "string")
        if not is_nullish(init) and not is_object(init):
            raise constructor_error("EventSource", 2, "EventSourceInit")
        href = href_of(to_string(url))
        if href is None:
            raise dom_exception("SyntaxError", "Cannot open an EventSource. The URL is invalid.")
        credentials = get_property(init, "withCredentials")
        if credentials is not None and to_boolean(credentials):
            raise dom_exception("NotSupportedError", "The init.withCredentials option is not supported.")
        self = cls(href, fetcher=get_property(init, "fetcher"))
        self._task = asyncio.get_running_loop().create_task(self._stay_connected())
        return self

    @classmethod
    def static_from(cls, stream: Any = MISSING, *_: Any) -> EventSource:
        """``EventSource.from(stream)``: the events of a stream that is there."""
        if not isinstance(stream, ReadableStream):
            raise argument_error("EventSource", "from", 1, "ReadableStream")
        self = cls()
        self.readyState = OPEN
        self._task = asyncio.get_running_loop().create_task(self._read_once(stream.chunks()))
        return self

    @js_method
    def close(self) -> None:
        """Read no more."""
        self.readyState = CLOSED
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    # ---- how it reads

    async def _read_once(self, chunks: AsyncIterator[bytes]) -> None:
        for _ in range(_JOBS_FIRST):
            await asyncio.sleep(0)
        ended: BaseException = JsException("Error", "The stream has ended.")
        try:
            await self._read(chunks)
        except Exception as error:
            ended = error
        if self.readyState != CLOSED:
            self.readyState = CLOSED
            self._fail(ended)

    async def _read(self, chunks: AsyncIterator[bytes]) -> None:
        async for chunk in chunks:
            for event in self._parser.feed(bytes(chunk)):
                if self.readyState == CLOSED:
                    return
                message = MessageEvent(event.type, data=event.data)
                message.lastEventId = event.last_id
                self.dispatch(message)

    async def _stay_connected(self) -> None:
        while self.readyState != CLOSED:
            try:
                if not await self._connect():
                    return
            except Exception as error:
                self._fail(error)
            if self.readyState == CLOSED:
                return
            self.readyState = CONNECTING
            await _pause(self._parser.retry_ms or RECONNECT_MS)

    async def _connect(self) -> bool:
        """Read one connection to its end; tell whether another one is worth trying."""
        headers = {"accept": "text/event-stream", "cache-control": "no-cache"}
        if self._parser.last_id:
            headers["last-event-id"] = self._parser.last_id
        fetch = self._fetcher.fetch if self._fetcher is not None else _global_fetch()
        response = await settle(fetch(self.url, JsObject({"headers": JsObject(headers)})))
        if response.status == 204:
            self.readyState = CLOSED
            return False
        kind = response.headers.find("content-type") or ""
        if response.status != 200 or not kind.startswith("text/event-stream"):
            self.readyState = CLOSED
            what = f"status {response.status}" if response.status != 200 else f"Content-Type {kind or 'missing'}"
            self._fail(dom_exception("NetworkError", f"The response cannot be read as events: {what}."))
            return False
        self.readyState = OPEN
        self.dispatch(Event("open"))
        last = self._parser
        self._parser = EventParser()
        self._parser.last_id = self._parser._id = last.last_id
        body = response.body
        if isinstance(body, ReadableStream):
            with suppress(JsException):
                await self._read(body.chunks())
        return True

    def _fail(self, error: BaseException) -> None:
        self.dispatch(ErrorEvent(message=str(error), error=error))


async def _pause(delay_ms: int) -> None:
    clock, over = current_realm().clock, asyncio.get_running_loop().create_future()

    def end() -> None:
        if not over.done():
            over.set_result(None)

    timer = clock.call_at(clock.now_ms() + delay_ms, end)
    try:
        await over
    finally:
        timer.cancel()


def _global_fetch() -> Any:
    from pyworkers.js.fetch import fetch

    return fetch


__all__ = ["EventParser", "EventSource", "ServerEvent"]
