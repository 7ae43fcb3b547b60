"""Where a readable stream's chunks come from.

A `Source` belongs to one stream. Two families exist: a `ByteSource` is the host's own and hands out ``bytes`` (request
and response bodies, blobs, compressed data), a `QueueSource` is fed by a worker through its controller. Reading one
costs no trip through the event loop while a chunk is at hand: `Source.take` returns it at once.

Source: streams.spec.whatwg.org, section 4
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, final

from pyworkers.js.buffers import ArrayBuffer, JsBuffer, Uint8Array
from pyworkers.js.values import dom_exception, type_error


@final
class Mark:
    """A value that no chunk can be."""


END: Final = Mark()
NOT_READY: Final = Mark()

READABLE, CLOSED, ERRORED = "readable", "closed", "errored"
NOT_BYTES: Final = "This ReadableStream did not return bytes."


class Source:
    """Base of every source.

    Attributes:
        is_bytes: the stream can be read with a BYOB reader.
        length: the number of bytes that will come, where it is known.
        state: ``readable``, ``closed`` or ``errored``.
        error: what reads raise once the state is ``errored``.
        translate: makes of an error what readers get, where the stream has gone to another worker; None leaves it.
    """

    is_bytes = False
    length: int | None = None
    translate: Callable[[BaseException], BaseException] | None = None

    def __init__(self) -> None:
        self.state = READABLE
        self.error: BaseException | None = None
        self._watchers: list[Callable[[], None]] = []

    def take(self) -> Any:
        """Return a chunk that is at hand, `END`, or `NOT_READY`; raise the stream's error."""
        raise type_error("Illegal invocation")

    async def read(self) -> Any:
        """Wait for the next chunk; `END` after the last."""
        raise type_error("Illegal invocation")

    async def read_into(self, _view: memoryview, _at_least: int) -> int:
        """Fill a view with at least so many bytes and return how many; fewer, or 0, at the end of the stream."""
        raise type_error("This ReadableStream does not support BYOB reads.")

    async def cancel(self, _reason: object) -> None:
        """Discard what is left and tell the producer."""
        self.finish()

    def js_chunk(self, chunk: Any) -> Any:
        """Return the chunk as a worker sees it."""
        return chunk

    def byte_chunk(self, chunk: Any) -> bytes:
        """Return the chunk's bytes.

        Raises:
            JsException: TypeError, when it has none.
        """
        if isinstance(chunk, JsBuffer):
            return bytes(chunk.view)
        raise type_error(NOT_BYTES)

    def watch(self, callback: Callable[[], None]) -> None:
        """Call back once, when the state is no longer ``readable``."""
        if self.state is READABLE:
            self._watchers.append(callback)
        else:
            callback()

    def finish(self) -> None:
        """Become closed."""
        if self.state is READABLE:
            self.state = CLOSED
            self._notify()

    def fail(self, error: BaseException) -> None:
        """Become errored."""
        if self.state is READABLE:
            self.state, self.error = ERRORED, error if self.translate is None else self.translate(error)
            self._notify()

    def cross(self, translate: Callable[[BaseException], BaseException]) -> None:
        """Have readers get of every error, one that is there already too, what ``translate`` makes of it."""
        self.translate = translate
        if self.error is not None:
            self.error = translate(self.error)

    def _notify(self) -> None:
        watchers, self._watchers = self._watchers, []
        for callback in watchers:
            callback()

    def _ended(self) -> Mark:
        if self.error is not None:
            raise self.error
        return END


class ByteSource(Source):
    """Base of the sources whose chunks are ``bytes``."""

    is_bytes = True

    def __init__(self) -> None:
        super().__init__()
        self.rest: deque[bytes] = deque()  # ready to be taken, in order

    def js_chunk(self, chunk: bytes) -> Uint8Array:
        """Return a Uint8Array of its own memory."""
        return Uint8Array(ArrayBuffer(chunk))

    def byte_chunk(self, chunk: bytes) -> bytes:
        """Return the chunk itself."""
        return chunk

    def put_back(self, chunk: bytes) -> None:
        """Return a part of a chunk that was taken; it comes next."""
        self.rest.appendleft(chunk)

    async def read_into(self, view: memoryview, at_least: int) -> int:
        """Copy chunks until ``at_least`` bytes are there; what does not fit is kept for the next read."""
        filled = 0
        while filled < at_least:
            chunk = await self.read()
            if chunk is END:
                break
            room = len(view) - filled
            view[filled : filled + min(room, len(chunk))] = chunk[:room]
            filled += min(room, len(chunk))
            if len(chunk) > room:
                self.put_back(chunk[room:])
        return filled


class BytesSource(ByteSource):
    """A body that is already in memory: one chunk."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.length = len(data)
        if data:
            self.rest.append(data)

    def take(self) -> Any:
        """Return the bytes, then `END`."""
        if self.rest:
            return self.rest.popleft()
        self.finish()
        return END

    async def read(self) -> Any:
        """As `take`."""
        return self.take()

    async def cancel(self, _reason: object) -> None:
        """Drop the bytes."""
        self.rest.clear()
        self.finish()


class IteratorSource(ByteSource):
    """Bytes pulled from an asynchronous iterator, one item for each read that finds nothing at hand.

    The iterator's ``aclose``, where it has one, runs when the stream is cancelled or dropped unread.
    """

    def __init__(self, iterator: AsyncIterator[bytes], length: int | None) -> None:
        super().__init__()
        self.length = length
        self._next = iterator.__anext__
        self._aclose: Callable[[], Awaitable[object]] | None = getattr(iterator, "aclose", None)
        self._lock = asyncio.Lock()  # reads take turns

    def take(self) -> Any:
        """Return what a partial read left, or `END`."""
        if self.rest and not self._lock.locked():
            return self.rest.popleft()
        return NOT_READY if self.state is READABLE else self._ended()

    async def read(self) -> Any:
        """Pull the next item that is not empty."""
        async with self._lock:
            if self.rest:
                return self.rest.popleft()
            if self.state is not READABLE:
                return self._ended()
            try:
                chunk = await self._next()
                while not chunk:
                    chunk = await self._next()
            except StopAsyncIteration:
                self.finish()
                return self._ended()
            except asyncio.CancelledError:
                # The iterator was interrupted in the middle of an item; what comes after it is not the whole.
                self.fail(dom_exception("AbortError", "The operation was aborted"))
                raise
            except Exception as error:
                self.fail(error)
                if self.error is error:
                    raise
                return self._ended()
            return chunk

    def finish(self) -> None:
        """Become closed; the iterator is not needed any more."""
        super().finish()
        self.rest.clear()

    async def cancel(self, _reason: object) -> None:
        """Close the iterator."""
        if self.state is READABLE:
            self.finish()
            if self._aclose is not None:
                await self._aclose()

    def __del__(self) -> None:
        if self.state is not READABLE or self._aclose is None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # no loop runs any more: nothing could await aclose()
        task = loop.create_task(_close(self._aclose))
        _closing.add(task)
        task.add_done_callback(_closing.discard)


_closing: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references


async def _close(aclose: Callable[[], Awaitable[object]]) -> None:
    await aclose()
