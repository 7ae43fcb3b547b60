"""One Durable Object in memory: the instance of its class, and what its ``ctx`` needs."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from pyworkers.bindings.durable.failures import CONSTRAINTS_VIOLATED, storage_error
from pyworkers.bindings.durable.ids import DurableObjectId
from pyworkers.bindings.durable.state import DurableObjectState
from pyworkers.clock import Clock
from pyworkers.engines.durable import ObjectStore
from pyworkers.errors import EngineError
from pyworkers.js.promise import JsPromise, settle
from pyworkers.js.values import JsException, JsObject
from pyworkers.runtime.durable.dispatch import find_handler
from pyworkers.runtime.durable.gate import GatedRun, InputGate
from pyworkers.runtime.events import EVENT, Event
from pyworkers.runtime.isolate import Isolate

if TYPE_CHECKING:
    from pyworkers.runtime.durable.classes import ObjectClass
    from pyworkers.runtime.durable.facets import Facets
    from pyworkers.runtime.durable.sockets import HibernatableSockets

EXCLUSIVE_LIMIT_S: Final = 30.0
_TOO_LONG: Final = (
    "A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled and the Durable "
    "Object was reset."
)

# The object whose exclusive part the running code belongs to.
_exclusive: contextvars.ContextVar[ObjectInstance | None] = contextvars.ContextVar("pyworkers.exclusive", default=None)


class ObjectEvent(Event):
    """An event of a Durable Object."""

    __slots__ = ("object",)
    object: ObjectInstance

    def before_output(self) -> None:
        """Make durable what the object has written: nothing leaves it before."""
        self.object.commit()


class ObjectInstance:
    """One object in memory; see `pyworkers.bindings.durable.host.ObjectHost`.

    Args:
        isolate: the worker that defines its class.
        cls: the class.
        owner: knows the others of its class.
        object_id: whose it is.
        storage_id: the name of its file: the id, and of a facet its path as well.
        sockets: its hibernatable WebSockets.
    """

    __slots__ = (
        "__weakref__", "_cls", "_facets", "_is_commit_due", "_kept", "_owner", "error", "events_open", "gate",
        "idle_since_s", "isolate", "object_id", "props", "sockets", "storage_id", "store", "target",
    )  # fmt: skip

    def __init__(
        self,
        isolate: Isolate,
        cls: type,
        owner: ObjectClass,
        object_id: DurableObjectId,
        *,
        storage_id: str,
        sockets: HibernatableSockets,
    ) -> None:
        self.isolate = isolate
        self.object_id = object_id
        self.storage_id = storage_id
        self.sockets = sockets
        self.props = JsObject()
        self.gate = InputGate()
        self.error: JsException | None = None
        self.events_open = 0
        self.idle_since_s = 0.0
        self.target: Any = None  # the instance of the worker's class, once it is made
        self._cls = cls
        self._owner = owner
        self._facets: Facets | None = None
        self._is_commit_due = False
        self._kept = 0
        self.store: ObjectStore = owner.engine.open(storage_id, name=object_id.name, on_write=self._wrote)

    # ---- events

    async def run(self, event: ObjectEvent, work: Callable[[Any], Any]) -> Any:
        """Run an event once the gate lets it in; what it wrote is durable on return.

        Args:
            work: makes the coroutine of the event from the instance of the worker's class.

        Raises:
            BaseException: whatever escaped the handler; what the object was reset with where it was.
        """
        event.object = self
        self.events_open += 1
        try:
            if self.target is None:
                await self._start(event)
            if self.gate.error is not None or not self.gate.is_open_for(event):
                await self.gate.enter(event)
            result = await self.isolate.run_object_event(event, work(self.target), self._gated(event))
            self.commit()
            if self.error is not None:
                raise self.error
            return result
        except BaseException as error:
            if type(error).__name__ == "DurableObjectAbort":  # the SDK has asked for the reset that follows
                await asyncio.sleep(0)
            if self.error is None:
                self.commit()
            if self.error is not None:
                raise self.error from error
            raise
        finally:
            self.events_open -= 1
            self.idle_since_s = self.clock.now_s()
            self._owner.note_idle(self)

    async def _start(self, event: ObjectEvent) -> None:
        """Make the instance of the worker's class; what else comes waits for it."""
        if not self.gate.lock_at_once():
            await self.gate.enter(event)
            return
        try:
            self.target = await self.isolate.run_object_event(
                event, self._construct(), self._gated(event, has_lock=True)
            )
        except Exception as error:
            self.abort(as_js_error(error))
            raise
        finally:
            self.gate.unlock(is_outer=True)

    async def _construct(self) -> Any:
        return self._cls(DurableObjectState(self, self.object_id), self.isolate.env)

    def _gated(self, event: ObjectEvent, *, has_lock: bool = False) -> Callable[[Coroutine[Any, Any, Any]], GatedRun]:
        return lambda running: GatedRun(running, self.gate, event, has_lock=has_lock)

    # ---- what ctx needs

    @property
    def clock(self) -> Clock:
        """What its alarms go by."""
        return self.isolate.realm.clock

    @property
    def exports(self) -> JsObject:
        """``ctx.exports``."""
        return self.isolate.exports

    @property
    def has_alarm_handler(self) -> bool:
        """Tell whether its class handles alarms."""
        return find_handler(self.isolate, self._cls, "alarm") is not None

    @property
    def deletes_alarm(self) -> bool:
        """Tell whether ``deleteAll`` is for the alarm as well."""
        return self.isolate.realm.compat.enabled("delete_all_deletes_alarm")

    @property
    def is_running(self) -> bool:
        """Tell whether the code of one of its events is on the thread."""
        return self.gate.is_running

    @property
    def is_busy(self) -> bool:
        """Tell whether something of it goes on."""
        return bool(self.events_open or self._kept or (self._facets and self._facets.is_busy))

    def touch_storage(self) -> None:
        """Shut the gate for the other events until this one has gone on.

        Raises:
            JsException: the object was reset.
        """
        if self.error is not None:
            raise reset_error(self.error.message, self.error.name)
        self.gate.shut_for(EVENT.get())

    def run_exclusively(self, function: Callable[[], Any], *, resets: bool) -> JsPromise:
        """Run an async function while no other event of the object goes on."""
        is_inside = _exclusive.get() is self
        lock = None
        if not is_inside:
            # Until there is a target, it is the constructor that asks, which may wait for the answer (run_sync).
            lock = self.gate.lock_within() if self.target is None else self.gate.lock()
        context = contextvars.copy_context()
        context.run(_exclusive.set, self)
        self._kept += 1
        work = self._run_exclusively(function, resets=resets, is_inside=is_inside, lock=lock)
        task = asyncio.get_running_loop().create_task(work, context=context)
        return JsPromise.run(_result_of(task))

    async def _run_exclusively(
        self, function: Callable[[], Any], *, resets: bool, is_inside: bool, lock: asyncio.Future[None] | None
    ) -> Any:
        try:
            if lock is not None:
                await lock
                if self.gate.error is not None:
                    raise self.gate.error
            async with asyncio.timeout(EXCLUSIVE_LIMIT_S if resets else None):
                return await settle(function())
        except Exception as error:
            if resets and self.error is None:
                self.abort(JsException("Error", _TOO_LONG) if isinstance(error, TimeoutError) else as_js_error(error))
            raise
        finally:
            self._kept -= 1
            if self.error is None:
                self.commit()
            if not is_inside:
                self.gate.unlock()

    def keep_alive(self, promise: Any) -> None:
        """Let a promise keep the object in memory; its errors are logged."""

        async def wait() -> None:
            try:
                await settle(promise)
            finally:
                self._kept -= 1
                self._owner.note_idle(self)

        self._kept += 1
        self.isolate.run_in_background(wait())

    def facet(self, name: str, start: Callable[[], Any]) -> Any:
        """Return the stub of a facet."""
        return self._own_facets().stub(name, start)

    def end_facet(self, name: str, error: Exception | None, *, deletes: bool) -> None:
        """Reset a facet, and forget what it stored where ``deletes``."""
        self._own_facets().end(name, error, deletes=deletes)

    def _own_facets(self) -> Facets:
        if self._facets is None:
            from pyworkers.runtime.durable.facets import Facets  # few objects have any

            self._facets = Facets(self, self._owner)
        return self._facets

    # ---- durability, and the end

    def _wrote(self) -> None:
        if not self._is_commit_due:
            self._is_commit_due = True
            # Two turns: what the event has done at once is done then, an abort too.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._commit_when_due)

    def _commit_when_due(self) -> None:
        self._is_commit_due = False
        self.commit()

    def commit(self) -> None:
        """Make what was written durable; the object is reset where that fails."""
        if self.error is not None:
            return
        try:
            self.store.commit()
        except EngineError as error:
            self.abort(JsException("Error", CONSTRAINTS_VIOLATED + storage_error(error).message))

    def abort(self, error: Exception) -> None:
        """Reset the object: its events fail with the error, what is not committed is lost."""
        if self.error is not None:
            return
        shown = as_js_error(error)
        self.error = reset_error(shown.message, shown.name)
        self.error._is_own_reset = True  # type: ignore[attr-defined]  # unlike that of an object which this one called
        self.store.rollback()
        self.gate.break_(self.error)
        self.sockets.disconnect()
        if self._facets is not None:
            self._facets.abort_all(self.error)
        self._owner.forget(self)

    def leave(self) -> None:
        """The object leaves the memory; what it has stored stays."""
        if self.error is None:
            self.commit()
        if self._facets is not None:
            self._facets.leave()
        self._owner.engine.release(self.storage_id, self.store)


def reset_error(message: str, name: str = "Error") -> JsException:
    """Return the error of an object that was reset."""
    error = JsException(name, message)
    error.durableObjectReset = True  # type: ignore[attr-defined]  # JavaScript's own field
    return error


def as_js_error(error: BaseException) -> JsException:
    """Return an exception as JavaScript's."""
    from pyworkers.runtime.failures import remote_error

    found = remote_error(error)
    if not isinstance(found, JsException):
        return JsException("Error", str(found))
    found.__dict__.pop("remote", None)
    return found


async def _result_of(task: asyncio.Task[Any]) -> Any:
    return await asyncio.shield(task)
