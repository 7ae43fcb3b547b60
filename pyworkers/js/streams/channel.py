"""A transform that runs in the host: its writable side hands chunks straight to its readable side.

A write settles when its chunk has been transformed, which happens when somebody reads (or while the readable side has
room, if it was given any). Neither side costs a task.

Source: streams.spec.whatwg.org, section 6; recorded, contracts/fetchapi, fetchapi.streams.identity
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any

from pyworkers.js.promise import JsPromise, as_exception
from pyworkers.js.streams.sinks import HAS_BEEN_CLOSED, Sink
from pyworkers.js.streams.sources import END, NOT_READY, READABLE, ByteSource, Source
from pyworkers.js.values import type_error


class Transform:
    """What a channel does to its chunks; this one nothing.

    Attributes:
        is_broken: a chunk was refused that leaves both sides errored, not just its write rejected.
    """

    is_broken = False

    def accept(self, chunk: Any) -> Any:
        """Check a chunk as it is written, and return what to keep of it until it is transformed."""
        return chunk

    def push(self, chunk: Any) -> Iterable[Any]:
        """Return what comes out for a chunk."""
        return (chunk,)

    def flush(self) -> Iterable[Any]:
        """Return what comes out at the end."""
        return ()


class ChannelSource(Source):
    """The readable side.

    Args:
        transform: what happens to the chunks.
        room: how many chunks may wait for a reader; 0 makes every write wait for one.
        close_waits: ``close`` settles when the reader has seen the end; writes after the cancel of waiting ones are
            told that the stream is closed.
    """

    def __init__(self, transform: Transform, *, room: float = 0, close_waits: bool = False) -> None:
        super().__init__()
        self.transform = transform
        self.readable_room = room
        self.close_waits = close_waits
        self.sink = ChannelSink(self)
        self._out: deque[Any] = deque()
        self._reads: deque[asyncio.Future[Any]] = deque()
        self._writes: deque[tuple[Any, JsPromise]] = deque()
        self._closing: JsPromise | None = None
        self._flushed = False
        self.was_cancelled = False

    # ---- reading

    def take(self) -> Any:
        """Return what has come out, or transform what was written."""
        if not self._out:
            self._transform_one()
        if self._out:
            chunk = self._out.popleft()
            self._let_writes_in()
            return chunk
        if self.state is READABLE and self._flushed:
            self._end()
        return NOT_READY if self.state is READABLE else self._ended()

    async def read(self) -> Any:
        """Take a chunk, or wait for a write."""
        chunk = self.take()
        if chunk is not NOT_READY:
            return chunk
        future = asyncio.get_running_loop().create_future()
        self._reads.append(future)
        return await future

    async def cancel(self, reason: object) -> None:
        """Break the writable side, too."""
        if self.state is READABLE:
            self.was_cancelled = bool(self._writes)
            self._out.clear()
            self.finish()
            self.break_writes(as_exception(reason))
            self.sink.fail(as_exception(reason))

    def fail(self, error: BaseException) -> None:
        """Become errored."""
        if self.state is READABLE:
            self._out.clear()
            super().fail(error)
            reads, self._reads = self._reads, deque()
            for future in reads:
                if not future.done():
                    future.set_exception(self.error or error)

    # ---- writing

    @property
    def waiting_writes(self) -> int:
        """How many writes have not been transformed."""
        return len(self._writes)

    def write(self, chunk: Any) -> JsPromise:
        """Transform a chunk now if it can be read, else when it can."""
        if not self._writes and (len(self._out) < self.readable_room or self._has_reader()):
            try:
                self._emit(self.transform.push(chunk))
            except Exception as error:
                self.break_both(error)
                return JsPromise.rejected(error)
            return JsPromise.resolved()
        promise = JsPromise()
        self._writes.append((chunk, promise))
        return promise

    def close(self) -> JsPromise:
        """Flush after what was written."""
        self._closing = JsPromise()
        promise = self._closing
        if not self._writes:
            self._flush()
        return promise

    def break_writes(self, error: BaseException) -> None:
        """Reject what was not transformed."""
        writes, self._writes = self._writes, deque()
        for _, promise in writes:
            promise.reject(error)
        if self._closing is not None:
            self._closing.reject(error)

    def break_both(self, error: BaseException) -> None:
        """Error both sides."""
        self.fail(error)
        self.sink.fail(error)
        self.break_writes(error)

    # ---- inside

    def _has_reader(self) -> bool:
        while self._reads and self._reads[0].done():
            self._reads.popleft()
        return bool(self._reads)

    def _emit(self, chunks: Iterable[Any]) -> None:
        for chunk in chunks:
            if self._has_reader():
                self._reads.popleft().set_result(chunk)
            else:
                self._out.append(chunk)

    def _transform_one(self) -> None:
        """Transform writes until one has given something to read."""
        while self._writes and not self._out:
            self._push(*self._writes.popleft())
        if self._closing is not None and not self._writes and not self._flushed:
            self._flush()

    def _push(self, chunk: Any, promise: JsPromise) -> None:
        try:
            self._emit(self.transform.push(chunk))
        except Exception as error:
            self.break_both(error)
            promise.reject(error)
            return
        promise.resolve()
        self.sink.room_changed()

    def _let_writes_in(self) -> None:
        while self._writes and len(self._out) < self.readable_room:
            self._push(*self._writes.popleft())

    def _flush(self) -> None:
        assert self._closing is not None
        try:
            self._emit(self.transform.flush())
        except Exception as error:
            self.break_both(error)
            return
        self._flushed = True
        if not self.close_waits:
            self.sink.finish()
            self._closing.resolve()
        if not self._out and (self._has_reader() or not self.close_waits):
            self._end()

    def _end(self) -> None:
        self.finish()
        while self._has_reader():
            self._reads.popleft().set_result(END)
        self.sink.finish()
        if self._closing is not None:
            self._closing.resolve()


class ByteChannelSource(ChannelSource, ByteSource):
    """The readable side of a transform that gives bytes."""

    is_bytes = True

    def write(self, chunk: Any) -> JsPromise:
        """As the base's; an empty chunk is gone at once."""
        return super().write(chunk) if chunk != b"" else JsPromise.resolved()

    def put_back(self, chunk: bytes) -> None:
        """Return a part of a chunk that was taken; it comes next."""
        self._out.appendleft(chunk)


class ChannelSink(Sink):
    """The writable side."""

    def __init__(self, source: ChannelSource) -> None:
        super().__init__()
        self._source = source

    @property
    def room(self) -> float:
        """One chunk may wait."""
        return 1 - self._source.waiting_writes

    def _refused(self) -> JsPromise | None:
        if self._source.was_cancelled and self._source.close_waits:
            return JsPromise.rejected(type_error(HAS_BEEN_CLOSED))
        return super()._refused()

    def _write(self, chunk: Any) -> JsPromise:
        try:
            kept = self._source.transform.accept(chunk)
        except Exception as error:
            if self._source.transform.is_broken:
                self._source.break_both(error)
            return JsPromise.rejected(error)
        return self._source.write(kept)

    def _close(self) -> JsPromise:
        return self._source.close()

    async def abort(self, reason: object) -> None:
        """Break the readable side, too."""
        error = as_exception(reason)
        self._source.fail(error)
        self._source.break_writes(error)
        self.fail(error)
