"""``env.WORKFLOW``: creates instances, finds them and controls them.

Source: developers.cloudflare.com/workflows/build/workers-api; recorded, contracts/misc, misc.workflow.*, and
recordings/own/workflows.json
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyworkers.bindings.failures import remote
from pyworkers.bindings.workflows.failures import (
    EMPTY_BATCH,
    INVALID_ID,
    NOT_FOUND,
    crossed,
    storage_failure,
)
from pyworkers.bindings.workflows.host import WorkflowHost
from pyworkers.bindings.workflows.limits import is_instance_id
from pyworkers.errors import EngineError
from pyworkers.js.clone import structured_clone
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, jsnull, to_string
from pyworkers.js.promise import js_async
from pyworkers.js.values import JsException, JsObject, JsProxy, get_property


class WorkflowImpl(JsProxy):
    """A workflow binding.

    Args:
        host: the workflow that it is bound to.
    """

    def __init__(self, host: WorkflowHost) -> None:
        self._host = host

    @js_async
    async def create(self, options: Any = None) -> InstanceImpl:
        """Start an instance: ``create({id, params, retention})``; one that exists is left as it is.

        Raises:
            JsException: the id is not valid; DataCloneError, for params that cannot be copied.
        """
        return self._create(_received(options))

    @js_async
    async def createBatch(self, batch: Any = None) -> JsArray:
        """Start several instances.

        Raises:
            JsException: there is none, or one of them cannot be started; the others are.
        """
        batch = _received(batch)
        if is_nullish(batch):
            raise remote(_cannot_read(batch, "length"))
        if not isinstance(batch, JsArray):
            raise remote(JsException("TypeError", "batch.map is not a function"))
        items = list(batch)
        if not items:
            raise remote(JsException("Error", EMPTY_BATCH))
        made: list[InstanceImpl] = []
        failures: list[JsException] = []
        for item in items:
            try:
                made.append(self._create(item))
            except JsException as error:
                failures.append(error)
        if failures:
            raise failures[0]
        return JsArray(made)

    @js_async
    async def get(self, instance_id: Any = None) -> InstanceImpl:
        """Return an instance.

        Raises:
            JsException: there is none of this id.
        """
        found = InstanceImpl(to_string(instance_id), self._host)
        found.find()
        return found

    def _create(self, options: Any) -> InstanceImpl:
        if options is jsnull:
            raise remote(_cannot_read(options, "id"))
        given: dict[str, Any] = options.own_properties() if isinstance(options, JsObject) else {}
        instance_id, params = given.get("id"), given.get("params")
        if instance_id is None:
            instance_id = str(uuid.uuid4())
        elif not is_instance_id(instance_id):
            raise remote(JsException("Error", INVALID_ID))
        with _answered():
            self._host.create(instance_id, JsObject() if params is None else params)
        return InstanceImpl(instance_id, self._host)


class InstanceImpl(JsProxy):
    """An instance.

    Attributes:
        id: what it is called.
        binding: the service behind it.
    """

    def __init__(self, instance_id: str, host: WorkflowHost) -> None:
        self.id = instance_id
        self.binding = WorkflowService()
        self._host = host

    def own_properties(self) -> dict[str, object]:
        """Return the object's own properties."""
        return {"id": self.id, "binding": self.binding}

    @js_async
    async def status(self) -> JsObject:
        """``status()``: ``{status, output, error}`` and, as the local runtime has it, the steps' results."""
        self.find()
        with _answered():
            return self._host.status(self.id)

    @js_async
    async def pause(self) -> None:
        """``pause()``: once the steps that run are done."""
        await self._change("pause")

    @js_async
    async def resume(self) -> None:
        """``resume()``."""
        await self._change("resume")

    @js_async
    async def restart(self) -> None:
        """``restart()``: from the first step."""
        await self._change("restart")

    @js_async
    async def terminate(self) -> None:
        """``terminate()``.

        Raises:
            JsException: it is finished already.
        """
        await self._change("terminate")

    @js_async
    async def sendEvent(self, event: Any = None) -> None:
        """``sendEvent({type, payload})``: kept until a step waits for an event of this type.

        Raises:
            JsException: DataCloneError, for a payload that cannot be copied.
        """
        self.find()
        event = _received(event)
        if is_nullish(event):
            raise remote(_cannot_read(event, "payload"))
        given = event if isinstance(event, JsObject) else JsObject()
        with _answered():
            self._host.send_event(self.id, to_string(get_property(given, "type")), get_property(given, "payload"))

    async def _change(self, action: str) -> None:
        self.find()
        with _answered():
            await self._host.change(self.id, action)

    def find(self) -> None:
        """Check that there is such an instance; not part of JavaScript's interface.

        Raises:
            JsException: there is none.
        """
        with _answered():
            is_there = self._host.has(self.id)
        if not is_there:
            raise remote(JsException("Error", NOT_FOUND))


class WorkflowService(JsProxy, js_name="Fetcher"):
    """The service that an instance shows as its ``binding``; everything is done through the instance."""


@contextmanager
def _answered() -> Iterator[None]:
    """Say of errors that they come from the other side; those of the storage as the platform's own."""
    try:
        yield
    except JsException as error:
        raise remote(crossed(error)) from error
    except EngineError as error:
        raise remote(storage_failure(error)) from error


def _received(value: Any) -> Any:
    """Return an argument as the other side of the binding gets it; functions arrive, and cannot be stored."""
    return structured_clone(value, for_rpc=True, stub=lambda target: target)


def _cannot_read(value: Any, name: str) -> JsException:
    return JsException("TypeError", f"Cannot read properties of {to_string(value)} (reading '{name}')")
