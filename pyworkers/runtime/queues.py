"""The queues of a project: who sends to them, who consumes them, and what carries messages from one to the other."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final

from pyworkers.bindings.queues import WorkerQueue
from pyworkers.clock import Clock
from pyworkers.config.model import WorkerConfig
from pyworkers.config.places import error_at
from pyworkers.config.tables import QueueConsumer, QueueProducer
from pyworkers.engines.queues import Backlog, NewMessage, QueueEngine
from pyworkers.engines.queues.lock import ConsumerLock
from pyworkers.js.realm import Flags
from pyworkers.runtime.events import current_event
from pyworkers.runtime.isolate import Isolate
from pyworkers.runtime.queue_consumer import Consumer
from pyworkers.runtime.stores import Stores
from pyworkers.runtime.triggers import Observer

# Whoever holds a message is named so: a worker of this process, or a client of the HTTP API.
WORKER_OWNER: Final = "worker:"
PULL_OWNER: Final = "pull:"
# How old the figures of a backlog may be, and which share of the time counting may take at most.
_FIGURES_MS: Final = 50
_COUNTING_SHARE: Final = 0.01


class Queue:
    """One queue.

    Args:
        name: as producers and consumers name it.
        engine: where its messages are.
    """

    def __init__(self, name: str, engine: QueueEngine, clock: Clock) -> None:
        self.name = name
        self.engine = engine
        self.consumer: Consumer | None = None
        self.pull: QueueConsumer | None = None
        self._clock = clock
        self._figures: Backlog | None = None
        self._figures_until_ms = 0.0

    @property
    def has_consumer(self) -> bool:
        """Whether anybody consumes the queue."""
        return self.consumer is not None or self.pull is not None

    async def send(self, messages: Sequence[NewMessage]) -> None:
        """Keep messages, and let the consumer know; they are durable on return."""
        await self.engine.send(messages)
        if self.consumer is not None:
            self.consumer.note(messages)

    async def metrics(self) -> Backlog:
        """Count what waits; the figures may be 50 ms old, and older where counting takes long.

        Source: recorded, contracts/queues: messages of the last moments are not counted
        """
        now_ms = self._clock.now_ms()
        if self._figures is None or now_ms >= self._figures_until_ms:
            started_s = perf_counter()
            self._figures = await self.engine.backlog()
            counting_ms = (perf_counter() - started_s) * 1000
            self._figures_until_ms = now_ms + max(_FIGURES_MS, counting_ms / _COUNTING_SHARE)
        return self._figures


class Queues:
    """The queues of a project.

    Args:
        stores: where messages are.
        find_isolate: finds a worker as it is now, by name.
        clock: decides when a message is delivered.
        observer: who is told of every batch.
    """

    def __init__(
        self,
        stores: Stores,
        find_isolate: Callable[[str], Isolate | None],
        *,
        clock: Clock,
        observer: Callable[[], Observer | None] = lambda: None,
    ) -> None:
        self._stores = stores
        self._find_isolate = find_isolate
        self._clock = clock
        self._queues: dict[str, Queue] = {}
        self._consumers: dict[str, tuple[str, QueueConsumer]] = {}
        self._owner = f"{WORKER_OWNER}{secrets.token_hex(8)}"
        self._lock: ConsumerLock | None = None
        self._has_started = False
        self._is_closed = False
        self._observer = observer

    # ---- what workers are bound to

    def configure(self, config: WorkerConfig) -> None:
        """Take over what a worker says of queues, in place of what it said before.

        Raises:
            ConfigError: a queue has another consumer already.
        """
        wanted = {consumer.queue: consumer for consumer in config.queues.consumers}
        for name, consumer in wanted.items():
            worker = self._consumers.get(name, (config.name, consumer))[0]
            if worker != config.name:
                raise error_at(
                    config,
                    ("queues", "consumers", list(wanted).index(name)),
                    f'the queue "{name}" has two consumers, {worker} and {config.name}; it can have one',
                    hint="take one of them out",
                )
        for name, (worker, old) in list(self._consumers.items()):
            if worker == config.name and wanted.get(name) != old:
                del self._consumers[name]
                self._stop(name)
        for name, consumer in wanted.items():
            if name not in self._consumers:
                self._consumers[name] = config.name, consumer
                begun = self._begin(name)
                if begun is not None:
                    begun.wake()

    def binding(self, producer: QueueProducer, compat: Flags) -> WorkerQueue:
        """Return the object of a producer's binding."""
        return WorkerQueue(
            self.queue(producer.queue),
            self._clock,
            delivery_delay_s=producer.delivery_delay,
            default_type="json" if compat.enabled("queues_json_messages") else "v8",
            exposes_codes=compat.enabled("queue_expose_error_codes"),
            before_output=_before_output,
        )

    def queue(self, name: str) -> Queue:
        """Return a queue by name; it needs neither producer nor consumer."""
        found = self._queues.get(name)
        if found is None:
            found = self._queues[name] = Queue(name, self._stores.engine("queues", name), self._clock)
        return found

    # ---- delivery

    async def start(self) -> None:
        """Deliver; what a process held that died comes back at once. Call it once the workers are loaded."""
        self._has_started = True
        if not self._consumers:
            return
        if self._stores.state_dir is not None and self._stores.engine_name("queues") == "sqlite":
            self._lock = ConsumerLock(self._stores.state_dir / "queues" / ".consumer")
            if self._lock.acquire():
                for name, (_, config) in self._consumers.items():
                    if config.type == "worker":
                        await self.queue(name).engine.release(WORKER_OWNER)
        for name in list(self._consumers):
            consumer = self._begin(name)
            if consumer is not None:
                await consumer.start()

    async def close(self, *, drain_s: float = 5.0) -> None:
        """Wait for the batches that are out, at most ``drain_s`` seconds; the messages of others come again."""
        self._is_closed = True
        for queue in self._queues.values():
            if queue.consumer is not None:
                await queue.consumer.close(drain_s)
        if self._lock is not None:
            self._lock.release()

    def _begin(self, name: str) -> Consumer | None:
        """Know what consumes a queue; the consumer, if there is a new one, is to be started."""
        if not self._has_started or self._is_closed:
            return None
        worker, config = self._consumers[name]
        queue = self.queue(name)
        if config.type == "http_pull":
            queue.pull = config
        elif queue.consumer is None:
            queue.consumer = Consumer(
                name,
                queue.engine,
                config,
                worker=worker,
                find_isolate=lambda: self._find_isolate(worker),
                backlog=queue.metrics,
                bury=self._bury,
                owner=self._owner,
                clock=self._clock,
                observer=self._observer,
            )
            return queue.consumer
        return None

    def _stop(self, name: str) -> None:
        queue = self._queues.get(name)
        if queue is not None:
            queue.pull = None
            if queue.consumer is not None:
                queue.consumer.stop()
                queue.consumer = None

    async def _bury(self, dead_letter_queue: str, messages: Sequence[NewMessage]) -> None:
        now_ms = self._clock.now_ms()
        await self.queue(dead_letter_queue).send([message._replace(visible_at_ms=now_ms) for message in messages])


def _before_output() -> None:
    event = current_event()
    if event is not None:
        event.before_output()
