"""The readers of a stream: JavaScript's two, its async iterator, and the host's own.

Source: recorded, contracts/fetchapi, fetchapi.streams.readers
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

from pyworkers.js.buffers import ArrayBufferView
from pyworkers.js.primitives import to_integer
from pyworkers.js.promise import JsPromise, js_async
from pyworkers.js.streams.queue_source import QueueSource
from pyworkers.js.streams.sources import END, ERRORED, NOT_READY, READABLE, Source
from pyworkers.js.values import JsObject, JsProxy, get_property, js_method, type_error
from pyworkers.js.webidl import argument_error

if TYPE_CHECKING:
    from pyworkers.js.streams.readable import ReadableStream

LOCKED: Final = "This ReadableStream is currently locked to a reader."
RELEASED: Final = "This ReadableStream reader has been released."
END_RESULT: Final[dict[str, object]] = {"value": None, "done": True}


class _Reader(JsProxy):
    def __init__(self, stream: ReadableStream) -> None:
        if stream.reader is not None:
            raise type_error(LOCKED)
        stream.reader = self
        self._stream: ReadableStream | None = stream
        self._closed: JsPromise | None = None
        self._source: Source = stream.source

    @property
    def closed(self) -> JsPromise:
        """Fulfils at the end of the stream; rejects when it breaks or the reader lets go."""
        if self._closed is None:
            self._closed = promise = JsPromise()
            promise.mark_handled()
            if self._stream is None and self._source.state is READABLE:
                promise.reject(type_error(RELEASED))
            else:
                self._source.watch(self._settle_closed)
        return self._closed

    def _settle_closed(self) -> None:
        if self._closed is None:
            return
        if self._source.state is ERRORED:
            self._closed.reject(self._source.error)
        else:
            self._closed.resolve()

    @js_method
    def cancel(self, reason: object = None) -> JsPromise:
        """Cancel the stream."""
        if self._stream is None:
            return JsPromise.rejected(type_error(RELEASED))
        self._stream.disturbed = True
        return JsPromise.run(self._source.cancel(reason))

    @js_method
    def releaseLock(self) -> None:
        """Let go of the stream; reads that still wait are rejected."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        stream.reader = None
        if isinstance(self._source, QueueSource):
            self._source.abandon_reads(type_error(RELEASED))
        if self._source.state is READABLE and self._closed is not None:
            self._closed.reject(type_error(RELEASED))


class ReadableStreamDefaultReader(_Reader):
    """Reads chunk by chunk."""

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new ReadableStreamDefaultReader(stream)``."""
        return cls(_stream_argument(cls, args))

    def read(self, *_: object) -> JsPromise:
        """Return a promise of ``{value, done}``."""
        if self._stream is None:
            return JsPromise.rejected(type_error(RELEASED))
        self._stream.disturbed = True
        source = self._source
        try:
            chunk = source.take()
        except Exception as error:
            return JsPromise.rejected(error)
        if chunk is NOT_READY:
            return JsPromise.run(self._wait(source))
        if chunk is END:
            return JsPromise.resolved(JsObject(END_RESULT))
        return JsPromise.resolved(JsObject({"value": source.js_chunk(chunk), "done": False}))

    async def _wait(self, source: Source) -> JsObject:
        chunk = await source.read()
        return JsObject(END_RESULT if chunk is END else {"value": source.js_chunk(chunk), "done": False})


class ReadableStreamBYOBReader(_Reader):
    """Reads into memory that the caller brings."""

    def __init__(self, stream: ReadableStream) -> None:
        if not stream.source.is_bytes and stream.source.state is READABLE:
            raise type_error("This ReadableStream does not support BYOB reads.")
        super().__init__(stream)

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new ReadableStreamBYOBReader(stream)``."""
        return cls(_stream_argument(cls, args))

    @js_async
    async def read(self, view: object = None, options: object = None) -> JsObject:
        """Fill ``view``; ``value`` is a view of the same type on the part that was filled."""
        minimum = get_property(options, "min")
        return await self._read("read", view, 1 if minimum is None else to_integer(minimum) % 2**64)

    @js_async
    async def readAtLeast(self, minimum: object = None, view: object = None) -> JsObject:
        """Fill ``view`` with at least so many elements, fewer only at the end of the stream."""
        if minimum is None:
            raise argument_error("ReadableStreamBYOBReader", "readAtLeast", 1, "integer")
        return await self._read("readAtLeast", view, to_integer(minimum))

    async def _read(self, method: str, view: object, minimum: int) -> JsObject:
        if self._stream is None:
            raise type_error(RELEASED)
        if not isinstance(view, ArrayBufferView):
            position = 1 if method == "read" else 2
            raise argument_error("ReadableStreamBYOBReader", method, position, "ArrayBufferView")
        if view.byteLength == 0:
            raise type_error('You must call read() on a "byob" reader with a positive-sized TypedArray object.')
        if minimum <= 0:
            raise type_error(f"Requested invalid minimum number of bytes to read ({minimum}).")
        if minimum * view.item_size > view.byteLength:
            raise type_error(f"Minimum bytes to read ({minimum}) exceeds size of buffer ({view.byteLength}).")
        self._stream.disturbed = True
        filled = await self._source.read_into(view.view, minimum * view.item_size)
        return JsObject({"value": type(view)(view.buffer, view.byteOffset, filled), "done": filled == 0})


class ReadableStreamAsyncIterator(JsProxy, js_name="ReadableStreamAsyncIterator"):
    """Iterates the chunks of a stream."""

    def __init__(self, stream: ReadableStream, *, prevent_cancel: bool) -> None:
        self._reader = ReadableStreamDefaultReader(stream)
        self._stream = stream
        self._source = stream.source
        self._prevent_cancel = prevent_cancel
        self._done = False

    def __aiter__(self) -> ReadableStreamAsyncIterator:
        return self

    async def __anext__(self) -> Any:
        if self._done:
            raise StopAsyncIteration
        self._stream.disturbed = True
        source = self._source
        try:
            chunk = source.take()
            if chunk is NOT_READY:
                chunk = await source.read()
        except Exception:
            self._finish()
            raise
        if chunk is END:
            self._finish()
            raise StopAsyncIteration
        return source.js_chunk(chunk)

    @js_async
    async def next(self) -> JsObject:
        """``AsyncIterator.next``."""
        try:
            return JsObject({"value": await self.__anext__(), "done": False})
        except StopAsyncIteration:
            return JsObject({"value": None, "done": True})

    @js_async
    async def return_(self, value: object = None) -> JsObject:
        """``AsyncIterator.return``: stop, and cancel the stream unless that was prevented."""
        if not self._done:
            self._finish()
            if not self._prevent_cancel:
                await self._source.cancel(value)
        return JsObject({"value": value, "done": True})

    async def aclose(self) -> None:
        """As `return_`, for Python's ``aclosing``."""
        await self.return_()

    def _finish(self) -> None:
        self._done = True
        self._reader.releaseLock()


class Chunks(AsyncIterator[bytes]):
    """The host's reader: the stream's bytes. It locks the stream until the end, `release` or `aclose`."""

    __slots__ = ("_source", "_stream")

    def __init__(self, stream: ReadableStream) -> None:
        if stream.reader is not None:
            raise type_error(LOCKED)
        stream.reader = self
        stream.disturbed = True
        self._stream: ReadableStream | None = stream
        self._source = stream.source

    def __aiter__(self) -> Chunks:
        return self

    async def __anext__(self) -> bytes:
        source = self._source
        if self._stream is None:
            raise StopAsyncIteration
        chunk = source.take()
        if chunk is NOT_READY:
            chunk = await source.read()
        if chunk is END:
            self.release()
            raise StopAsyncIteration
        try:
            return source.byte_chunk(chunk)
        except Exception as error:
            await source.cancel(error)
            raise

    def release(self) -> None:
        """Unlock the stream without cancelling it."""
        if self._stream is not None:
            self._stream.reader = None
            self._stream = None

    async def aclose(self, reason: BaseException | None = None) -> None:
        """Cancel what was not read, and unlock the stream.

        Args:
            reason: what the producer is told, and what a write into the other end of a transform raises.
        """
        if self._stream is not None:
            self.release()
            if self._source.state is READABLE:
                await self._source.cancel(reason)


def _stream_argument(cls: type[JsProxy], args: tuple[Any, ...]) -> ReadableStream:
    from pyworkers.js.streams.readable import ReadableStream  # that module is written in terms of this one

    if not args or not isinstance(args[0], ReadableStream):
        raise type_error(
            f"Failed to construct '{cls.js_name}': constructor parameter 1 is not of type 'ReadableStream'."
        )
    return args[0]
