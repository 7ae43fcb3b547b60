"""Delivers the messages of one queue to the worker that consumes it, in batches.

A batch is sent when it is full, or when its oldest message has waited for the batch timeout. A message is leased while
its batch is out, and forgotten only when the worker has dealt with it: should this process die, it comes again.

Source: recorded, contracts/queues, queues.consume.*; the defaults are the local runtime's
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from pyworkers.bindings.queues import QueueController
from pyworkers.clock import Clock, Timer
from pyworkers.config.tables import QueueConsumer
from pyworkers.engines.queues import Backlog, NewMessage, QueueEngine, TakenMessage
from pyworkers.errors import EngineError, WorkerLoadError
from pyworkers.runtime.isolate import Isolate
from pyworkers.runtime.triggers import Observer, run_trigger

DEFAULT_BATCH_SIZE: Final = 5
DEFAULT_BATCH_TIMEOUT_S: Final = 1.0
DEFAULT_RETRIES: Final = 2
# How long a batch that is out belongs to this process, and when it says that it still lives.
LEASE_MS: Final = 60_000
RENEW_MS: Final = 20_000
# How long an incomplete batch waits at least: what is sent in one go comes together.
MOMENT_MS: Final = 5
# How often one looks at a queue that other processes send to, or whose worker does not load.
LOOK_MS: Final = 1_000
# How long after a failure of the storage a batch is tried to be settled again, in real time.
AGAIN_S: Final = 1.0

_log = logging.getLogger("pyworkers.queues")


class Consumer:
    """One queue's way to its worker.

    Args:
        queue: the queue's name.
        config: how batches are made, and what becomes of messages that fail.
        worker: the worker's name, for messages.
        find_isolate: finds the worker as it is now.
        backlog: counts what waits.
        bury: moves messages to a dead letter queue.
        owner: stands for this process.
        observer: who is told of every batch.
    """

    def __init__(
        self,
        queue: str,
        engine: QueueEngine,
        config: QueueConsumer,
        *,
        worker: str,
        find_isolate: Callable[[], Isolate | None],
        backlog: Callable[[], Awaitable[Backlog]],
        bury: Callable[[str, Sequence[NewMessage]], Awaitable[None]],
        owner: str,
        clock: Clock,
        observer: Callable[[], Observer | None],
    ) -> None:
        self._queue = queue
        self._engine = engine
        self._worker = worker
        self._find_isolate = find_isolate
        self._backlog = backlog
        self._bury = bury
        self._owner = owner
        self._clock = clock
        self._observer = observer
        self._batch_size = max(1, _or(config.max_batch_size, DEFAULT_BATCH_SIZE))
        self._timeout_ms = int(_or(config.max_batch_timeout, DEFAULT_BATCH_TIMEOUT_S) * 1000)
        self._max_attempts = _or(config.max_retries, DEFAULT_RETRIES) + 1
        self._retry_delay_s = config.retry_delay or 0
        self._concurrency = max(1, config.max_concurrency or 1)
        self._dead_letter_queue = config.dead_letter_queue
        self._timer: Timer | None = None
        self._timer_ms = 0
        self._room = self._batch_size  # how many more messages fill the batch that is waited for
        self._pump_task: asyncio.Task[None] | None = None
        self._looks_again = False
        self._news: asyncio.Future[None] | None = None  # there while a batch is out and another may go
        self._batches: set[asyncio.Task[None]] = set()
        self._is_unsure = False  # an answer was lost: messages may be held of which nobody knows
        self._is_stopped = False

    # ---- what makes it move

    async def start(self) -> None:
        """Begin to deliver, with what is there already."""
        try:
            state = await self._engine.look(1, owner=self._owner)
        except EngineError:
            self._arm(self._clock.now_ms())  # which tells of it
            return
        for when_ms in (state.oldest_ms, state.next_ms):
            if when_ms is not None:
                self._arm(when_ms)
        if self._engine.is_shared:
            self._arm(self._clock.now_ms() + LOOK_MS)

    def wake(self) -> None:
        """Have a look at the queue."""
        self._arm(self._clock.now_ms())

    def note(self, messages: Sequence[NewMessage]) -> None:
        """Messages were sent: be there when a batch of them is to go."""
        now_ms = self._clock.now_ms()
        for message in messages:
            if message.visible_at_ms > now_ms:
                self._arm(message.visible_at_ms)
                continue
            self._room -= 1
            self._arm(now_ms if self._room == 0 else now_ms + max(self._timeout_ms, MOMENT_MS))

    def stop(self) -> None:
        """Send no further batch."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    async def close(self, drain_s: float) -> None:
        """Wait for the batches that are out; what is not done after ``drain_s`` seconds is released."""
        self.stop()
        tasks = {task for task in (*self._batches, self._pump_task) if task is not None}
        if not tasks:
            return
        _, pending = await asyncio.wait(tasks, timeout=drain_s)
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)
            await self._engine.release(self._owner)

    def _arm(self, when_ms: int) -> None:
        """See to it that `_ring` is called at a time, or before."""
        if self._is_stopped:
            return
        if self._timer is not None:
            if self._timer_ms <= when_ms:
                return
            self._timer.cancel()
        self._timer_ms = when_ms
        self._timer = self._clock.call_at(when_ms, self._ring)

    def _ring(self) -> asyncio.Task[None] | None:
        self._timer = None
        if self._is_stopped:
            return None
        if self._pump_task is not None and not self._pump_task.done():
            self._looks_again = True
            if self._news is not None and not self._news.done():
                self._news.set_result(None)
        else:
            self._pump_task = _spawn(self._pump())
        return self._pump_task

    # ---- batches

    async def _pump(self) -> None:
        """Send batches until none is to go."""
        while not self._is_stopped:
            self._looks_again = False
            try:
                batch = await self._next_batch() if len(self._batches) < self._concurrency else None
            except EngineError as error:
                _log.error("the queue %s cannot be read: %s", self._queue, error)
                self._arm(self._clock.now_ms() + LOOK_MS)
                return
            if batch is not None:
                task = _spawn(self._deliver(*batch))
                self._batches.add(task)
                task.add_done_callback(self._batch_done)
                if len(self._batches) < self._concurrency:
                    continue
            if self._batches:
                await self._until_change()
            elif not self._looks_again:
                return

    async def _until_change(self) -> None:
        """Wait until a batch is done, or there is news where a further batch may go."""
        waited: set[asyncio.Future[None]] = set(self._batches)
        if len(self._batches) < self._concurrency:
            if self._looks_again:
                return
            self._news = asyncio.get_running_loop().create_future()
            waited.add(self._news)
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)

    def _batch_done(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a batch of the queue %s failed", self._queue, exc_info=task.exception())

    async def _next_batch(self) -> tuple[Isolate, list[TakenMessage]] | None:
        """Take the batch that is to go now; None where there is none, with a timer for the next one."""
        isolate = self._loaded()
        now_ms = self._clock.now_ms()
        if isolate is None:
            self._room = self._batch_size
            self._arm(now_ms + LOOK_MS)
            return None
        if self._is_unsure and not self._batches:
            await self._engine.release(self._owner)
            self._is_unsure = False
        state = await self._engine.look(self._batch_size, owner=self._owner)
        self._room = self._batch_size - state.ready
        if state.oldest_ms is not None and (self._room <= 0 or state.oldest_ms + self._timeout_ms <= now_ms):
            self._is_unsure = True
            batch = await self._engine.take(self._batch_size, owner=self._owner, lease_ms=LEASE_MS)
            self._is_unsure = False
            if batch:
                return isolate, batch
        times = [state.next_ms, None if state.oldest_ms is None else state.oldest_ms + self._timeout_ms]
        times.append(now_ms + LOOK_MS if self._engine.is_shared else None)
        known = [time_ms for time_ms in times if time_ms is not None]
        if known:
            self._arm(min(known))
        return None

    def _loaded(self) -> Isolate | None:
        try:
            return self._find_isolate()
        except WorkerLoadError:
            return None  # it was told of; messages wait until a save mends it

    async def _deliver(self, isolate: Isolate, batch: list[TakenMessage]) -> None:
        """Run the handler on a batch, and do what it decided."""
        controller = QueueController(self._queue, batch, await self._waiting_behind())
        leases = [message.lease for message in batch]
        renewal = _Renewal(self._clock, partial(self._engine.extend, leases, lease_ms=LEASE_MS))
        waits = not isolate.realm.compat.enabled("queue_consumer_no_wait_for_wait_until")
        try:
            occurrence = await run_trigger(
                isolate,
                "queue",
                controller,
                label="QUEUE",
                target=f"{self._queue} ({len(batch)})",
                observer=self._observer(),
                waits=waits,
            )
        finally:
            renewal.stop()
        await self._settle(batch, controller, succeeded=occurrence.succeeded)

    async def _waiting_behind(self) -> Backlog:
        try:
            return await self._backlog()
        except EngineError as error:  # the batch is taken, and is to be delivered
            _log.warning("what waits in the queue %s cannot be counted: %s", self._queue, error)
            return Backlog(0, 0, None)

    async def _insist(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Do what ends leases, again and again: nobody else can as long as this process lives; tells whether it did."""
        while True:
            try:
                await work()
                return True
            except EngineError as error:
                _log.error("the queue %s cannot be written, a batch waits to be settled: %s", self._queue, error)
                if self._is_stopped:
                    return False
                await asyncio.sleep(AGAIN_S)  # not the clock's: whoever moves that one waits for this batch

    async def _settle(self, batch: list[TakenMessage], controller: QueueController, *, succeeded: bool) -> None:
        result = controller.result
        now_ms = self._clock.now_ms()
        done: list[str] = []
        again: list[tuple[str, int]] = []
        dead: list[TakenMessage] = []
        for message in batch:
            if succeeded and not result.is_retried(message.id):
                done.append(message.lease)
            elif message.attempts < self._max_attempts:
                again.append((message.lease, now_ms + 1000 * result.delay_s(message.id, self._retry_delay_s)))
            else:
                dead.append(message)
        # Each by itself: what failed is done again, and what has happened is not.
        if dead and await self._insist(partial(self._end, dead)):
            done += [message.lease for message in dead]
        if await self._insist(partial(self._engine.settle, done, again)) and again:
            self._arm(min(when_ms for _, when_ms in again))

    async def _end(self, dead: list[TakenMessage]) -> None:
        """Move messages whose attempts are used up to the dead letter queue, or tell that they are lost."""
        if self._dead_letter_queue is not None:
            # First there, then gone here: a crash in between doubles messages and loses none.
            await self._bury(
                self._dead_letter_queue,
                [NewMessage(message.id, message.body, message.content_type, message.sent_at_ms, 0) for message in dead],
            )
        count = f"{self._max_attempts} failed attempt{'' if self._max_attempts == 1 else 's'}"
        for message in dead:
            if self._dead_letter_queue is None:
                _log.warning('Dropped message "%s" on queue "%s" after %s', message.id, self._queue, count)
            else:
                _log.warning(
                    'Moved message "%s" on queue "%s" to dead letter queue "%s" after %s',
                    message.id,
                    self._queue,
                    self._dead_letter_queue,
                    count,
                )


class _Renewal:
    """Lengthens the leases of a batch for as long as its handler runs."""

    def __init__(self, clock: Clock, extend: Callable[[], Awaitable[None]]) -> None:
        self._clock = clock
        self._extend = extend
        self._timer = clock.call_at(clock.now_ms() + RENEW_MS, self._ring)

    def stop(self) -> None:
        """The handler is done."""
        self._timer.cancel()

    def _ring(self) -> asyncio.Task[None]:
        self._timer = self._clock.call_at(self._clock.now_ms() + RENEW_MS, self._ring)
        return _spawn(self._renew())

    async def _renew(self) -> None:
        try:
            await self._extend()
        except EngineError as error:
            _log.warning("a batch may be delivered twice: its lease could not be extended: %s", error)


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _spawn(coroutine: Any) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(coroutine, context=contextvars.Context())
