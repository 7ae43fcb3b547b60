"""``ctx.facets``: objects within an object, each with a class and a storage of its own.

A facet runs in the object's process and lives no longer in memory than the object does.

Source: workerd src/workerd/api/actor-state.h, ``DurableObjectFacets``
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pyworkers.bindings.durable.ids import DurableObjectId
from pyworkers.bindings.durable.state import startup_class
from pyworkers.js.promise import settle
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.values import JsException
from pyworkers.runtime.durable.dispatch import run_event, run_fetch, run_method
from pyworkers.runtime.durable.instance import ObjectEvent, ObjectInstance, as_js_error
from pyworkers.runtime.durable.sockets import HibernatableSockets
from pyworkers.runtime.durable.stub import DurableObjectStub
from pyworkers.runtime.events import Event

if TYPE_CHECKING:
    from pyworkers.runtime.durable.classes import ObjectClass

ABORTED = "Facet was aborted."


class FacetStub(DurableObjectStub, js_name="Fetcher"):
    """The stub of a facet."""


class Facets:
    """The facets of one object.

    Args:
        parent: the object.
        owner: the objects of the parent's class.
    """

    def __init__(self, parent: ObjectInstance, owner: ObjectClass) -> None:
        self._parent = parent
        self._owner = owner
        self._facets: dict[str, Facet] = {}

    @property
    def is_busy(self) -> bool:
        """Tell whether something goes on in one of them."""
        return any(facet.running is not None and facet.running.is_busy for facet in self._facets.values())

    def stub(self, name: str, start: Callable[[], Any]) -> FacetStub:
        """Return a facet's stub."""
        facet = self._facets.get(name)
        if facet is None:
            storage_id = f"{self._parent.storage_id}.{quote(name, safe='')}"
            facet = self._facets[name] = Facet(self._parent, self._owner, storage_id)
        facet.start = start
        return FacetStub(facet, self._parent.object_id, binding=f"facets.{name}", metrics=self._owner.metrics)  # type: ignore[arg-type]  # it answers as a class does

    def end(self, name: str, error: Exception | None, *, deletes: bool) -> None:
        """Reset a facet, and forget what it stored where ``deletes``."""
        facet = self._facets.pop(name, None)
        if facet is not None and facet.running is not None:
            facet.running.abort(error or JsException("Error", ABORTED))
        if deletes:
            self._owner.engine.remove(f"{self._parent.storage_id}.{quote(name, safe='')}")

    def abort_all(self, error: Exception) -> None:
        """The object was reset."""
        for facet in self._facets.values():
            if facet.running is not None:
                facet.running.abort(error)
        self._facets.clear()

    def leave(self) -> None:
        """The object leaves the memory."""
        for facet in self._facets.values():
            if facet.running is not None:
                facet.running.leave()
        self._facets.clear()


class Facet:
    """One facet; to its stub it is what a class of one object would be."""

    def __init__(self, parent: ObjectInstance, owner: ObjectClass, storage_id: str) -> None:
        self.worker = owner.worker
        self.engine = owner.engine
        self.metrics = owner.metrics
        self.running: ObjectInstance | None = None
        self.start: Callable[[], Any] = lambda: None
        self._parent = parent
        self._owner = owner
        self._storage_id = storage_id

    async def fetch(self, _id: DurableObjectId, request: Request, caller: Event | None) -> Response:
        """Send the facet a request."""
        running = await self._started()
        response: Response = await running.run(
            self._event(running, "fetch", caller), lambda target: run_fetch(running.isolate, target, request)
        )
        return response

    async def call(self, _id: DurableObjectId, method: str, args: tuple[Any, ...], caller: Event | None) -> Any:
        """Call a method of the facet."""
        running = await self._started()
        return await running.run(
            self._event(running, "rpc", caller), lambda target: run_method(running.isolate, target, method, args)
        )

    def instance(self, _id: DurableObjectId) -> ObjectInstance:
        """Return what a stub is bound to: the facet where it runs, else the object it is in."""
        return self.running or self._parent

    def forget(self, instance: ObjectInstance) -> None:
        """The facet was reset."""
        if self.running is instance:
            self.running = None
        self.engine.release(instance.storage_id, instance.store)

    def note_idle(self, _instance: ObjectInstance) -> None:
        """An event of the facet is done."""
        self._owner.note_idle(self._parent)

    async def _started(self) -> ObjectInstance:
        if self.running is None:
            try:
                cls, facet_id = startup_class(await settle(self.start()))
            except Exception as error:
                raise as_js_error(error) from None
            objects: ObjectClass = cls._objects
            isolate = objects.current_isolate()
            object_id = facet_id if isinstance(facet_id, DurableObjectId) else self._parent.object_id
            if isinstance(facet_id, str):
                object_id = objects.ids.of_name(facet_id)
            self.running = ObjectInstance(
                isolate,
                objects.defined_in(isolate),
                self,  # type: ignore[arg-type]  # it answers as a class does
                object_id,
                storage_id=self._storage_id,
                sockets=HibernatableSockets(self._parent.clock, self._deliver),
            )
        return self.running

    async def _deliver(self, kind: str, args: tuple[Any, ...]) -> None:
        running = await self._started()
        await running.run(
            self._event(running, kind, None), lambda target: run_event(running.isolate, target, kind, args)
        )

    def _event(self, running: ObjectInstance, kind: str, caller: Event | None) -> ObjectEvent:
        if caller is None:
            return ObjectEvent(running.isolate, kind)
        return ObjectEvent(running.isolate, kind, depth=caller.depth + 1, root=caller)
