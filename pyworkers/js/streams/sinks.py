"""What a writable stream writes to.

A `Sink` belongs to one stream. `QueueSink` calls a worker's underlying sink, one chunk after the other; a transform's
sink (`pyworkers.js.streams.channel`) hands chunks to the readable side itself.

Source: streams.spec.whatwg.org, section 5
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pyworkers.js.abort import AbortController
from pyworkers.js.promise import JsPromise, as_exception, settle
from pyworkers.js.streams.queue_source import in_task
from pyworkers.js.streams.sources import CLOSED, ERRORED
from pyworkers.js.streams.strategies import Strategy
from pyworkers.js.values import type_error

WRITABLE: Final = "writable"
HAS_BEEN_CLOSED: Final = "This WritableStream has been closed."


class Sink:
    """Base of every sink.

    Attributes:
        state: ``writable``, ``closed`` or ``errored``.
        error: what writes raise once the state is ``errored``.
        is_closing: ``close`` has been called.
    """

    def __init__(self) -> None:
        self.state = WRITABLE
        self.error: BaseException | None = None
        self.is_closing = False
        self._ready: JsPromise | None = None
        self._watchers: list[Callable[[], None]] = []

    @property
    def room(self) -> float:
        """How much may be written before the producer should wait; not more than 0 is backpressure."""
        return 1

    @property
    def desired_size(self) -> float | None:
        """The room; 0 when closed, None when errored."""
        if self.state is ERRORED:
            return None
        return 0 if self.state is CLOSED else self.room

    @property
    def ready(self) -> JsPromise:
        """A promise that fulfils when there is room."""
        if self.state is ERRORED and self.error is not None:
            return JsPromise.rejected(self.error).mark_handled()
        if self.is_closing or self.room > 0:
            return JsPromise.resolved()
        if self._ready is None:
            self._ready = JsPromise().mark_handled()
        return self._ready

    def write(self, chunk: Any) -> JsPromise:
        """Write a chunk; the promise settles when it has been taken."""
        refused = self._refused()
        return self._write(chunk) if refused is None else refused

    def close(self) -> JsPromise:
        """End after what has been written."""
        refused = self._refused()
        if refused is not None:
            return refused
        self.is_closing = True
        promise = self._close()
        self.room_changed()
        return promise

    async def abort(self, reason: object) -> None:
        """Break the stream; what has not been taken is lost."""
        self.fail(as_exception(reason))

    def fail(self, error: BaseException) -> None:
        """Become errored."""
        if self.state is WRITABLE:
            self.state, self.error = ERRORED, error
            if self._ready is not None:
                self._ready.reject(error)
            self._notify()

    def finish(self) -> None:
        """Become closed."""
        if self.state is WRITABLE:
            self.state = CLOSED
            self._notify()

    def watch(self, callback: Callable[[], None]) -> None:
        """Call back once, when the state is no longer ``writable``."""
        if self.state is WRITABLE:
            self._watchers.append(callback)
        else:
            callback()

    def room_changed(self) -> None:
        """Let writers go on that wait for room."""
        if self._ready is not None and (self.is_closing or self.room > 0):
            ready, self._ready = self._ready, None
            ready.resolve()

    def _refused(self) -> JsPromise | None:
        if self.state is ERRORED and self.error is not None:
            return JsPromise.rejected(self.error)
        if self.is_closing or self.state is CLOSED:
            return JsPromise.rejected(type_error(HAS_BEEN_CLOSED))
        return None

    def _write(self, _chunk: Any) -> JsPromise:
        return JsPromise.resolved()

    def _close(self) -> JsPromise:
        self.finish()
        return JsPromise.resolved()

    def _notify(self) -> None:
        watchers, self._watchers = self._watchers, []
        for callback in watchers:
            callback()


@dataclass(eq=False, slots=True)
class _Entry:
    chunk: Any
    size: float
    promise: JsPromise
    is_close: bool = False


class QueueSink(Sink):
    """A worker's underlying sink, fed from a queue.

    Attributes:
        on_write, on_close, on_abort: the sink's methods, or None.
        controller_signal: aborts with the stream.
    """

    def __init__(self, strategy: Strategy) -> None:
        super().__init__()
        self.strategy = strategy
        self.on_write: Callable[[Any], object] | None = None
        self.on_close: Callable[[], object] | None = None
        self.on_abort: Callable[[object], object] | None = None
        self.abort_controller = AbortController()
        self._queue: deque[_Entry] = deque()
        self._total = 0.0
        self._starting: object = None
        self._pump: asyncio.Task[None] | None = None
        self._context = contextvars.copy_context()  # callbacks run as the worker that made the stream

    @property
    def room(self) -> float:
        """The high-water mark less what is queued or being written."""
        return self.strategy.high_water_mark - self._total

    def begin(self, starting: object) -> None:
        """Let writing begin, once ``starting`` (what the ``start`` method returned) has settled."""
        self._starting = starting
        if starting is not None:
            self._run()

    def _write(self, chunk: Any) -> JsPromise:
        try:
            size = self.strategy.size_of(chunk)
        except Exception as error:
            self.fail(error)
            return JsPromise.rejected(error)
        self._total += size
        return self._add(_Entry(chunk, size, JsPromise()))

    def _close(self) -> JsPromise:
        return self._add(_Entry(None, 0, JsPromise(), is_close=True))

    def _add(self, entry: _Entry) -> JsPromise:
        self._queue.append(entry)
        self._run()
        return entry.promise

    def _run(self) -> None:
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._work(), context=self._context)

    async def _work(self) -> None:
        try:
            if self._starting is not None:
                starting, self._starting = self._starting, None
                await settle(starting)
            while self._queue:
                entry = self._queue[0]
                await self._process(entry)
                if self._queue:
                    self._queue.popleft()
                self._total -= entry.size
                entry.promise.resolve()
                self.room_changed()
        except Exception as error:
            if self._queue:
                self._queue.popleft().promise.reject(error)
            self.fail(error)
        finally:
            self._pump = None

    async def _process(self, entry: _Entry) -> None:
        if not entry.is_close:
            if self.on_write is not None:
                await settle(self.on_write(entry.chunk))
            return
        if self.on_close is not None:
            await settle(self.on_close())
        self.finish()

    def fail(self, error: BaseException) -> None:
        """Become errored: queued writes are rejected."""
        super().fail(error)
        if self.state is not ERRORED:
            return
        first = 1 if self._pump is not None and self._queue else 0  # the write in flight settles by itself
        while len(self._queue) > first:
            self._queue.pop().promise.mark_handled().reject(error)

    async def abort(self, reason: object) -> None:
        """Signal the abort, wait for the write in flight, then call the sink's ``abort``."""
        if self.state is not WRITABLE:
            return
        self.abort_controller.abort(reason)
        pump = self._pump
        self.fail(as_exception(reason))
        if pump is not None and self._queue:
            await asyncio.wait([pump])
        if self.on_abort is not None:
            function = self.on_abort
            await in_task(lambda: function(reason), self._context)
