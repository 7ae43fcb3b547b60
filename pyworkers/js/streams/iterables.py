"""The source of ``ReadableStream.from``: chunks out of any iterable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from pyworkers.js.convert import JsDoubleProxy
from pyworkers.js.promise import settle
from pyworkers.js.streams.sources import NOT_READY, READABLE, Source
from pyworkers.js.webidl import argument_error


class IterableSource(Source):
    """Pulls one item a read."""

    def __init__(self, iterable: Any) -> None:
        super().__init__()
        self._iterator = _async_iterator(iterable)
        self._lock = asyncio.Lock()

    def take(self) -> Any:
        """Nothing is ever at hand but the end."""
        return NOT_READY if self.state is READABLE else self._ended()

    async def read(self) -> Any:
        """Pull the next item."""
        async with self._lock:
            if self.state is not READABLE:
                return self._ended()
            try:
                return await anext(self._iterator)
            except StopAsyncIteration:
                self.finish()
                return self._ended()
            except Exception as error:
                self.fail(error)
                raise

    async def cancel(self, _reason: object) -> None:
        """Close the iterator, where it can be closed."""
        if self.state is READABLE:
            self.finish()
            aclose = getattr(self._iterator, "aclose", None)
            if aclose is not None:
                await aclose()


def _async_iterator(iterable: Any) -> AsyncIterator[Any]:
    if isinstance(iterable, JsDoubleProxy):
        iterable = iterable.unwrap()
    if hasattr(iterable, "__aiter__"):
        return aiter(iterable)
    try:
        iterator = iter(iterable)
    except TypeError:
        raise argument_error("ReadableStream", "from", 1, "AsyncGenerator") from None

    async def items() -> AsyncIterator[Any]:
        for item in iterator:
            yield await settle(item)

    return items()
