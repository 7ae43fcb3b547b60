"""``ReadableStream``.

The host makes a stream of its own with `ReadableStream.of_bytes` or `ReadableStream.of_async_iterator` and consumes any
stream with `ReadableStream.chunks`. A worker makes one from an underlying source.

Source: streams.spec.whatwg.org, section 4; recorded, contracts/fetchapi, fetchapi.streams.*
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, to_integer, to_string
from pyworkers.js.promise import JsPromise
from pyworkers.js.realm import current_realm
from pyworkers.js.streams.byte_queue import ByteQueueSource
from pyworkers.js.streams.controllers import ReadableByteStreamController, ReadableStreamDefaultController
from pyworkers.js.streams.iterables import IterableSource
from pyworkers.js.streams.pipe import pipe_through, pipe_to
from pyworkers.js.streams.queue_source import QueueSource, bind
from pyworkers.js.streams.readers import (
    LOCKED,
    Chunks,
    ReadableStreamAsyncIterator,
    ReadableStreamBYOBReader,
    ReadableStreamDefaultReader,
)
from pyworkers.js.streams.sources import BytesSource, IteratorSource, Source
from pyworkers.js.streams.strategies import Strategy, member, read_strategy
from pyworkers.js.streams.tee import split
from pyworkers.js.values import (
    JsException,
    JsProxy,
    call,
    get_property,
    is_callable,
    js_method,
    type_error,
)
from pyworkers.js.webidl import argument_error, constructor_error, is_object

_AUTO_ALLOCATE_BYTES: Final = 4096  # of a byte stream that does not say


class ReadableStream(JsProxy):
    """A stream of chunks.

    Attributes:
        source: where the chunks come from.
        reader: what holds the lock, or None.
        disturbed: something has been read, or the stream was cancelled.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.reader: object = None
        self.disturbed = False

    # ---- the host's side

    @classmethod
    def of_bytes(cls, data: bytes) -> ReadableStream:
        """Return a stream of bytes that are in memory."""
        return cls(BytesSource(data))

    @classmethod
    def of_async_iterator(cls, iterator: AsyncIterator[bytes], *, length: int | None = None) -> ReadableStream:
        """Return a stream whose reads pull one item each from the iterator, so that backpressure reaches it.

        Args:
            iterator: its ``aclose()``, where it has one, runs on cancel or when the stream is dropped unread.
            length: how many bytes will come, where it is known.
        """
        return cls(IteratorSource(iterator, length))

    @property
    def length(self) -> int | None:
        """How many bytes the stream has from its start to its end, where it is known."""
        return self.source.length

    def chunks(self) -> Chunks:
        """Lock the stream and return an iterator of its bytes; its ``aclose`` cancels what was not read.

        Raises:
            JsException: TypeError, when the stream is locked; while iterating, when a chunk is not bytes.
        """
        return Chunks(self)

    def moved(self) -> ReadableStream:
        """Move the source into a new stream; this one stays behind, locked and used."""
        self.disturbed = True
        self.reader = self
        return ReadableStream(self.source)

    async def read_all(self) -> bytes:
        """Return everything the stream has left."""
        return b"".join([chunk async for chunk in self.chunks()])

    # ---- JavaScript's side

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new ReadableStream(underlyingSource, strategy)``."""
        if not current_realm().compat.enabled("streams_enable_constructors"):
            raise JsException(
                "Error",
                "To use the new ReadableStream() constructor, enable the streams_enable_constructors compatibility "
                "flag. Refer to the docs for more information: "
                "https://developers.cloudflare.com/workers/platform/compatibility-dates/#compatibility-flags",
            )
        underlying = args[0] if args else None
        strategy = args[1] if len(args) > 1 else None
        if not is_nullish(underlying) and not is_object(underlying):
            raise constructor_error("ReadableStream", 1, "UnderlyingSource")
        kind = member(underlying, "type")
        if kind is not None and to_string(kind) not in ("", "bytes"):
            raise type_error(f'"{to_string(kind)}" is not a valid type of ReadableStream.')
        return _bytes_stream(underlying, strategy) if kind else _default_stream(underlying, strategy)

    @property
    def locked(self) -> bool:
        """Tell whether a reader holds the stream."""
        return self.reader is not None

    @js_method
    def getReader(self, options: object = None) -> JsProxy:
        """Lock the stream and return a reader."""
        if self.reader is not None:
            raise type_error(LOCKED)
        if not is_nullish(options) and not is_object(options):
            raise argument_error("ReadableStream", "getReader", 1, "GetReaderOptions")
        mode = get_property(options, "mode")
        if mode is None:
            return ReadableStreamDefaultReader(self)
        if to_string(mode) != "byob":
            raise type_error("mode must be undefined or 'byob' in call to getReader().")
        return ReadableStreamBYOBReader(self)

    @js_method
    def cancel(self, reason: object = None) -> JsPromise:
        """Discard the rest and tell the source."""
        if self.reader is not None:
            return JsPromise.rejected(type_error(LOCKED))
        self.disturbed = True
        return JsPromise.run(self.source.cancel(reason))

    @js_method
    def tee(self) -> JsArray:
        """Split the stream in two; it stays locked."""
        if self.reader is not None:
            raise type_error("This ReadableStream is currently locked to a reader,")
        self.reader = self
        self.disturbed = True
        return JsArray(ReadableStream(source) for source in split(self.source))

    @js_method
    def pipeTo(self, destination: object = None, options: object = None) -> JsPromise:
        """Write every chunk to ``destination``; options ``preventClose/Abort/Cancel`` and ``signal``."""
        return pipe_to(self, destination, options)

    @js_method
    def pipeThrough(self, transform: object = None, options: object = None) -> ReadableStream:
        """Pipe into ``transform.writable`` and return ``transform.readable``."""
        return pipe_through(self, transform, options)

    @js_method
    def values(self, options: object = None) -> ReadableStreamAsyncIterator:
        """Lock the stream and return an iterator over its chunks."""
        return ReadableStreamAsyncIterator(self, prevent_cancel=bool(get_property(options, "preventCancel")))

    def __aiter__(self) -> ReadableStreamAsyncIterator:
        return ReadableStreamAsyncIterator(self, prevent_cancel=False)

    @staticmethod
    def static_from(iterable: Any = None, *_: object) -> ReadableStream:
        """``ReadableStream.from``: of anything iterable, synchronously or not."""
        return ReadableStream(IterableSource(iterable))


def _default_stream(underlying: Any, strategy: object) -> ReadableStream:
    source = QueueSource(read_strategy(strategy, 1))
    return _start(underlying, source, ReadableStreamDefaultController(source))


def _bytes_stream(underlying: Any, strategy: object) -> ReadableStream:
    auto_allocate = member(underlying, "autoAllocateChunkSize")
    if auto_allocate is not None and to_integer(auto_allocate) <= 0:
        raise type_error("The autoAllocateChunkSize option cannot be zero.")
    mark = read_strategy(strategy, 0).high_water_mark
    size = _AUTO_ALLOCATE_BYTES if auto_allocate is None else to_integer(auto_allocate)
    source = ByteQueueSource(Strategy(mark, len), size)
    return _start(underlying, source, ReadableByteStreamController(source))


def _start(underlying: Any, source: QueueSource, controller: ReadableStreamDefaultController) -> ReadableStream:
    start, pull, cancel = (_method(underlying, name) for name in ("start", "pull", "cancel"))
    source.pull = bind(pull, controller)
    source.on_cancel = None if cancel is None else lambda reason: call(cancel, reason)
    try:
        source.begin(None if start is None else call(start, controller))
    except Exception as error:
        source.fail(error)
    return ReadableStream(source)


def _method(underlying: Any, name: str) -> Any:
    function = member(underlying, name)
    if function is not None and not is_callable(function):
        raise type_error(
            f"Incorrect type for the '{name}' field on 'UnderlyingSource': the provided value is not of type "
            "'function'."
        )
    return function
