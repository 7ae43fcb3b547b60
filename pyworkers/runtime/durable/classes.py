"""The objects of one class that are known to this process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from weakref import ReferenceType, ref

from pyworkers.bindings.durable.ids import DurableObjectId, IdFactory
from pyworkers.clock import Clock
from pyworkers.engines.durable import DurableEngine
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.values import JsException
from pyworkers.runtime.durable.dispatch import AlarmInvocationInfo, run_event, run_fetch, run_method
from pyworkers.runtime.durable.instance import ObjectEvent, ObjectInstance
from pyworkers.runtime.durable.sockets import HibernatableSockets
from pyworkers.runtime.events import Event
from pyworkers.runtime.failures import format_traceback
from pyworkers.runtime.isolate import Isolate
from pyworkers.runtime.metrics import Metrics

if TYPE_CHECKING:
    from pyworkers.runtime.durable.objects import DurableObjects

ALARM_RETRIES: Final = 6
FIRST_RETRY_MS: Final = 2_000
CODE_UPDATED: Final = "Durable Object reset because its code was updated."

_log = logging.getLogger("pyworkers.worker")


class Slot:
    """One id's place: its object while that is in memory, its WebSockets beyond that.

    Attributes:
        instance: the object, in memory.
        fading: the object after it was put out of memory, while something of the worker's still refers to it.
    """

    __slots__ = ("fading", "instance", "object_id", "sockets")

    def __init__(self, object_id: DurableObjectId) -> None:
        self.object_id = object_id
        self.instance: ObjectInstance | None = None
        self.fading: tuple[ReferenceType[Any], ObjectInstance] | None = None
        self.sockets: HibernatableSockets | None = None


class ObjectClass:
    """The objects of one class.

    Args:
        worker, name: the worker that defines the class, and its name.
        ids: makes their ids.
        engine: where they store.
        find_isolate: finds the worker as it is now.
        owner: told when an object has nothing more to do.
    """

    def __init__(
        self,
        worker: str,
        name: str,
        *,
        ids: IdFactory,
        engine: DurableEngine,
        find_isolate: Callable[[], Isolate | None],
        clock: Clock,
        metrics: Metrics,
        owner: DurableObjects,
    ) -> None:
        self.worker = worker
        self.name = name
        self.ids = ids
        self.engine = engine
        self.slots: dict[str, Slot] = {}
        self.metrics = metrics
        self._find_isolate = find_isolate
        self._clock = clock
        self._owner = owner

    # ---- events

    async def fetch(self, object_id: DurableObjectId, request: Request, caller: Event | None) -> Response:
        """Send an object a request."""
        instance = self.instance(object_id)
        event = self._event(instance, "fetch", caller)
        response: Response = await instance.run(event, lambda target: run_fetch(instance.isolate, target, request))
        return response

    async def call(self, object_id: DurableObjectId, method: str, args: tuple[Any, ...], caller: Event | None) -> Any:
        """Call an object's method with JavaScript values; returns a JavaScript value."""
        instance = self.instance(object_id)
        event = self._event(instance, "rpc", caller)
        return await instance.run(event, lambda target: run_method(instance.isolate, target, method, args))

    async def deliver(self, object_id: DurableObjectId, kind: str, args: tuple[Any, ...]) -> None:
        """Run a handler of the platform's for an event that nobody waits for; its errors are logged."""
        try:
            instance = self.instance(object_id)
            event = self._event(instance, kind, None)
            await instance.run(event, lambda target: run_event(instance.isolate, target, kind, args))
        except Exception as error:
            _log.error("%s: uncaught in %s of %s\n%s", self.worker, kind, self.name, format_traceback(error).rstrip())

    async def fire_alarm(self, object_id: DurableObjectId, attempts: int) -> None:
        """Run an object's alarm handler where its alarm is due; what fails is tried again later."""
        instance = self.instance(object_id)
        begun: list[int] = []
        event = self._event(instance, "alarm", None)
        try:
            await instance.run(event, lambda target: self._run_alarm(instance, target, attempts, begun))
        except Exception as error:
            _log.error("%s: uncaught in alarm of %s\n%s", self.worker, self.name, format_traceback(error).rstrip())
            self._retry_alarm(instance, object_id, begun, attempts)

    async def _run_alarm(self, instance: ObjectInstance, target: Any, attempts: int, begun: list[int]) -> None:
        """Run the handler; the alarm's end is durable together with what the handler wrote."""
        store, object_id = instance.store, instance.object_id
        time_ms = store.begin_alarm()
        if time_ms is None or time_ms > self._clock.now_ms():  # another one was set, or none is left
            store.end_alarm(is_done=False)
            self.engine.expect(object_id.digits, object_id.name, time_ms)
            return
        begun.append(time_ms)
        await run_event(instance.isolate, target, "alarm", (AlarmInvocationInfo(time_ms, attempts),))
        store.end_alarm(is_done=True)

    def _retry_alarm(
        self, instance: ObjectInstance, object_id: DurableObjectId, begun: list[int], attempts: int
    ) -> None:
        """Try an alarm again later, or give it up; not where the handler has set or removed it."""
        if instance.error is not None:  # its store is gone: what is in the file counts
            instance = self.instance(object_id)
        store = instance.store
        if not begun or store.alarm_ms() == begun[0]:  # it never began, or the reset showed it again
            store.begin_alarm()
        gives_up = attempts >= ALARM_RETRIES
        was_same = store.end_alarm(is_done=gives_up)
        instance.commit()
        if was_same and not gives_up:
            retry_ms = self._clock.now_ms() + (FIRST_RETRY_MS << attempts)
            self.engine.retry_alarm(object_id.digits, object_id.name, retry_ms, attempts + 1)

    # ---- instances

    def instance(self, object_id: DurableObjectId) -> ObjectInstance:
        """Return an object that is in memory, brought there where it is not.

        Raises:
            JsException: the worker, or the class, is not there.
        """
        slot = self.slots.get(object_id.digits)
        if slot is None:
            slot = self.slots[object_id.digits] = Slot(object_id)
        instance = slot.instance
        if instance is not None and instance.isolate is self._find_isolate():
            return instance
        if instance is not None:
            self._replace(slot, instance)
        return self._revive(slot) or self._make(slot, object_id)

    def sockets_of(self, object_id: DurableObjectId) -> HibernatableSockets:
        """Return an object's hibernatable WebSockets."""
        slot = self.slots[object_id.digits]
        if slot.sockets is None:
            slot.sockets = HibernatableSockets(self._clock, lambda kind, args: self.deliver(slot.object_id, kind, args))
        return slot.sockets

    def defined_in(self, isolate: Isolate) -> type:
        """Return the class as the worker has it now.

        Raises:
            JsException: it does not.
        """
        cls = isolate.handlers.durable_objects.get(self.name)
        if cls is None:
            raise JsException(
                "Error", f'The worker "{self.worker}" exports no Durable Object class named "{self.name}".'
            )
        return cls

    def current_isolate(self) -> Isolate:
        """Return the worker as it is now.

        Raises:
            JsException: it does not run.
        """
        isolate = self._find_isolate()
        if isolate is None:
            raise JsException("Error", f'Worker "{self.worker}" not found. Make sure it is running locally.')
        return isolate

    def _make(self, slot: Slot, object_id: DurableObjectId) -> ObjectInstance:
        isolate = self.current_isolate()
        cls = self.defined_in(isolate)
        if object_id.name is not None:
            slot.object_id = object_id
        instance = slot.instance = ObjectInstance(
            isolate,
            cls,
            self,
            slot.object_id,
            storage_id=object_id.digits,
            sockets=self.sockets_of(object_id),
        )
        return instance

    def _revive(self, slot: Slot) -> ObjectInstance | None:
        """Return the object that was put out of memory and is still referred to."""
        fading, slot.fading = slot.fading, None
        if fading is None:
            return None
        target, instance = fading[0](), fading[1]
        if target is None or instance.error is not None or instance.isolate is not self._find_isolate():
            return None
        instance.target = target
        instance.store = self.engine.open(instance.storage_id, name=slot.object_id.name, on_write=instance._wrote)
        slot.instance = instance
        return instance

    def _replace(self, slot: Slot, instance: ObjectInstance) -> None:
        """The worker's code is another one."""
        slot.instance = None
        if instance.is_busy:
            instance.abort(JsException("Error", CODE_UPDATED))
        else:
            instance.leave()

    def forget(self, instance: ObjectInstance) -> None:
        """An object was reset."""
        slot = self.slots.get(instance.object_id.digits)
        if slot is not None and slot.instance is instance:
            slot.instance = None
            if not slot.sockets:
                del self.slots[instance.object_id.digits]
        self.engine.release(instance.storage_id, instance.store)

    def note_idle(self, instance: ObjectInstance) -> None:
        """An event of an object is done."""
        self._owner.note_idle(self, instance)

    def evict(self, idle_before_s: float) -> int:
        """Put the objects out of memory that have done nothing since; return how many are still referred to."""
        fading = 0
        for digits, slot in list(self.slots.items()):
            instance = slot.instance
            if instance is not None and not instance.is_busy and instance.idle_since_s <= idle_before_s:
                instance.leave()
                slot.instance = None
                target, instance.target = instance.target, None
                slot.fading = None if target is None else (ref(target), instance)
                del target
            if slot.fading is not None and slot.fading[0]() is None:
                slot.fading = None
            fading += slot.fading is not None
            if slot.instance is None and slot.fading is None and not slot.sockets:
                del self.slots[digits]
        return fading

    def close(self) -> None:
        """Put every object out of memory; what they wrote is durable."""
        slots, self.slots = list(self.slots.values()), {}
        for slot in slots:
            instance, slot.instance = slot.instance, None
            if instance is not None:
                instance.leave()
            if slot.sockets is not None:
                slot.sockets.disconnect()

    def _event(self, instance: ObjectInstance, kind: str, caller: Event | None) -> ObjectEvent:
        if caller is None:
            return ObjectEvent(instance.isolate, kind)
        return ObjectEvent(instance.isolate, kind, depth=caller.depth + 1, root=caller)
