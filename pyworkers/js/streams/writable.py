"""``WritableStream`` and its writer.

Source: streams.spec.whatwg.org, section 5; texts: workerd, src/workerd/api/streams/writable.c++
"""

from __future__ import annotations

from typing import Any, Final

from pyworkers.js.abort import AbortSignal
from pyworkers.js.primitives import is_nullish, jsnull, number
from pyworkers.js.promise import JsPromise, as_exception
from pyworkers.js.realm import current_realm
from pyworkers.js.streams.sinks import QueueSink, Sink
from pyworkers.js.streams.sources import ERRORED
from pyworkers.js.streams.strategies import member, read_strategy
from pyworkers.js.values import JsException, JsProxy, call, is_callable, js_method, type_error
from pyworkers.js.webidl import constructor_error, is_object

LOCKED: Final = "This WritableStream is currently locked to a writer."
RELEASED: Final = "This WritableStream writer has been released."


class WritableStream(JsProxy):
    """A stream that chunks are written to.

    Attributes:
        sink: where they go.
    """

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self._writer: object = None  # what holds the lock

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new WritableStream(underlyingSink, strategy)``."""
        if not current_realm().compat.enabled("streams_enable_constructors"):
            raise JsException(
                "Error",
                "To use the new WritableStream() constructor, enable the streams_enable_constructors compatibility "
                "flag. Refer to the docs for more information: "
                "https://developers.cloudflare.com/workers/platform/compatibility-dates/#compatibility-flags",
            )
        underlying = args[0] if args else None
        if not is_nullish(underlying) and not is_object(underlying):
            raise constructor_error("WritableStream", 1, "UnderlyingSink")
        sink = QueueSink(read_strategy(args[1] if len(args) > 1 else None, 1))
        controller = WritableStreamDefaultController(sink)
        start, write, close, abort = (_method(underlying, name) for name in ("start", "write", "close", "abort"))
        sink.on_write = None if write is None else lambda chunk: call(write, chunk, controller)
        sink.on_close = None if close is None else lambda: call(close)
        sink.on_abort = None if abort is None else lambda reason: call(abort, reason)
        try:
            sink.begin(None if start is None else call(start, controller))
        except Exception as error:
            sink.fail(error)
        return cls(sink)

    @property
    def locked(self) -> bool:
        """Tell whether a writer holds the stream."""
        return self._writer is not None

    @js_method
    def getWriter(self) -> WritableStreamDefaultWriter:
        """Lock the stream and return its writer."""
        return WritableStreamDefaultWriter(self)

    @js_method
    def close(self) -> JsPromise:
        """End the stream after what has been written."""
        return JsPromise.rejected(type_error(LOCKED)) if self._writer is not None else self.sink.close()

    @js_method
    def abort(self, reason: object = None) -> JsPromise:
        """Break the stream."""
        if self._writer is not None:
            return JsPromise.rejected(type_error(LOCKED))
        return JsPromise.run(self.sink.abort(reason))


class WritableStreamDefaultWriter(JsProxy):
    """Writes to a stream that it has locked."""

    def __init__(self, stream: WritableStream) -> None:
        if stream._writer is not None:
            raise type_error(LOCKED)
        stream._writer = self
        self._stream: WritableStream | None = stream
        self._sink = stream.sink
        self._closed: JsPromise | None = None

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new WritableStreamDefaultWriter(stream)``."""
        if not args or not isinstance(args[0], WritableStream):
            raise type_error(
                "Failed to construct 'WritableStreamDefaultWriter': constructor parameter 1 is not of type "
                "'WritableStream'."
            )
        return cls(args[0])

    @property
    def desiredSize(self) -> int | float | Any:
        """The room in the queue; 0 when closed, null when errored."""
        if self._stream is None:
            raise type_error(RELEASED)
        size = self._sink.desired_size
        return jsnull if size is None else number(size)

    @property
    def ready(self) -> JsPromise:
        """Fulfils when there is room to write."""
        return JsPromise.rejected(type_error(RELEASED)).mark_handled() if self._stream is None else self._sink.ready

    @property
    def closed(self) -> JsPromise:
        """Fulfils when the stream has been closed; rejects when it breaks or the writer lets go."""
        if self._closed is None:
            self._closed = JsPromise().mark_handled()
            if self._stream is None:
                self._closed.reject(type_error(RELEASED))
            else:
                self._sink.watch(self._settle_closed)
        return self._closed

    def _settle_closed(self) -> None:
        if self._closed is not None:
            if self._sink.state is ERRORED:
                self._closed.reject(self._sink.error)
            else:
                self._closed.resolve()

    def write(self, chunk: object = None, *_: object) -> JsPromise:
        """Write a chunk; the promise settles when it has been taken."""
        return JsPromise.rejected(type_error(RELEASED)) if self._stream is None else self._sink.write(chunk)

    @js_method
    def close(self) -> JsPromise:
        """End the stream after what has been written."""
        return JsPromise.rejected(type_error(RELEASED)) if self._stream is None else self._sink.close()

    @js_method
    def abort(self, reason: object = None) -> JsPromise:
        """Break the stream."""
        if self._stream is None:
            return JsPromise.rejected(type_error(RELEASED))
        return JsPromise.run(self._sink.abort(reason))

    @js_method
    def releaseLock(self) -> None:
        """Let go of the stream."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream._writer = None
            if self._closed is not None:
                self._closed.reject(type_error(RELEASED))


class WritableStreamDefaultController(JsProxy):
    """What a worker's underlying sink is given."""

    def __init__(self, sink: QueueSink) -> None:
        self._sink = sink

    @property
    def signal(self) -> AbortSignal:
        """Aborts when the stream is aborted."""
        return self._sink.abort_controller.signal

    @js_method
    def error(self, reason: object = None) -> None:
        """Break the stream."""
        self._sink.fail(as_exception(reason))


def _method(underlying: Any, name: str) -> Any:
    function = member(underlying, name)
    if function is not None and not is_callable(function):
        raise type_error(
            f"Incorrect type for the '{name}' field on 'UnderlyingSink': the provided value is not of type 'function'."
        )
    return function
