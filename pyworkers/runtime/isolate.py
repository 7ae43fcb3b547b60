"""An isolate: one loaded worker, and how it handles each kind of event.

An event runs in a context of its own, in which `current_realm` and `current_event` tell whose code is running, and
under `suspendable`, so that ``run_sync`` works in it. Class-style workers get a new instance of their class for
every event, as on the platform; module-style workers get the same objects as arguments.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine
from time import perf_counter
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from pyworkers.config.model import WorkerConfig
from pyworkers.js.primitives import is_nullish, jsnull
from pyworkers.js.promise import JsPromise
from pyworkers.js.realm import REALM, Realm
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.timers import cancel_timers
from pyworkers.js.values import JsException, JsObject, type_error
from pyworkers.pyodide.code import accepted_positional, relaxed_call
from pyworkers.pyodide.install import install
from pyworkers.pyodide.suspension import run_suspendable, suspendable
from pyworkers.runtime.events import EVENT, Event, current_event
from pyworkers.runtime.failures import format_traceback
from pyworkers.runtime.handlers import AN_ERROR_RESPONSE, NO_FETCH, NOT_A_RESPONSE
from pyworkers.runtime.limits import CpuLimitExceeded
from pyworkers.runtime.loader import RUNNING, ModuleNamespace
from pyworkers.runtime.loading import load_worker, roots_of
from pyworkers.runtime.metrics import Metrics
from pyworkers.runtime.tail import JsRpcEventInfo, Tracer, fetch_info, trigger_info

if TYPE_CHECKING:
    from pyworkers.bindings.assets import AssetSite

E = TypeVar("E", bound=BaseException)
# Awaits, or holds back, the run of an event's code.
Drive: TypeAlias = Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]
_log = logging.getLogger("pyworkers.worker")

# What every entrypoint has and no other worker can call.
NEVER_METHODS: Final = ("ctx", "env")

RESERVED_METHODS: Final = frozenset(
    {"alarm", "connect", "constructor", "dup", "webSocketClose", "webSocketError", "webSocketMessage"}
)


class Isolate:
    """One loaded worker.

    Args:
        config: its configuration.
        realm: what its JavaScript globals are connected to.
        env: its bindings, a JavaScript object.
        metrics: where its events are counted.
        site: its static assets, which are asked before its default entrypoint.

    Raises:
        WorkerLoadError: its module cannot be imported, or offers no handler.
    """

    def __init__(
        self, config: WorkerConfig, realm: Realm, env: JsObject, metrics: Metrics, *, site: AssetSite | None = None
    ) -> None:
        install()
        self.config = config
        self.name = config.name
        self.realm = realm
        self.env = env
        self.exports = JsObject()
        self._site = site
        self.metrics = metrics.workers[config.name]
        self.tracer: Tracer | None = None
        self.background: set[asyncio.Task[bool]] = set()
        self.context = contextvars.copy_context()
        self.context.run(REALM.set, realm)
        self.events_open = 0
        self._idle: asyncio.Event | None = None  # there while somebody waits for the last event to end
        started_s = perf_counter()
        before = sys.getallocatedblocks()
        self.namespace = ModuleNamespace(config.name, roots_of(config))
        self.context.run(RUNNING.set, self.namespace)
        self.sdk, self.handlers = load_worker(config, realm, self.namespace, self.context, is_site=site is not None)
        self._fetch_name = self._class_handler("fetch")
        self.metrics.cold_starts += 1
        self.metrics.cold_start_s = perf_counter() - started_s
        # The allocator's blocks average about 64 bytes; a figure to compare workers by, not to the byte.
        self.metrics.memory_bytes = max(0, sys.getallocatedblocks() - before) * 64

    # ---- events

    def fetch(
        self,
        request: Request,
        *,
        entrypoint: str | None = None,
        props: JsObject | None = None,
        caller: Event | None = None,
        event: Event | None = None,
    ) -> Coroutine[Any, Any, Response]:
        """Handle an HTTP request with the default entrypoint or a named one.

        Args:
            event: as `open_event` returns it, for who wants to see what the event touched.

        Raises:
            JsException: TypeError, when the handler returned something else than a Response.
            Exception: whatever escaped the handler.
        """
        event = event or self.open_event("fetch", props=props, caller=caller)
        if self.tracer is not None:
            self.tracer.opened(event, fetch_info(request), entrypoint=entrypoint)
        if self._site is not None and entrypoint is None:
            return self._run(event, self._fetch_with_assets(self._site, event, request))
        return self._run(event, self._fetch(event, request, entrypoint))

    async def call(
        self,
        method: str,
        args: tuple[Any, ...],
        *,
        entrypoint: str | None = None,
        props: JsObject | None = None,
        caller: Event | None = None,
    ) -> Any:
        """Call an RPC method with JavaScript values; returns a JavaScript value."""
        event = self.open_event("rpc", props=props, caller=caller)
        if self.tracer is not None:
            self.tracer.opened(event, lambda _trace: JsRpcEventInfo(method), entrypoint=entrypoint)
        return await self._run(event, self._call(event, method, args, entrypoint))

    async def trigger(self, kind: str, payload: Any, *, caller: Event | None = None, event: Event | None = None) -> Any:
        """Deliver an event other than HTTP (``scheduled``, ``queue``, ``email``, ``tail``, ``trace``, ``test``)."""
        event = event or self.open_event(kind, caller=caller)
        if self.tracer is not None:
            self.tracer.opened(event, trigger_info(kind, payload))
        return await self._run(event, self._trigger(event, kind, payload))

    def open_event(self, kind: str, *, props: JsObject | None = None, caller: Event | None = None) -> Event:
        """Return a new event, to be handed to `fetch` or `trigger`; from outside where it has no caller."""
        if caller is None:
            return Event(self, kind, props=props)
        return Event(self, kind, depth=caller.depth + 1, root=caller, props=props)

    def has_handler(self, kind: str) -> bool:
        """Tell whether the worker handles this kind of event."""
        if self.handlers.default is not None:
            return hasattr(self.handlers.default, self._class_handler(kind))
        return kind in self.handlers.functions

    def run_object_event(
        self,
        event: Event,
        coroutine: Coroutine[Any, Any, Any],
        drive: Drive,
    ) -> Coroutine[Any, Any, Any]:
        """Run an event of one of this worker's Durable Objects; ``drive`` holds it back at the object's gate."""
        return self._run(event, coroutine, drive)

    def to_response(self, returned: Any) -> Response:
        """Return the Response of what a handler returned.

        Raises:
            JsException: TypeError, when there is none in it.
        """
        return self._response(returned)

    def to_rpc(self, value: Any) -> Any:
        """Return what a method returned as JavaScript has it."""
        return self._to_rpc(value)

    # ---- the life of the isolate

    def run_in_background(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[bool]:
        """Run a coroutine past the response; its errors are logged, and the task tells whether it had none."""
        task: asyncio.Task[bool] = asyncio.get_running_loop().create_task(self._logged(coroutine))
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return task

    async def drain(self, timeout_s: float | None = None) -> None:
        """Wait for what ``waitUntil`` keeps alive; cancel what is not done after ``timeout_s``."""
        if not self.background:
            return
        _, pending = await asyncio.wait(set(self.background), timeout=timeout_s)
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)

    async def until_idle(self) -> None:
        """Wait until no event runs and nothing is kept alive."""
        while self.events_open:
            self._idle = asyncio.Event()
            await self._idle.wait()
        await self.drain()

    def dispose(self) -> None:
        """Cancel the worker's timers and forget its modules; events that still run keep what they hold."""
        cancel_timers(self.realm)
        self.namespace.dispose()
        gc.collect(0)

    # ---- how an event runs

    async def _run(
        self,
        event: Event,
        coroutine: Coroutine[Any, Any, Any],
        drive: Drive | None = None,
    ) -> Any:
        """Run an event's code; ``drive`` puts something between it and what it waits for."""
        context = self.context.copy()
        context.run(EVENT.set, event)
        failed = True
        result: Any = None
        if self.tracer is not None and event.trace is None:
            self.tracer.opened(event)
        self.events_open += 1
        try:
            running = suspendable(coroutine, context=context, meter=event, on_wait=event.on_wait)
            result = await (running if drive is None else drive(running))
            failed = False
            return result
        except CpuLimitExceeded as error:
            raise _noted(event, JsException("Error", str(error))) from error
        except SystemExit as error:  # it must not end the server
            raise _noted(event, JsException("PythonError", format_traceback(error))) from error
        except BaseException as error:
            _noted(event, error)
            raise
        finally:
            self.events_open -= 1
            if not self.events_open and self._idle is not None:
                self._idle.set()
            self.metrics.cpu_s += event.cpu_s
            self.metrics.events[event.kind].record(perf_counter() - event.started_s, failed=failed)
            if event.trace is not None and self.tracer is not None:
                self.tracer.closed(event, event.trace, result)

    async def _fetch_with_assets(self, site: AssetSite, event: Event, request: Request) -> Response:
        response = site.route(request)
        return await self._fetch(event, request, None) if response is None else response

    async def _fetch(self, event: Event, request: Request, entrypoint: str | None) -> Response:
        sdk = self.sdk
        if entrypoint is not None or self.handlers.default is not None or not self.handlers.functions:
            instance = self._instance(event, entrypoint)
            handler = getattr(instance, self._fetch_name, None)
            if handler is None:
                raise type_error(f"Method {self._fetch_name} does not exist")
            # `env` and `ctx` reached the class through its constructor; here they are undefined.
            returned = handler(*(sdk.Request(request), None, None)[: accepted_positional(handler)])
        elif self.handlers.legacy:
            returned = relaxed_call(self._function("fetch", "on_fetch"), request, self.env, event.ctx)
        else:
            handler = self._function("fetch", "fetch")
            taken = accepted_positional(handler)
            args: tuple[Any, ...] = (sdk.Request(request), sdk._EnvWrapper(self.env))
            args = args[:taken] if taken is not None and taken < 3 else (*args, event.ctx)
            returned = handler(*args)
        if type(returned) is CoroutineType or (not isinstance(returned, sdk.Response) and _is_awaitable(returned)):
            returned = await returned
            while not isinstance(returned, sdk.Response) and self._is_adopted(returned):
                returned = await returned
        return self._response(returned)

    def _is_adopted(self, value: Any) -> bool:
        """Tell whether JavaScript, given this as a result, waits for it: promises, in legacy handlers coroutines too.

        Source: workerd, src/pyodide/python-entrypoint-helper.ts
        """
        return (self.handlers.legacy or isinstance(value, JsPromise)) and _is_awaitable(value)

    def _response(self, returned: Any) -> Response:
        response = getattr(returned, "js_object", returned)
        if response is returned and not isinstance(returned, Response):
            response = getattr(returned, "js_response", None) if self.handlers.legacy else self._to_rpc(returned)
        if not isinstance(response, Response):
            raise type_error(NOT_A_RESPONSE)
        if response.status == 0:
            raise type_error(AN_ERROR_RESPONSE)
        return response

    async def _call(self, event: Event, method: str, args: tuple[Any, ...], entrypoint: str | None) -> Any:
        check_method(method)
        instance = self._instance(event, entrypoint) if self._has_class(entrypoint) else None
        function = getattr(instance, method, None)
        if not callable(function):
            raise type_error(f"Method {method} does not exist")
        from_rpc = self.sdk.python_from_rpc
        result = function(*[from_rpc(arg) for arg in args])
        if _is_awaitable(result):
            result = await result
        return self._to_rpc(result)

    async def _trigger(self, event: Event, kind: str, payload: Any) -> Any:
        if self.handlers.default is not None:
            function = getattr(self._instance(event, None), self._class_handler(kind), None)
            if function is None:
                raise type_error(f"Method {kind} does not exist")
            args: tuple[Any, ...] = (self.sdk.python_from_rpc(payload), None, None)
            result = relaxed_call(function, *args) if kind == "test" else function(*args)
        elif self.handlers.legacy:
            result = relaxed_call(self._function(kind, f"on_{kind}"), payload, self.env, event.ctx)
        else:
            argument = self.sdk.rpc._BindingWrapper(payload) if kind == "queue" else self.sdk.python_from_rpc(payload)
            function = self._function(kind, kind)
            result = relaxed_call(function, argument, self.sdk._EnvWrapper(self.env), event.ctx)
        if _is_awaitable(result):
            result = await result
        return self._to_rpc(result)

    def _instance(self, event: Event, entrypoint: str | None) -> Any:
        cls = self.handlers.default if entrypoint in (None, "default") else self.handlers.entrypoints.get(entrypoint)
        if cls is None:
            raise JsException("Error", NO_FETCH)
        return cls(event.ctx, self.env)

    def _has_class(self, entrypoint: str | None) -> bool:
        if entrypoint in (None, "default"):
            return self.handlers.default is not None
        return entrypoint in self.handlers.entrypoints

    def _function(self, kind: str, name: str) -> Callable[..., Any]:
        function = self.handlers.functions.get(kind)
        if function is None:
            main = self.config.main.name if self.config.main else self.name
            raise type_error(f'Python entrypoint "{main}" does not export a handler named "{name}"')
        return function

    def _class_handler(self, kind: str) -> str:
        """The method's name: before 2025-08-14 a class handles requests in ``on_fetch``."""
        old = kind == "fetch" and not self.realm.compat.enabled("python_no_global_handlers")
        return "on_fetch" if old and not hasattr(self.handlers.default, "fetch") else kind

    def _to_rpc(self, value: Any) -> Any:
        return jsnull if is_nullish(value) else self.sdk.python_to_rpc(value)

    async def _logged(self, coroutine: Coroutine[Any, Any, None]) -> bool:
        try:
            await run_suspendable(coroutine)
        except Exception as error:
            event = current_event()
            if event is not None and event.trace is not None:
                event.trace.note(error)
            _log.error("%s: uncaught in waitUntil\n%s", self.name, format_traceback(error).rstrip())
            return False
        return True


def _noted(event: Event, error: E) -> E:
    """Return the error that ended an event, told to those that tail the worker."""
    if event.trace is not None:
        event.trace.failed(error)
    return error


def not_implemented(method: str | None) -> str:
    """The platform's text for an RPC method that the other side does not have."""
    return f'The RPC receiver does not implement the method "{method}".'


def check_method(method: str) -> None:
    """Refuse the names that no call reaches, though the class may have them.

    Raises:
        JsException: TypeError, with the platform's text.
    """
    if method in NEVER_METHODS:
        raise type_error(not_implemented(method))
    if method in RESERVED_METHODS:
        raise type_error(f"'{method}' is a reserved method and cannot be called over RPC.")


def _is_awaitable(value: Any) -> bool:
    return isinstance(value, Awaitable)
