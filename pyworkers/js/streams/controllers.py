"""The controllers that a worker's underlying source is given."""

from __future__ import annotations

from typing import Any

from pyworkers.js.buffers import JsBuffer, Uint8Array
from pyworkers.js.primitives import jsnull, number, to_integer
from pyworkers.js.promise import as_exception
from pyworkers.js.streams.byte_queue import ByteQueueSource, Request, view_of_request
from pyworkers.js.streams.sources import QueueSource
from pyworkers.js.values import JsProxy, js_method, type_error


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

    @js_method
    def error(self, reason: object = None) -> None:
        """Break the stream: reads raise ``reason``."""
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
            raise type_error(
                "Failed to execute 'enqueue' on 'ReadableByteStreamController': parameter 1 is not of type "
                "'ArrayBuffer or ArrayBufferView'."
            )
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

    @js_method
    def respond(self, size: object = 0) -> None:
        """Tell how many bytes were filled."""
        self._check()
        self._source.respond(to_integer(size))

    @js_method
    def respondWithNewView(self, view: object = None) -> None:
        """Answer with other memory of at most the same size."""
        self._check()
        if not isinstance(view, JsBuffer):
            raise type_error("The provided view is not an ArrayBufferView.")
        data = bytes(view.view)
        self._request.view[: len(data)] = data
        self._source.respond(len(data))

    def _check(self) -> None:
        if self._source.request is not self._request:
            raise type_error("This ReadableStreamBYOBRequest has been invalidated.")
