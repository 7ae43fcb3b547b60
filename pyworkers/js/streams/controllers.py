"""The controllers that a worker's underlying source is given."""

from __future__ import annotations

from typing import Any

from pyworkers.js.buffers import JsBuffer, Uint8Array
from pyworkers.js.primitives import jsnull, number
from pyworkers.js.promise import as_exception
from pyworkers.js.streams.byte_queue import ByteQueueSource, Request, view_of_request
from pyworkers.js.streams.queue_source import QueueSource
from pyworkers.js.values import JsProxy, js_method, range_error, type_error
from pyworkers.js.webidl import MISSING, argument_error, to_int32


class ReadableStreamDefaultController(JsProxy):
    """Feeds a stream of any values."""

    def __init__(self, source: QueueSource) -> None:
        self._source = source

    @property
    def desiredSize(self) -> int | float | Any:
        """The room in the queue; 0 when closed, null when errored."""
        size = self._source.desired_size
        return jsnull if size is None else number(size)

    @js_method
    def enqueue(self, chunk: object = None) -> None:
        """Add a chunk."""
        self._source.put(chunk)

    @js_method
    def close(self) -> None:
        """End the stream after what is queued."""
        self._source.close_after_queue()

    def error(self, reason: object = MISSING, *_: object) -> None:
        """Break the stream: reads raise ``reason``."""
        if reason is MISSING:
            raise argument_error(self.js_name, "error", 1, "Value")
        self._source.fail(as_exception(reason))


class ReadableByteStreamController(ReadableStreamDefaultController):
    """Feeds a stream of bytes."""

    _source: ByteQueueSource

    @property
    def byobRequest(self) -> Any:
        """The memory a waiting read wants filled, or null."""
        request = self._source.request
        return jsnull if request is None else ReadableStreamBYOBRequest(self._source, request)

    @js_method
    def enqueue(self, chunk: object = None) -> None:
        """Add bytes; they are copied.

        Raises:
            JsException: TypeError, for anything else and for an empty buffer.
        """
        if not isinstance(chunk, JsBuffer):
            raise argument_error(self.js_name, "enqueue", 1, "BufferSource")
        data = bytes(chunk.view)
        if not data:
            raise type_error("Cannot enqueue a zero-length ArrayBuffer.")
        self._source.put(data)


class ReadableStreamBYOBRequest(JsProxy):
    """A reader's memory, for the source to fill."""

    def __init__(self, source: ByteQueueSource, request: Request) -> None:
        self._source = source
        self._request = request

    @property
    def view(self) -> Uint8Array | Any:
        """The memory as a Uint8Array; null once it has been answered."""
        return view_of_request(self._request) if self._source.request is self._request else jsnull

    @property
    def atLeast(self) -> int:
        """The number of bytes that the read waits for."""
        return 1

    def respond(self, size: object = MISSING, *_: object) -> None:
        """Tell how many bytes were filled."""
        if size is MISSING:
            raise argument_error(self.js_name, "respond", 1, "integer")
        self._check()
        self._source.respond(max(0, to_int32(size)))

    @js_method
    def respondWithNewView(self, view: object = None) -> None:
        """Answer with other memory of at most the same size."""
        if not isinstance(view, JsBuffer):
            raise argument_error(self.js_name, "respondWithNewView", 1, "BufferSource")
        self._check()
        data = bytes(view.view)
        if len(data) > len(self._request.view):
            raise range_error("The underlying ArrayBuffer is not the correct length.")
        self._request.view[: len(data)] = data
        self._source.respond(len(data))

    def _check(self) -> None:
        if self._source.request is not self._request:
            raise type_error("This ReadableStreamBYOBRequest has been invalidated.")
