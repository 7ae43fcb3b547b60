"""The Durable Objects of a project: their classes, their alarms, and who stays in memory."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import math
from collections.abc import Callable
from typing import Any, Final

from pyworkers.bindings.durable.ids import DurableObjectId, IdFactory
from pyworkers.bindings.durable.namespace import DurableObjectNamespace
from pyworkers.clock import Clock, Timer
from pyworkers.config.model import WorkerConfig
from pyworkers.engines.durable import ObjectRecord
from pyworkers.runtime.durable.classes import ObjectClass
from pyworkers.runtime.durable.instance import ObjectInstance
from pyworkers.runtime.durable.migrations import ClassKeys
from pyworkers.runtime.durable.stub import DurableObjectStub
from pyworkers.runtime.isolate import Isolate
from pyworkers.runtime.metrics import Metrics
from pyworkers.runtime.stores import Stores

# How long an object stays in memory with nothing to do.
IDLE_S: Final = 10.0
# How often to look at most.
SWEEP_S: Final = 1.0

_log = logging.getLogger("pyworkers.runtime")


class LoopbackDurableObjectNamespace(DurableObjectNamespace):
    """``ctx.exports.Class``: the worker's own class as a namespace, and what a facet can be started from."""

    def __init__(self, objects: ObjectClass, connect: Callable[[DurableObjectId], Any]) -> None:
        super().__init__(objects.ids, connect)
        self._objects = objects


class DurableObjects:
    """The Durable Objects of a project.

    Args:
        stores: where they store.
        find_isolate: finds a worker as it is now, by name.
        clock: what alarms and idleness go by.
        metrics: where calls are counted.
    """

    def __init__(
        self, stores: Stores, find_isolate: Callable[[str], Isolate | None], *, clock: Clock, metrics: Metrics
    ) -> None:
        self._stores = stores
        self._keys: ClassKeys | None = None
        self._find_isolate = find_isolate
        self._clock = clock
        self._metrics = metrics
        self._classes: dict[tuple[str, str], ObjectClass] = {}
        self._alarm_timer: Timer | None = None
        self._alarm_timer_ms = 0
        self._sweep_timer: Timer | None = None
        self._firing: set[tuple[ObjectClass, str]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    def configure(self, config: WorkerConfig) -> None:
        """Apply a worker's migrations, and know its classes."""
        own = {binding.class_name for binding in config.durable_objects if binding.script_name is None}
        if not own and not config.migrations:
            return
        for name in self._class_keys().apply(config):
            changed = self._classes.pop((config.name, name), None)
            if changed is not None:
                changed.close()
        for name in sorted(own | set(config.durable_object_classes)):
            self.object_class(config.name, name)

    def _class_keys(self) -> ClassKeys:
        if self._keys is None:
            is_kept = self._stores.state_dir is not None
            path = self._stores.durable_folder / "classes.json" if is_kept else None
            self._keys = ClassKeys(path, self._stores.delete_durable_objects)
        return self._keys

    # ---- what a worker is bound to

    def object_class(self, worker: str, name: str) -> ObjectClass:
        """Return the objects of a worker's class."""
        found = self._classes.get((worker, name))
        if found is None:
            key = self._class_keys().key_of(worker, name)
            found = self._classes[worker, name] = ObjectClass(
                worker,
                name,
                ids=IdFactory(key),
                engine=self._stores.durable_engine(key),
                find_isolate=lambda: self._find_isolate(worker),
                clock=self._clock,
                metrics=self._metrics,
                owner=self,
            )
            found.engine.on_alarm = self._note_alarm
        return found

    def namespace(self, worker: str, name: str, binding: str) -> DurableObjectNamespace:
        """Return the object of a binding."""
        objects = self.object_class(worker, name)
        return DurableObjectNamespace(objects.ids, self._connector(objects, binding))

    def loopback(self, worker: str, name: str) -> LoopbackDurableObjectNamespace:
        """Return ``ctx.exports.Class``."""
        objects = self.object_class(worker, name)
        return LoopbackDurableObjectNamespace(objects, self._connector(objects, f"exports.{name}"))

    def _connector(self, objects: ObjectClass, binding: str) -> Callable[[DurableObjectId], DurableObjectStub]:
        return lambda object_id: DurableObjectStub(objects, object_id, binding=binding, metrics=self._metrics)

    # ---- alarms

    def start(self) -> None:
        """Look for the alarms that were left; call it once the workers are loaded."""
        self._arm_alarms()

    def _note_alarm(self, record: ObjectRecord) -> None:
        time_ms = record.alarm_ms
        if time_ms is not None and (self._alarm_timer is None or time_ms < self._alarm_timer_ms):
            self._arm_alarms_at(time_ms)

    def _arm_alarms(self) -> None:
        now_ms = self._clock.now_ms()
        moments: list[int] = []
        for objects in self._classes.values():
            if any((objects, record.object_id) not in self._firing for record in objects.engine.alarms(now_ms)):
                moments.append(now_ms)
            next_ms = objects.engine.next_alarm_ms(now_ms)
            if next_ms is not None:
                moments.append(next_ms)
        if moments:
            self._arm_alarms_at(min(moments))

    def _arm_alarms_at(self, time_ms: int) -> None:
        if self._is_closed:
            return
        if self._alarm_timer is not None:
            self._alarm_timer.cancel()
        self._alarm_timer_ms = time_ms
        self._alarm_timer = self._clock.call_at(time_ms, self._fire_alarms)

    def _fire_alarms(self) -> asyncio.Task[Any] | None:
        self._alarm_timer = None
        if self._is_closed:
            return None
        now_ms = self._clock.now_ms()
        due = [
            (record, objects)
            for objects in self._classes.values()
            for record in objects.engine.alarms(now_ms)
            if (objects, record.object_id) not in self._firing
        ]
        due.sort(key=lambda item: item[0].alarm_ms or 0)
        self._firing.update((objects, record.object_id) for record, objects in due)
        self._arm_alarms()
        return self._spawn(self._fire_all(due)) if due else None

    async def _fire_all(self, due: list[tuple[ObjectRecord, ObjectClass]]) -> None:
        await asyncio.gather(*(self._fire(objects, record) for record, objects in due))

    async def _fire(self, objects: ObjectClass, record: ObjectRecord) -> None:
        try:
            await objects.fire_alarm(DurableObjectId(record.object_id, record.name), record.attempts)
        except Exception:
            _log.exception("an alarm of %s could not be delivered; it is tried again at the next start", objects.name)
            return  # it stays among those that fire, so that it does not fire over and over
        self._firing.discard((objects, record.object_id))
        self._arm_alarms()

    # ---- memory

    def note_idle(self, _objects: ObjectClass, _instance: ObjectInstance) -> None:
        """An event of an object is done: have a look later whether it was the last."""
        if self._sweep_timer is None and not self._is_closed:
            self._sweep_at(self._clock.now_s() + IDLE_S)

    def _sweep_at(self, time_s: float) -> None:
        self._sweep_timer = self._clock.call_at(math.ceil(time_s * 1000), self._sweep)

    def _sweep(self) -> None:
        self._sweep_timer = None
        idle_before_s = self._clock.now_s() - IDLE_S + 0.001
        fading = sum(objects.evict(idle_before_s) for objects in self._classes.values())
        if fading:
            gc.collect()  # what refers to itself
            fading = sum(objects.evict(idle_before_s) for objects in self._classes.values())
        live = [
            slot.instance.idle_since_s
            for objects in self._classes.values()
            for slot in objects.slots.values()
            if slot.instance is not None
        ]
        now_s = self._clock.now_s()
        if live:
            self._sweep_at(max(min(live) + IDLE_S, now_s + SWEEP_S))
        elif fading:
            self._sweep_at(now_s + IDLE_S)

    @property
    def live_count(self) -> int:
        """How many objects are in memory."""
        return sum(slot.instance is not None for objects in self._classes.values() for slot in objects.slots.values())

    async def close(self) -> None:
        """End the timers, wait for the alarms that run, and put every object out of memory."""
        self._is_closed = True
        for timer in (self._alarm_timer, self._sweep_timer):
            if timer is not None:
                timer.cancel()
        if self._tasks:
            _, pending = await asyncio.wait(set(self._tasks), timeout=5)
            for task in pending:
                task.cancel()
            if pending:
                await asyncio.wait(pending)
        for objects in self._classes.values():
            objects.close()

    def _spawn(self, coroutine: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(coroutine, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
