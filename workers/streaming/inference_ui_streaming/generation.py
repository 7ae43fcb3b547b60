"""A generation as a response: the model's tokens, turned into frames as they come.

The body is pulled: a client that reads slowly slows the model down, and one that leaves stops it.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass
from typing import Any, Final, Literal

import js
from pyodide.ffi import JsException, create_proxy, to_js

from .ai_events import Usage
from .ai_stream import AIStream, ai_error, open_ai_stream, too_slow
from .cache import Answer, ReplayedStream
from .fences import FenceStripper
from .generation_requests import GenerationRequest
from .protocols import Ending, SupersetFrames, WireFormat
from .tools import ToolCalls
from .web import HttpError

CacheUse = Literal["hit", "miss", "bypass"]
Result = Literal["done", "cancelled", "error"]
# What another model may do better: failures of the model and its platform, not of the request.
RETRIED_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a generation ended.

    Attributes:
        first_token_ms: from the request to the first token; None where there was none.
        model: which answered; another than was asked for where that one failed.
    """

    result: Result
    usage: Usage
    first_token_ms: int | None
    duration_ms: int
    error: str | None = None
    model: str = ""
    cache: CacheUse = "bypass"
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How a worker generates.

    Attributes:
        fallback_model: who answers where the model that was asked for fails before its first token; "" is nobody.
        timeout_s: how long a model may be silent.
    """

    fallback_model: str = ""
    timeout_s: float = 60.0


class Generation:
    """One generation, from the request to its last frame.

    Args:
        ai: the AI binding.
        wire: what the answer is written in.
    """

    def __init__(
        self,
        ai: Any,
        request: GenerationRequest,
        wire: WireFormat | None = None,
        settings: Settings | None = None,
        *,
        cache: CacheUse = "bypass",
    ) -> None:
        self._ai = ai
        self._request = request
        self._wire = wire or SupersetFrames()
        self._settings = settings or Settings()
        self._cache = cache
        self._stream: AIStream | ReplayedStream | None = None
        self._message_id = str(uuid.uuid4())
        self._fences = FenceStripper() if request.endpoint == "object" else None
        self._texts: list[str] = []
        self._calls = ToolCalls()
        self._usage: Usage | None = None
        self._finish_reason: str | None = None
        self._pending = bytearray()  # frames that are made and not yet sent
        self._has_ended = False
        self._failure: str | None = None
        self._failed_slowly = False
        self._is_cancelled = False
        self._started_ms = now_ms()
        self._first_token_ms: int | None = None
        self._proxies: list[Any] = []
        self.model = request.model
        self.answer: Answer | None = None
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    async def start(self, kept: Answer | None = None) -> None:
        """Run until the first token is there, so that what goes wrong before it is a plain HTTP error.

        Args:
            kept: the answer, from the cache.

        Raises:
            HttpError: the model refused, failed or was cancelled, and so did the one after it.
        """
        try:
            if kept is None:
                await self._start_model()
            else:
                self.model, self._stream = kept.model, ReplayedStream(kept)
                await self._advance()
        except BaseException as error:
            self._settle("error", str(error) or type(error).__name__)
            raise
        self._pending[:0] = self._wire.start(self._request.endpoint, self._message_id, self._request.chat_id)

    async def _start_model(self) -> None:
        try:
            await self._try_model()
        except HttpError as error:
            fallback = self._settings.fallback_model
            if error.status not in RETRIED_STATUSES or fallback in ("", self.model) or self._is_cancelled:
                raise
            print(f"generation: {self.model} failed, {fallback} is asked: {error.message}")  # for the worker's log
            self.model = fallback
            await self._try_model()

    async def _try_model(self) -> None:
        """Ask a model, and wait for its first token."""
        self._begin_again()
        self._stream = await open_ai_stream(self._ai, self.model, self._request, timeout_s=self._settings.timeout_s)
        await self._advance()
        if self._is_cancelled:
            await self._stream.cancel()  # it may have come after the client had gone
            raise HttpError(499, "The client closed the request")
        if self._failure is not None:
            await self._stream.cancel()
            raise too_slow(self._failure) if self._failed_slowly else ai_error(self._failure)

    def _begin_again(self) -> None:
        self._failure, self._has_ended, self._failed_slowly = None, False, False

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
            if self._wire.cuts_on_error:
                controller.error(js.Error.new(self._failure))
            else:
                controller.close()
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
        except TimeoutError as error:
            self._failed_slowly = True
            self._fail(str(error))
        except Exception as error:
            self._fail(error.message if isinstance(error, JsException) else str(error))

    async def _take(self) -> None:
        assert self._stream is not None
        event = await self._stream.next()
        if event.error is not None:
            self._fail(event.error)
            return
        self._usage = event.usage or self._usage
        self._finish_reason = event.finish_reason or self._finish_reason
        self._calls.add(event.calls)
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
        self._pending += self._wire.text(text)

    def _end(self) -> None:
        if self._fences is not None:
            self._say(self._fences.finish())
        text = "".join(self._texts)
        if self._request.endpoint == "object" and not _is_json(text):
            self._fail("the model's answer is not complete JSON; raise maxTokens or simplify the schema")
            return
        self._has_ended = True
        calls = self._calls.finish()
        reason = "tool-calls" if calls else self._finish_reason or self._reason_by_count()
        self._finish_reason = reason
        self.answer = Answer(self.model, self._texts, calls, self._counted(), reason)
        created_at = str(js.Date.new().toISOString())
        self._pending += self._wire.end(
            Ending(self._message_id, text, calls, self._counted(), created_at=created_at, finish_reason=reason)
        )

    def _fail(self, message: str) -> None:
        self._has_ended = True
        self._failure = message
        if self._texts:
            self._pending += self._wire.error(message)

    def _reason_by_count(self) -> str:
        """Return why an answer ended whose model does not say it: at the limit it was cut."""
        count = self._usage.completion_tokens if self._usage is not None else 0
        return "length" if count >= self._request.max_tokens else "stop"

    def _counted(self) -> Usage:
        """Return the model's own count, or how many pieces of text came."""
        return self._usage or Usage(None, len(self._texts))

    async def _give_up(self, result: Result, message: str | None) -> None:
        self._settle(result, message)
        if self._stream is not None:
            await self._stream.cancel()

    def _settle(self, result: Result, message: str | None) -> None:
        if self.outcome.done():
            return
        outcome = Outcome(
            result,
            Usage(0, 0) if self._cache == "hit" else self._counted(),  # what was generated before costs nothing
            self._first_token_ms,
            now_ms() - self._started_ms,
            message,
            model=self.model,
            cache=self._cache,
            finish_reason=self._finish_reason,
        )
        self.outcome.set_result(outcome)


def now_ms() -> int:
    """Return the time, milliseconds since the epoch."""
    return int(js.Date.now())


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
