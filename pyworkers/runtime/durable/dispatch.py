"""How each kind of event reaches an object's own methods.

Source: facts of workerd's ``python-entrypoint-helper.ts``, section 2.2; recorded, contracts/do, do.rpc.*
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from pyworkers.js.buffers import ArrayBuffer
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.values import JsException, JsProxy, type_error
from pyworkers.pyodide.code import relaxed_call
from pyworkers.runtime.handlers import NO_FETCH
from pyworkers.runtime.isolate import Isolate, check_method


class AlarmInvocationInfo(JsProxy):
    """What an alarm handler gets.

    Attributes:
        scheduledTime: when the alarm was to fire, in milliseconds.
        retryCount: how often it has failed.
        isRetry: it has failed before.
    """

    def __init__(self, scheduled_ms: int, attempts: int) -> None:
        self.scheduledTime = scheduled_ms
        self.retryCount = attempts
        self.isRetry = attempts > 0

    def own_properties(self) -> dict[str, object]:
        """Return the own enumerable properties."""
        return {"scheduledTime": self.scheduledTime, "retryCount": self.retryCount, "isRetry": self.isRetry}


def handler_name(isolate: Isolate, kind: str) -> str:
    """Return the method's name: before 2025-08-14 the platform's events go to ``on_…``."""
    return kind if isolate.realm.compat.enabled("python_no_global_handlers") else f"on_{kind}"


def find_handler(isolate: Isolate, target: Any, kind: str) -> Any:
    """Return a method for an event of the platform's, under either name; None where there is none."""
    found = getattr(target, handler_name(isolate, kind), None)
    return getattr(target, kind, None) if found is None else found


async def run_fetch(isolate: Isolate, target: Any, request: Request) -> Response:
    """Handle a request."""
    handler = find_handler(isolate, target, "fetch")
    if handler is None:
        raise JsException("Error", NO_FETCH)
    returned = relaxed_call(handler, isolate.sdk.Request(request), None, None)
    return isolate.to_response(
        await returned if isinstance(returned, Awaitable) and _is_pending(returned) else returned
    )


async def run_method(isolate: Isolate, target: Any, method: str, args: tuple[Any, ...]) -> Any:
    """Call an RPC method with JavaScript values; returns a JavaScript value."""
    check_method(method)
    function = getattr(target, method, None)
    if function is None:
        raise type_error(f"Method {method} does not exist")
    from_rpc = isolate.sdk.python_from_rpc
    result = function(*[from_rpc(arg) for arg in args])
    if isinstance(result, Awaitable):
        result = await result
    return isolate.to_rpc(result)


async def run_event(isolate: Isolate, target: Any, kind: str, args: tuple[Any, ...]) -> None:
    """Run a handler of the platform's with raw values; nothing where the class has none."""
    handler = find_handler(isolate, target, kind)
    if handler is None:
        return
    result = relaxed_call(handler, *[ArrayBuffer(arg) if isinstance(arg, bytes) else arg for arg in args])
    if isinstance(result, Awaitable):
        await result


def _is_pending(value: Any) -> bool:
    return not hasattr(value, "js_object")
