"""A running generation: the model's stream of bytes as events, from its first token on."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from contextlib import suppress
from typing import Any, Final

from pyodide.ffi import JsException

from .ai_events import AIEvent, read_event, whole_answer
from .generation_requests import GenerationRequest
from .sse import SseDecoder
from .web import HttpError

# The platform's error numbers that are the caller's doing or its own state; all others are a failure of the model.
_STATUSES: Final = {
    3030: 408,  # the request took too long to arrive
    3036: 429,  # the account's daily limit
    3040: 503,  # out of capacity
    3046: 504,  # the model took too long
    5004: 400,  # inputs that are no JSON
    5005: 413,  # inputs that are too large
    5006: 400,  # inputs that do not fit the model's schema
    5007: 400,  # no such model
    5021: 413,  # more tokens than the model's context window
    5024: 422,  # the model could not satisfy the JSON schema
}
NOT_ACCEPTED: Final = 5006
_FIELDS: Final = {NOT_ACCEPTED: "model", 5007: "model"}
_NUMBERED: Final = re.compile(r"(?:\w+: )?(\d{4}): (.*)", re.DOTALL)


class AIStream:
    """Events of one generation, in order. `open_ai_stream` makes one.

    Args:
        reader: of the model's bytes; None where ``first`` is all there is.
        idle_s: how long a read may wait until the model is given up; None is for ever.
    """

    def __init__(self, reader: Any, first: AIEvent | None = None, *, idle_s: float | None = None) -> None:
        self._reader = reader
        self._idle_s = idle_s
        self._decoder = SseDecoder()
        self._ready: deque[AIEvent] = deque([] if first is None else [first])
        self.is_cancelled = False
        self._is_reading = False
        self._timed_out_s: float | None = None
        self._heard_at = 0.0
        self._timer: Any = None
        self._cancelling: Any = None

    async def next(self) -> AIEvent:
        """Return the next event; an end event after the last, and from then on.

        The model's stream is let go at its end event, not where its bytes end: nobody reads on to there.

        Raises:
            JsException: the stream broke.
            TimeoutError: the model has said nothing for too long.
        """
        while not self._ready:
            reader = self._reader
            if reader is None:
                return AIEvent(is_end=True)
            part = await self._read(reader)
            if self._timed_out_s is not None:
                raise TimeoutError(f"the model said nothing for {self._timed_out_s:g} s")
            if part.done:
                self._reader = None
                self._stop_watching()
                self._ready.extend(map(read_event, self._decoder.finish()))
            else:
                self._ready.extend(map(read_event, self._decoder.feed(part.value.to_bytes())))
        event = self._ready.popleft()
        if event.is_end:
            await self._let_go()
        return event

    @property
    def has_ready(self) -> bool:
        """Tell whether `next` returns without waiting."""
        return bool(self._ready)

    async def cancel(self) -> None:
        """Stop the generation: the model works no further for it. Idempotent."""
        self.is_cancelled = True
        self._stop_watching()
        reader, self._reader = self._reader, None
        if self._cancelling is not None:
            await self._cancelling
        elif reader is not None:
            await reader.cancel("the client is gone")

    async def _read(self, reader: Any) -> Any:
        """Read, watched by one timer for many reads, which is set anew only when a read begins without one."""
        loop = asyncio.get_running_loop()
        self._is_reading, self._heard_at = True, loop.time()
        if self._timer is None and self._idle_s is not None:
            self._timer = loop.call_later(self._idle_s, self._look, self._idle_s)
        try:
            return await reader.read()
        finally:
            self._is_reading = False

    async def _let_go(self) -> None:
        self._stop_watching()
        reader, self._reader = self._reader, None
        if reader is not None:
            with suppress(Exception):  # the answer is complete, whatever becomes of the rest
                await reader.cancel("the answer is complete")

    def _look(self, idle_s: float) -> None:
        """Cancel a read that has waited too long; a client that reads slowly is no fault of the model.

        Between two reads there is nothing to watch, and a timer would keep a stream that nobody reads any more.
        """
        self._timer = None
        if self._reader is None or not self._is_reading:
            return
        loop = asyncio.get_running_loop()
        left_s = self._heard_at + idle_s - loop.time()
        if left_s > 0:
            self._timer = loop.call_later(left_s, self._look, idle_s)
            return
        self._timed_out_s = idle_s
        self._cancelling = self._reader.cancel("the model is too slow")  # the read that waits ends with it

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def open_ai_stream(ai: Any, model: str, request: GenerationRequest, *, timeout_s: float) -> AIStream:
    """Start a generation.

    Args:
        model: the one to ask, which is another than the request's when that one failed.
        timeout_s: how long the model may be silent, before its first token and between two of them.

    Raises:
        HttpError: the model refused it, or did not answer in time.
    """
    asking = asyncio.ensure_future(ai.run(model, request.inputs()))
    try:
        await asyncio.wait([asking], timeout=timeout_s)
    finally:
        if not asking.done():
            asking.add_done_callback(_discard)  # the platform's promise cannot be taken back
    if not asking.done():
        raise too_slow(f"the model said nothing for {timeout_s:g} s")
    try:
        result = asking.result()
    except JsException as error:
        raise ai_error(error.message) from error
    if hasattr(result, "getReader"):
        return AIStream(result.getReader(), idle_s=timeout_s)
    return AIStream(None, whole_answer(result))  # a model that does not stream answers at once


def _discard(asking: asyncio.Future[Any]) -> None:
    """Stop a generation that began after it was given up."""
    if asking.cancelled() or asking.exception() is not None:
        return
    result = asking.result()
    if hasattr(result, "cancel"):
        result.cancel("nobody waits for it")


def too_slow(why: str) -> HttpError:
    """Return the 504."""
    return HttpError(504, f"AI error: {why}", code="AI_TIMEOUT")


def ai_error(text: str) -> HttpError:
    """Return the HTTP error for what the AI binding said, such as `5007: No such model @cf/x or task`."""
    match = _NUMBERED.fullmatch(text)
    code = int(match[1]) if match else 0
    message = match[2] if match else text
    # We have checked the request: what is refused is the schema of the answer, or the model is of another kind.
    field = "schema" if code == NOT_ACCEPTED and "JSON schema" in message else _FIELDS.get(code)
    return HttpError(_STATUSES.get(code, 502), f"AI error: {message}", field=field)
