"""``env.NS.get(id)``: what calls an object.

Calls of one stub reach the object in the order in which they were made. A stub that has called an object which was
reset is broken for good; a new one reaches the object anew.

Source: recorded, contracts/do, do.fetch.*, do.rpc.*
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from pyworkers.bindings.durable.ids import DurableObjectId
from pyworkers.bindings.failures import remote
from pyworkers.js.buffers import JsBuffer
from pyworkers.js.objects import JsArray
from pyworkers.js.promise import JsPromise
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.serialization import serialize
from pyworkers.js.values import JsException, JsProxy, js_arguments
from pyworkers.runtime.durable.instance import ObjectInstance, reset_error
from pyworkers.runtime.events import Event
from pyworkers.runtime.failures import remote_error
from pyworkers.runtime.metrics import Metrics
from pyworkers.runtime.services import Fetcher, fetch_request, received_from_afar, send, while_wanted

if TYPE_CHECKING:
    from pyworkers.runtime.durable.classes import ObjectClass

MAX_RPC_BYTES: Final = 32 * 1024 * 1024
# Below this no value can be too long: what it holds is counted roughly, and as it travels only above.
_SURELY_SMALL: Final = MAX_RPC_BYTES // 4


class DurableObjectStub(Fetcher, js_name="DurableObject", read_only="id"):
    """The stub of one object.

    Args:
        objects: the objects of its class.
        object_id: which one.
        binding: the binding's name, for the metrics.
    """

    def __init__(self, objects: ObjectClass, object_id: DurableObjectId, *, binding: str, metrics: Metrics) -> None:
        super().__init__(lambda: None, service=objects.worker, binding=binding, metrics=metrics)
        self.id = object_id
        self._objects = objects
        self._bound: ObjectInstance | None = None
        self._calls: deque[_Call] = deque()

    @property
    def name(self) -> str | None:
        """What the id was made from."""
        return self.id.name

    def toString(self, *_: object) -> str:
        """JavaScript's ``String(self)``."""
        return f"[object {self.js_name}]"

    def fetch(self, *args: Any, **kwargs: Any) -> JsPromise:
        """``fetch(input, init)``: send the object a request."""
        try:
            request = fetch_request(js_arguments(args, kwargs))
        except JsException as error:
            return JsPromise.rejected(error)
        return JsPromise.defer(self._counted("fetch", self._fetch, request, self._ticket()))

    def own_properties(self) -> dict[str, object]:
        """Return the own enumerable properties."""
        return {
            "name": self.name,
            "id": self.id,
            **{name: value for name, value in vars(self).items() if _is_own(name)},
        }

    def _invoke(self, method: str, args: tuple[Any, ...]) -> JsPromise:
        """Call an RPC method with JavaScript values."""
        try:
            sent = tuple(send(arg) for arg in args)
            check_size(sent, is_call=True)
        except JsException as error:
            return JsPromise.rejected(error)
        return JsPromise.defer(self._counted("rpc", self._call_method, method, sent, self._ticket()))

    # ---- how a call runs

    def _ticket(self) -> _Call:
        call = _Call()
        self._calls.append(call)
        return call

    async def _turn(self, call: _Call) -> None:
        """Wait until the calls made before this one have begun."""
        try:
            if self._calls[0] is not call:
                call.waiter = asyncio.get_running_loop().create_future()
                await call.waiter
        finally:  # a caller that no longer waits keeps nobody waiting
            is_next = self._calls[0] is call
            self._calls.remove(call)
            if is_next and self._calls and self._calls[0].waiter is not None:
                # Once this call has reached the object: it runs on to there without a stop.
                _wake(self._calls[0].waiter)

    async def _fetch(self, request: Request, call: Any = None, caller: Event | None = None) -> Response:  # type: ignore[override]  # the call's place in line
        from pyworkers.js.redirects import follow_redirects

        await self._turn(call)
        return await while_wanted(request, follow_redirects(request, lambda sent: self._send_request(sent, caller)))

    async def _send_request(self, request: Request, caller: Event | None) -> Response:
        instance = self._reach()
        try:
            response = await self._objects.fetch(self.id, request.delivered(), caller)
        except (Exception, asyncio.CancelledError) as error:
            raise self._failure(instance, error, is_fetch=True) from None
        return received_from_afar(response, request)

    async def _call_method(self, method: str, args: tuple[Any, ...], call: _Call, caller: Event | None) -> Any:
        await self._turn(call)
        instance = self._reach()
        try:
            result = send(await self._objects.call(self.id, method, args, caller))
        except (Exception, asyncio.CancelledError) as error:
            raise self._failure(instance, error, is_fetch=False) from None
        check_size((result,), is_call=False)
        return result

    def _reach(self) -> ObjectInstance:
        bound = self._bound
        if bound is not None and bound.error is not None:
            raise reset_error(bound.error.message, bound.error.name)
        self._bound = bound = self._objects.instance(self.id)
        return bound

    def _failure(self, instance: ObjectInstance, error: BaseException, *, is_fetch: bool) -> BaseException:
        if isinstance(error, asyncio.CancelledError):
            return error
        reset = error if isinstance(error, JsException) and hasattr(error, "_is_own_reset") else instance.error
        if reset is not None:
            shown = reset_error(reset.message, reset.name)
            return remote(shown) if is_fetch else shown
        return remote_error(error)


def _is_own(name: str) -> bool:
    return name[0] != "_" and name != "id"


class _Call:
    """A call's place in line."""

    __slots__ = ("waiter",)

    def __init__(self) -> None:
        self.waiter: asyncio.Future[None] | None = None


def check_size(values: tuple[Any, ...], *, is_call: bool) -> None:
    """Refuse what is too long to travel.

    Raises:
        JsException: Error, with the platform's text.
    """
    if _rough_size(values, 0) < _SURELY_SMALL:
        return
    try:
        size = len(serialize(JsArray(values) if is_call else values[0]))
    except JsException:
        return  # it holds what travels by reference
    if size > MAX_RPC_BYTES:
        raise JsException(
            "Error",
            "Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: "
            f"{size} bytes.",
        )


def _rough_size(values: Any, depth: int) -> int:
    size = 0
    for value in values:
        if isinstance(value, str):
            size += len(value)
        elif isinstance(value, JsBuffer):
            size += len(value.view)
        elif isinstance(value, JsArray):
            size += 2 * len(value.items_) + (_rough_size(value.items_, depth + 1) if depth < 8 else 0)
        elif isinstance(value, JsProxy) and depth < 8:
            inner = value.own_properties()
            size += sum(map(len, inner)) + _rough_size(list(inner.values()), depth + 1)
        if size >= _SURELY_SMALL:
            return size
    return size


__all__ = ["DurableObjectStub", "check_size"]


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():  # else it was cancelled, and has yet to leave the line
        waiter.set_result(None)
