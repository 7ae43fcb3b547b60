"""``TransformStream``, ``IdentityTransformStream`` and ``FixedLengthStream``.

Source: streams.spec.whatwg.org, section 6; recorded, contracts/fetchapi, fetchapi.streams.identity, and contracts/kv,
kv.put.stream-mismatch; texts: workerd, src/workerd/api/streams
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from pyworkers.js.buffers import JsBuffer
from pyworkers.js.primitives import is_nullish, jsnull, number
from pyworkers.js.promise import as_exception, settle
from pyworkers.js.realm import current_realm
from pyworkers.js.streams.channel import ByteChannelSource, ChannelSource, Transform
from pyworkers.js.streams.queue_source import QueueSource
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.streams.sinks import QueueSink
from pyworkers.js.streams.sources import READABLE
from pyworkers.js.streams.strategies import Strategy, member, read_strategy
from pyworkers.js.streams.writable import WritableStream
from pyworkers.js.values import JsProxy, call, js_method, type_error
from pyworkers.js.webidl import MISSING, argument_error, constructor_error, is_object, to_uint64


class TransformStream(JsProxy, read_only="readable writable"):
    """A pair of streams: what is written to ``writable`` comes out of ``readable``, transformed."""

    def __init__(self, source: ChannelSource | _UserSource) -> None:
        self.readable = ReadableStream(source)
        self.writable = WritableStream(source.sink)

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new TransformStream(transformer, writableStrategy, readableStrategy)``."""
        if not current_realm().compat.enabled("transformstream_enable_standard_constructor"):
            return IdentityTransformStream.js_new()
        transformer, writable, readable = (*args, None, None, None)[:3]
        if not is_nullish(transformer) and not is_object(transformer):
            raise constructor_error("TransformStream", 1, "Transformer")
        for side in () if is_nullish(transformer) else ("readableType", "writableType"):
            if member(transformer, side) is not None:
                raise type_error(f"transformer.{side} must be undefined.")
        if is_nullish(transformer) and writable is None and readable is None:
            return cls(ChannelSource(Transform()))
        sink = QueueSink(read_strategy(writable, 1))
        source = _UserSource(read_strategy(readable, 0), sink)
        _Transformer(transformer, source, sink)
        return cls(source)


class BytesTransform(Transform):
    """Passes bytes and nothing else; a copy is taken when they are written."""

    def accept(self, chunk: Any) -> bytes:
        """Return the chunk's bytes."""
        if isinstance(chunk, JsBuffer):
            return bytes(chunk.view)
        if chunk is None:
            return b""
        if isinstance(chunk, str):
            raise type_error(
                "This TransformStream is being used as a byte stream, but received a string on its writable side. If "
                "you wish to write a string, you'll probably want to explicitly UTF-8-encode it with TextEncoder."
            )
        raise type_error(
            "This TransformStream is being used as a byte stream, but received an object of "
            "non-ArrayBuffer/ArrayBufferView type on its writable side."
        )

    def push(self, chunk: bytes) -> Iterable[bytes]:
        """Return the chunk; an empty one disappears."""
        return (chunk,) if chunk else ()


class IdentityTransformStream(TransformStream):
    """Passes bytes on. A write settles when they have been read, ``close`` when the end has been."""

    @classmethod
    def js_new(cls, *_args: Any) -> JsProxy:
        """``new IdentityTransformStream()``."""
        return cls(ByteChannelSource(BytesTransform(), close_waits=True))


class _FixedLength(BytesTransform):
    def __init__(self, length: int) -> None:
        self.left = length

    def accept(self, chunk: Any) -> bytes:
        """Count the chunk's bytes."""
        data = super().accept(chunk)
        if len(data) > self.left:
            self.is_broken = True
            raise type_error("Attempt to write too many bytes through a FixedLengthStream.")
        self.left -= len(data)
        return data

    def flush(self) -> Iterable[bytes]:
        """Check that everything has come."""
        if self.left:
            raise type_error("FixedLengthStream did not see all expected bytes before close().")
        return ()


class FixedLengthStream(IdentityTransformStream):
    """Passes exactly so many bytes on, which a receiver knows beforehand."""

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new FixedLengthStream(length)``."""
        if not args:
            raise constructor_error("FixedLengthStream", 1, "bigint")
        length = to_uint64(args[0])
        source = ByteChannelSource(_FixedLength(length), close_waits=True)
        source.length = length
        return cls(source)


class TransformStreamDefaultController(JsProxy):
    """What a worker's transformer is given."""

    def __init__(self, source: _UserSource, sink: QueueSink) -> None:
        self._source = source
        self._sink = sink

    @property
    def desiredSize(self) -> int | float | Any:
        """The room on the readable side; 0 when closed, null when errored."""
        size = self._source.desired_size
        return jsnull if size is None else number(size)

    @js_method
    def enqueue(self, chunk: object = None) -> None:
        """Add a chunk to the readable side."""
        if self._source.state is not READABLE or self._source.is_closing:
            raise type_error("The readable side of this TransformStream is no longer readable.")
        self._source.put(chunk)

    def error(self, reason: object = MISSING, *_: object) -> None:
        """Break both sides."""
        if reason is MISSING:
            raise argument_error(self.js_name, "error", 1, "Value")
        error = as_exception(reason)
        self._source.fail(error)
        self._sink.fail(error)

    @js_method
    def terminate(self) -> None:
        """End the readable side and break the writable side."""
        if self._source.state is READABLE and not self._source.is_closing:
            self._source.close_after_queue()
        self._sink.fail(type_error("The transform stream has been terminated"))


class _UserSource(QueueSource):
    """The readable side of a worker's transformer: wakes the writable side when there is room."""

    def __init__(self, strategy: Strategy, sink: QueueSink) -> None:
        super().__init__(strategy)
        self.sink = sink
        self._room: asyncio.Future[None] | None = None

    @property
    def has_room(self) -> bool:
        """Tell whether a read waits or the queue has room."""
        return self.state is not READABLE or bool(self._reads) or self.strategy.high_water_mark > self._total

    def want(self) -> None:
        """Let the transform go on."""
        if self._room is not None and self.has_room and not self._room.done():
            self._room.set_result(None)

    async def wait_for_room(self) -> None:
        """Wait until `has_room`."""
        while not self.has_room:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def take(self) -> Any:
        """As the base's; a chunk taken leaves room."""
        chunk = super().take()
        self.want()
        return chunk

    def finish(self) -> None:
        """Become closed."""
        super().finish()
        self.want()

    def fail(self, error: BaseException) -> None:
        """Become errored."""
        super().fail(error)
        self.want()


class _Transformer:
    """A worker's transformer, between the two sides."""

    def __init__(self, transformer: Any, source: _UserSource, sink: QueueSink) -> None:
        self.source, self.sink = source, sink
        self.controller = TransformStreamDefaultController(source, sink)
        self.transform, self.on_flush, self.on_cancel = (
            _method(transformer, name) for name in ("transform", "flush", "cancel")
        )
        sink.on_write, sink.on_close, sink.on_abort = self.write, self.close, self.abort
        source.on_cancel = self.cancel
        start = _method(transformer, "start")
        try:
            sink.begin(None if start is None else call(start, self.controller))
        except Exception as error:
            source.fail(error)
            sink.fail(error)

    async def write(self, chunk: Any) -> None:
        """Transform a chunk once the readable side has room."""
        await self.source.wait_for_room()
        # The readable side may have failed meanwhile, or been cancelled, which breaks this one.
        for broken in (self.source.error, self.sink.error):
            if broken is not None:
                raise broken
        try:
            if self.transform is None:
                self.controller.enqueue(chunk)
            else:
                await settle(call(self.transform, chunk, self.controller))
        except Exception as error:
            self.source.fail(error)
            raise

    async def close(self) -> None:
        """Flush, and end the readable side."""
        try:
            if self.on_flush is not None:
                await settle(call(self.on_flush, self.controller))
        except Exception as error:
            self.source.fail(error)
            raise
        if self.source.error is not None:
            raise self.source.error
        if self.source.state is READABLE and not self.source.is_closing:
            self.source.close_after_queue()

    async def abort(self, reason: object) -> None:
        """The writable side was aborted: break the readable side."""
        if self.on_cancel is not None:
            await settle(call(self.on_cancel, reason))
        self.source.fail(as_exception(reason))

    async def cancel(self, reason: object) -> None:
        """The readable side was cancelled: break the writable side."""
        if self.on_cancel is not None:
            await settle(call(self.on_cancel, reason))
        self.sink.fail(as_exception(reason))


def _method(transformer: Any, name: str) -> Callable[..., Any] | None:
    function = None if is_nullish(transformer) else member(transformer, name)
    if function is not None and not callable(function):
        raise type_error(
            f"Incorrect type for the '{name}' field on 'Transformer': the provided value is not of type 'function'."
        )
    return function
