"""A generation as a response: the model's tokens, turned into frames as they come.

The body is pulled: a client that reads slowly slows the model down, and one that leaves stops it.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass
from typing import Any, Literal

import js
from pyodide.ffi import JsException, create_proxy, to_js

from . import frames
from .ai_events import Usage
from .ai_stream import AIStream, ai_error, open_ai_stream
from .fences import FenceStripper
from .generation_requests import GenerationRequest
from .web import HttpError

HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",  # proxies of the nginx family would hold tokens back
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a generation ended.

    Attributes:
        first_token_ms: from the request to the first token; None where there was none.
    """

    result: Literal["done", "cancelled", "error"]
    usage: Usage
    first_token_ms: int | None
    duration_ms: int
    error: str | None = None


class Generation:
    """One generation, from the request to its last frame.

    Args:
        ai: the AI binding.
    """

    def __init__(self, ai: Any, request: GenerationRequest) -> None:
        self._ai = ai
        self._request = request
        self._stream: AIStream | None = None
        self._fences = FenceStripper() if request.endpoint == "object" else None
        self._texts: list[str] = []
        self._usage: Usage | None = None
        self._pending = bytearray()  # frames that are made and not yet sent
        self._has_ended = False
        self._failure: str | None = None
        self._is_cancelled = False
        self._started_ms = now_ms()
        self._first_token_ms: int | None = None
        self._proxies: list[Any] = []
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Run until the first token is there, so that what goes wrong before it is a plain HTTP error.

        Raises:
            HttpError: the model refused, failed or was cancelled.
        """
        try:
            self._stream = await open_ai_stream(self._ai, self._request)
            await self._advance()
        except BaseException as error:
            self._settle("error", str(error) or type(error).__name__)
            raise
        if self._is_cancelled:
            await self._stream.cancel()  # it may have come after the client had gone
            raise HttpError(499, "The client closed the request")
        if self._failure is not None:
            await self._give_up("error", self._failure)
            raise ai_error(self._failure)
        start = frames.chat_start(self._request.chat_id) if self._request.endpoint == "chat" else frames.plain_start()
        self._pending[:0] = start

    def body(self) -> Any:
        """Return the frames as a `js.ReadableStream`, after `start`."""
        pull, cancel = create_proxy(self._pull), create_proxy(self.cancel)
        self._proxies = [pull, cancel]
        return js.ReadableStream.new(pull=pull, cancel=cancel)

    async def cancel(self, *_reason: object) -> None:
        """Stop the model; the client is gone."""
        self._is_cancelled = True
        await self._give_up("cancelled", None)

    def release(self) -> None:
        """Free what JavaScript holds of this object; after the outcome is known."""
        for proxy in self._proxies:
            proxy.destroy()
        self._proxies = []

    async def _pull(self, controller: Any) -> None:
        if self._failure is not None and not self._pending:
            # The error frame has been taken. Cutting the connection is what the published client notices.
            controller.error(js.Error.new(self._failure))
            await self._give_up("error", self._failure)
            return
        if not self._pending:
            await self._advance()
        if self._is_cancelled:
            return
        if self._pending:
            controller.enqueue(to_js(bytes(self._pending)))
            self._pending.clear()
        if self._has_ended and self._failure is None:
            controller.close()
            self._settle("done", None)

    async def _advance(self) -> None:
        """Wait for tokens and make their frames: those of one read of the model's stream."""
        assert self._stream is not None
        try:
            while not self._pending and not self._has_ended and not self._is_cancelled:
                await self._take()
                while self._stream.has_ready and not self._has_ended:
                    await self._take()
        except Exception as error:
            self._fail(error.message if isinstance(error, JsException) else str(error))

    async def _take(self) -> None:
        assert self._stream is not None
        event = await self._stream.next()
        if event.error is not None:
            self._fail(event.error)
            return
        self._usage = event.usage or self._usage
        if event.text:
            self._say(self._fences.feed(event.text) if self._fences else event.text)
        if event.is_end and not self._is_cancelled:
            self._end()

    def _say(self, text: str) -> None:
        if not text:
            return
        if self._first_token_ms is None:
            self._first_token_ms = now_ms() - self._started_ms
        self._texts.append(text)
        self._pending += frames.text_part(text)

    def _end(self) -> None:
        if self._fences is not None:
            self._say(self._fences.finish())
        text = "".join(self._texts)
        if self._request.endpoint == "object" and not _is_json(text):
            self._fail("the model's answer is not complete JSON; raise maxTokens or simplify the schema")
            return
        self._has_ended = True
        created_at = str(js.Date.new().toISOString())
        self._pending += frames.end(str(uuid.uuid4()), text, created_at=created_at, usage=self._counted())

    def _fail(self, message: str) -> None:
        self._has_ended = True
        self._failure = message
        if self._texts:
            self._pending += frames.error(message)

    def _counted(self) -> Usage:
        """Return the model's own count, or how many pieces of text came."""
        return self._usage or Usage(None, len(self._texts))

    async def _give_up(self, result: Literal["cancelled", "error"], message: str | None) -> None:
        self._settle(result, message)
        if self._stream is not None:
            await self._stream.cancel()

    def _settle(self, result: Literal["done", "cancelled", "error"], message: str | None) -> None:
        if not self.outcome.done():
            duration_ms = now_ms() - self._started_ms
            self.outcome.set_result(Outcome(result, self._counted(), self._first_token_ms, duration_ms, message))


def now_ms() -> int:
    """Return the time, milliseconds since the epoch."""
    return int(js.Date.now())


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
