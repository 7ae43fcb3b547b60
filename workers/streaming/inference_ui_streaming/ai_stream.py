"""A running generation: the model's stream of bytes as events, from its first token on."""

from __future__ import annotations

import re
from collections import deque
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
_FIELDS: Final = {5007: "model"}
_NUMBERED: Final = re.compile(r"(?:\w+: )?(\d{4}): (.*)", re.DOTALL)


class AIStream:
    """Events of one generation, in order. `open_ai_stream` makes one."""

    def __init__(self, reader: Any, first: AIEvent | None = None) -> None:
        self._reader = reader
        self._decoder = SseDecoder()
        self._ready: deque[AIEvent] = deque([] if first is None else [first])
        self.is_cancelled = False

    async def next(self) -> AIEvent:
        """Return the next event; an end event after the last, and from then on.

        Raises:
            JsException: the stream broke.
        """
        while not self._ready:
            if self._reader is None:
                return AIEvent(is_end=True)
            part = await self._reader.read()
            if part.done:
                self._reader = None
                self._ready.extend(map(read_event, self._decoder.finish()))
            else:
                self._ready.extend(map(read_event, self._decoder.feed(part.value.to_bytes())))
        return self._ready.popleft()

    @property
    def has_ready(self) -> bool:
        """Tell whether `next` returns without waiting."""
        return bool(self._ready)

    async def cancel(self) -> None:
        """Stop the generation: the model works no further for it. Idempotent."""
        self.is_cancelled = True
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.cancel("the client is gone")


async def open_ai_stream(ai: Any, request: GenerationRequest) -> AIStream:
    """Start a generation.

    Raises:
        HttpError: the model refused it.
    """
    try:
        result = await ai.run(request.model, request.inputs())
    except JsException as error:
        raise ai_error(error.message) from error
    if hasattr(result, "getReader"):
        return AIStream(result.getReader())
    return AIStream(None, whole_answer(result))  # a model that does not stream answers at once


def ai_error(text: str) -> HttpError:
    """Return the HTTP error for what the AI binding said, such as `5007: No such model @cf/x or task`."""
    match = _NUMBERED.fullmatch(text)
    code = int(match[1]) if match else 0
    message = match[2] if match else text
    return HttpError(_STATUSES.get(code, 502), f"AI error: {message}", field=_FIELDS.get(code))
