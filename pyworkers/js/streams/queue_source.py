"""The source of a stream that a worker feeds through its controller: a queue, and when to ask for more.

Source: streams.spec.whatwg.org, sections 4.5 and 4.6
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from typing import Any

from pyworkers.js.promise import settle
from pyworkers.js.streams.sources import CLOSED, END, ERRORED, NOT_READY, READABLE, Source
from pyworkers.js.streams.strategies import Strategy
from pyworkers.js.values import call, type_error


class QueueSource(Source):
    """Chunks that a worker enqueues, kept in a queue whose fill level decides when ``pull`` is called.

    Attributes:
        closed_text: what a chunk is refused with after the end.
    """

    closed_text = "Unable to enqueue"

    def __init__(self, strategy: Strategy) -> None:
        super().__init__()
        self.strategy = strategy
        self.pull: Callable[[], object] | None = None
        self.on_cancel: Callable[[object], object] | None = None
        self.is_closing = False
        self._queue: deque[tuple[Any, float]] = deque()
        self._total = 0.0
        self._reads: deque[asyncio.Future[Any]] = deque()
        self._starting: object = None
        self._pump: asyncio.Task[None] | None = None
        self._pull_again = False
        self._context = contextvars.copy_context()  # callbacks run as the worker that made the stream

    @property
    def desired_size(self) -> float | None:
        """The room left in the queue; 0 when closed, None when errored."""
        if self.state is ERRORED:
            return None
        return 0 if self.is_closing or self.state is CLOSED else self.strategy.high_water_mark - self._total

    def begin(self, starting: object) -> None:
        """Let pulling begin, once ``starting`` (what the ``start`` method returned) has settled."""
        self._starting = starting
        self.want()

    # ---- the reader's side

    def take(self) -> Any:
        """Return the oldest chunk of the queue."""
        if self._queue:
            chunk, size = self._queue.popleft()
            self._total -= size
            if self.is_closing and not self._queue:
                self.finish()
            elif self.pull is not None:
                self.want()
            return chunk
        return NOT_READY if self.state is READABLE else self._ended()

    async def read(self) -> Any:
        """Take the oldest chunk, or wait for the next one."""
        chunk = self.take()
        if chunk is not NOT_READY:
            return chunk
        return await self._wait()

    async def _wait(self) -> Any:
        future = asyncio.get_running_loop().create_future()
        self._reads.append(future)
        self.want()
        return await future

    async def cancel(self, reason: object) -> None:
        """Empty the queue and call the source's ``cancel``."""
        if self.state is not READABLE:
            self._ended()
            return
        self._queue.clear()
        self._total = 0
        self.finish()
        if self.on_cancel is not None:
            function = self.on_cancel
            await in_task(lambda: function(reason), self._context)

    # ---- the controller's side

    def put(self, chunk: Any) -> None:
        """Hand a chunk to the read that waits longest, or queue it.

        Raises:
            JsException: TypeError after the end, or the error of the strategy's ``size``.
        """
        if self.is_closing or self.state is not READABLE:
            raise type_error(self.closed_text)
        if self._give(chunk):
            self.want()
            return
        try:
            size = self.strategy.size_of(chunk)
        except Exception as error:
            self.fail(error)
            raise
        self._queue.append((chunk, size))
        self._total += size
        self.want()

    def close_after_queue(self) -> None:
        """End the stream after what is queued."""
        if self.is_closing or self.state is not READABLE:
            raise type_error("This ReadableStream is closed.")
        self.is_closing = True
        if not self._queue:
            self.finish()

    def finish(self) -> None:
        """Become closed: waiting reads get the end."""
        super().finish()
        self.pull = None
        while self._give(END):
            pass

    def fail(self, error: BaseException) -> None:
        """Become errored: waiting reads raise, what is queued is lost."""
        if self.state is not READABLE:
            return
        self._queue.clear()
        self._total = 0
        super().fail(error)
        self.abandon_reads(self.error or error)

    def abandon_reads(self, error: BaseException) -> None:
        """Make every waiting read raise ``error``."""
        reads, self._reads = self._reads, deque()
        for future in reads:
            if not future.done():
                future.set_exception(error)

    def _give(self, chunk: Any) -> bool:
        while self._reads:
            future = self._reads.popleft()
            if not future.done():
                future.set_result(chunk)
                return True
        return False

    # ---- pulling

    def want(self) -> None:
        """Call ``pull`` if the queue has room or a read waits; a running pull is followed by another."""
        if self._pump is not None:
            self._pull_again = True
        elif self._starting is not None or self._should_pull():
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return  # made while a module is being imported: the first read pulls
            self._pump = loop.create_task(self._pull_while_wanted(), context=self._context)

    def _should_pull(self) -> bool:
        if self.pull is None or self.is_closing or self.state is not READABLE:
            return False
        return bool(self._reads) or self.strategy.high_water_mark > self._total

    async def _pull_while_wanted(self) -> None:
        try:
            if self._starting is not None:
                starting, self._starting = self._starting, None
                await settle(starting)
            while self._should_pull():
                self._pull_again = False
                assert self.pull is not None
                await settle(self.pull())
                if not self._pull_again:
                    break
        except Exception as error:
            self.fail(error)
        finally:
            self._pump = None


async def in_task(function: Callable[[], object], context: contextvars.Context) -> None:
    """Run a worker's callback, and what it returns, in a task of the worker's own context."""

    async def run() -> None:
        await settle(function())

    await asyncio.get_running_loop().create_task(run(), context=context.copy())


def bind(function: Callable[..., object] | None, *args: object) -> Callable[[], object] | None:
    """Return a function without arguments that calls ``function`` as JavaScript does."""
    return None if function is None else lambda: call(function, *args)
