"""The source of a stream of ``type: "bytes"``: a queue of bytes, and reads into the reader's own memory (BYOB)."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

from pyworkers.js.buffers import ArrayBuffer, Uint8Array
from pyworkers.js.streams.queue_source import QueueSource
from pyworkers.js.streams.sources import END, NOT_READY, ByteSource
from pyworkers.js.streams.strategies import Strategy
from pyworkers.js.values import range_error, type_error


@dataclass(eq=False, slots=True)
class Request:
    """The memory that a waiting read wants filled: what the controller shows as ``byobRequest``."""

    view: memoryview
    answer: asyncio.Future[Any]  # a number of bytes, or END


class ByteQueueSource(QueueSource, ByteSource):
    """As `QueueSource`, sized in bytes; partial reads split chunks.

    Args:
        auto_allocate: the size of the buffer that a read without one brings along.
    """

    is_bytes = True
    closed_text = "This ReadableByteStreamController is closed."

    def __init__(self, strategy: Strategy, auto_allocate: int) -> None:
        super().__init__(strategy)
        self.auto_allocate = auto_allocate
        self.request: Request | None = None
        self.rest: deque[bytes] = deque()
        self._turn = asyncio.Lock()

    def put(self, chunk: bytes) -> None:
        """Hand bytes to a waiting read, or queue them.

        Raises:
            JsException: TypeError after the end.
        """
        request = self.request
        if request is None or request.answer.done() or self.is_closing:
            super().put(chunk)
            return
        size = min(len(request.view), len(chunk))
        request.view[:size] = chunk[:size]
        self.respond(size)
        if size < len(chunk):
            super().put(chunk[size:])

    def respond(self, size: int) -> None:
        """Tell that the first ``size`` bytes of the requested memory are filled."""
        request = self.request
        if request is None or request.answer.done():
            raise type_error("This ReadableStreamBYOBRequest has been invalidated.")
        if size == 0 and not self.is_closing:
            raise type_error("The bytesWritten must be more than zero while the stream is open.")
        if size > len(request.view):
            raise range_error(f"Too many bytes [{size}] in response to a BYOB read request.")
        self.request = None
        self._reads.remove(request.answer)
        request.answer.set_result(size or END)

    def put_back(self, chunk: bytes) -> None:
        """Return a part of a chunk that was taken; it comes next."""
        self.rest.appendleft(chunk)

    def take(self) -> Any:
        """Return bytes that are at hand: as much as a read's buffer holds, of however many chunks."""
        data = self._take_chunk()
        if data is NOT_READY or data is END:
            return data
        limit = self.auto_allocate
        while len(data) < limit and (self.rest or self._queue):
            data += self._take_chunk()
        if len(data) > limit:
            self.put_back(data[limit:])
        return data[:limit]

    def _take_chunk(self) -> Any:
        return self.rest.popleft() if self.rest else super().take()

    async def read(self) -> Any:
        """Take the oldest bytes, or wait for the source to fill a buffer of ``autoAllocateChunkSize``."""
        chunk = self.take()
        if chunk is not NOT_READY:
            return chunk
        async with self._turn:
            chunk = self.take()
            if chunk is not NOT_READY:
                return chunk
            memory = bytearray(self.auto_allocate)
            filled = await self._ask(memoryview(memory))
            return bytes(memory[:filled]) if filled else self._ended()

    async def read_into(self, view: memoryview, at_least: int) -> int:
        """Fill the reader's memory from the queue, then by the source itself."""
        filled = 0
        async with self._turn:
            while filled < at_least:
                chunk = self.take()
                if chunk is END:
                    break
                if chunk is NOT_READY:
                    size = await self._ask(view[filled:])
                    if size == 0:
                        break
                    filled += size
                    continue
                size = min(len(view) - filled, len(chunk))
                view[filled : filled + size] = chunk[:size]
                filled += size
                if size < len(chunk):
                    self.put_back(chunk[size:])
        return filled

    async def _ask(self, view: memoryview) -> int:
        answer = asyncio.get_running_loop().create_future()
        self.request = Request(view, answer)
        self._reads.append(answer)
        self.want()
        size = await answer
        return 0 if size is END else int(size)

    def finish(self) -> None:
        """Become closed: what waits for memory to be filled gets the end."""
        super().finish()
        self.request = None


def view_of_request(request: Request) -> Uint8Array:
    """Return the requested memory as a worker sees it: a write to the array is a write to the reader's buffer."""
    buffer = ArrayBuffer()
    buffer.data = request.view  # type: ignore[assignment]  # read and written like the bytearray it is a window of
    return Uint8Array(buffer)
