"""Service bindings: ``env.X.fetch(...)`` and RPC methods, as direct calls into another isolate.

Values are cloned as production clones them, so a shared reference never hides a bug; Request, Response and streams pass
through unbuffered. An exception reaches the caller as `pyworkers.runtime.failures.remote_error` shows it.

Source: recorded, contracts/services
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator
from time import perf_counter
from typing import Any, Protocol

from pyworkers.js.clone import structured_clone
from pyworkers.js.fetch import data_response, unless_aborted
from pyworkers.js.primitives import is_nullish, to_string, typeof
from pyworkers.js.promise import JsPromise, is_thenable, settle
from pyworkers.js.redirects import follow_redirects
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.streams.sources import NOT_BYTES, READABLE
from pyworkers.js.values import (
    JsException,
    JsObject,
    JsProxy,
    get_property,
    js_arguments,
    js_method,
    type_error,
)
from pyworkers.js.webidl import MISSING, argument_error, is_object
from pyworkers.runtime.events import Event, current_event
from pyworkers.runtime.failures import format_traceback, remote_error
from pyworkers.runtime.isolate import NEVER_METHODS, Isolate, not_implemented
from pyworkers.runtime.metrics import Metrics

_log = logging.getLogger("pyworkers.worker")


class Target(Protocol):
    """Finds the isolate that a binding leads to at the moment of a call, so that a reload is seen at once."""

    def __call__(self) -> Isolate | None:
        """Return the isolate, or None where no such worker runs."""
        ...


class Fetcher(JsProxy):
    """A service binding.

    Args:
        target: finds the worker that is called.
        service: the worker's name, for the message when it is missing.
        binding: the binding's name, for the metrics.
        entrypoint: the named entrypoint, or None for the default one.
        props: what the callee finds as ``ctx.props``.
        metrics: where calls are counted.
    """

    def __init__(
        self,
        target: Target,
        *,
        service: str,
        binding: str,
        metrics: Metrics,
        entrypoint: str | None = None,
        props: Any = None,
    ) -> None:
        self._target = target
        self._service = service
        self._binding = binding
        self._entrypoint = entrypoint
        self._props = props
        self._metrics = metrics

    def fetch(self, *args: Any, **kwargs: Any) -> JsPromise:
        """``fetch(input, init)``: send a request to the other worker."""
        try:
            request = fetch_request(js_arguments(args, kwargs))
        except JsException as error:
            return JsPromise.rejected(error)
        return JsPromise.defer(self._counted("fetch", self._fetch, request))

    @js_method
    def connect(self, address: Any = MISSING) -> Any:
        """``connect(address)``: TCP into a worker, which workers do not take.

        Raises:
            JsException: TypeError, always.
        """
        check_address(address)
        raise type_error("Incoming CONNECT on a worker not supported")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in _NOT_METHODS or (name[-1:] == "_" and hasattr(type(self), name[:-1])):
            raise AttributeError(name)
        return RpcMethod(self, name)

    def _invoke(self, method: str, args: tuple[Any, ...]) -> JsPromise:
        """Call an RPC method with JavaScript values."""
        try:
            sent = tuple(send(arg) for arg in args)
        except JsException as error:
            return JsPromise.rejected(error)
        return JsPromise.defer(self._counted("rpc", self._call, method, sent))

    async def _counted(self, kind: str, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        caller = current_event()
        edge = self._metrics.edges[caller.isolate.name if caller else "", self._binding, kind]
        if caller is not None:
            caller.touch(self._binding)
            caller.before_output()
        started_s = perf_counter()
        failed = True
        try:
            result = await function(*args, caller)
            failed = False
            return result
        finally:
            edge.record(perf_counter() - started_s, failed=failed)

    async def _fetch(self, request: Request, caller: Event | None) -> Response:
        isolate = self._target()
        if isolate is None:
            return Response.js_new(not_found(self._service), JsObject({"status": 503}))
        return await while_wanted(request, follow_redirects(request, lambda sent: self._send(isolate, sent, caller)))

    async def _send(self, isolate: Isolate, request: Request, caller: Event | None) -> Response:
        event = isolate.open_event("fetch", props=self._own_props(), caller=caller)
        try:
            response = await isolate.fetch(request.delivered(), entrypoint=self._entrypoint, event=event)
        except (Exception, asyncio.CancelledError) as error:
            if event.passes_through and isinstance(error, Exception):
                # There is no origin behind a bound worker that could answer instead.
                _log.error("%s: uncaught, and passed through\n%s", self._service, format_traceback(error).rstrip())
                return Response(b"", status=500).received(request)
            raise remote_error(error) from None
        body = response.body_source if request.method == "HEAD" else None
        received = received_from_afar(response, request)
        if isinstance(body, ReadableStream) and body.source.state is READABLE:
            await body.source.cancel(None)  # nobody will read it
        return received

    async def _call(self, method: str, args: tuple[Any, ...], caller: Event | None) -> Any:
        isolate = self._target()
        if isolate is None:
            raise JsException("Error", not_found(self._service))
        try:
            result = await isolate.call(
                method, args, entrypoint=self._entrypoint, props=self._own_props(), caller=caller
            )
            return send(result)
        except (Exception, asyncio.CancelledError) as error:
            raise remote_error(error) from None

    def _own_props(self) -> JsObject | None:
        return None if self._props is None else structured_clone(self._props)


_NOT_METHODS = frozenset(("then", "then_", "toJSON", "python_class", "js_object", "js_response"))


def fetch_request(args: tuple[Any, ...]) -> Request:
    """Return the request that the arguments of a binding's ``fetch`` ask for.

    Raises:
        JsException: TypeError, with the platform's text; the signal's reason, where it is aborted already.
    """
    source, init = (*args, None, None)[:2]
    if not args:
        raise argument_error("Fetcher", "fetch", 1, "Request or string")
    if not is_nullish(init) and not is_object(init):
        raise argument_error("Fetcher", "fetch", 2, "RequestInitializerDict or Request")
    request = Request.for_fetch(source, init)
    signal = request.given_signal
    if signal is not None and signal.aborted:
        raise signal.error()
    if not request.url.startswith(("http:", "https:", "data:")):
        raise type_error(f"Fetch API cannot load: {request.url}")
    request.require_unlocked()
    return request


async def while_wanted(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """Wait for a response unless the request's signal aborts; what it aborts later is the body's reading."""
    data = data_response(request) if request.url.startswith("data:") else None
    if data is not None:
        work.close()
        return data
    signal = request.given_signal
    if signal is None:
        return await work
    response = await unless_aborted(signal, work)
    body = response.body_source
    if isinstance(body, ReadableStream):
        source = body.source

        def end() -> None:
            source.translate = None  # the reason is the caller's own
            source.fail(signal.error())

        signal.subscribe(end)
    return response


def received_from_afar(response: Response, request: Request) -> Response:
    """Return the response of another worker as its caller gets it.

    Raises:
        JsException: TypeError, when the other worker has read the body.
    """
    try:
        received = response.received(request)
    except JsException as error:
        raise remote_error(error) from None
    body = received.body_source
    if isinstance(body, ReadableStream):
        body.source.cross(remote_error)
    return received


def check_address(address: Any) -> None:
    """Raise what is wrong with the address of a socket, as the runtime reads it."""
    if address is MISSING:
        raise argument_error("Fetcher", "connect", 1, "SocketAddress or string")
    if isinstance(address, JsProxy):
        if typeof(get_property(address, "port")) != "number":
            raise type_error("The value cannot be converted because it is not an integer.")
        return
    text = to_string(address)
    if not text:
        raise type_error("Specified address is missing hostname.")
    if ":" not in text:
        raise type_error("Specified address is missing port.")


class RpcMethod(JsProxy, js_name="RpcProperty"):
    """``env.X.method``: a call runs it; awaiting reads the property, which is a stub of the method."""

    def __init__(self, fetcher: Fetcher, name: str) -> None:
        self._fetcher = fetcher
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> JsPromise:
        return self._fetcher._invoke(self._name, js_arguments(args, kwargs))

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._read().__await__()

    async def _read(self) -> RpcStub:
        if self._name in NEVER_METHODS:
            raise remote_error(type_error(not_implemented(self._name)))
        return RpcStub(self)


class RpcStub(JsProxy, js_name="RpcStub"):
    """A function or RpcTarget that crossed a boundary: calling it, or a method of it, runs where it came from."""

    def __init__(self, target: Any) -> None:
        self._target = target
        self._disposed = False

    def __call__(self, *args: Any, **kwargs: Any) -> JsPromise:
        return JsPromise.run(self._call(None, js_arguments(args, kwargs)))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in _NOT_METHODS:
            raise AttributeError(name)
        return RpcStubMethod(self, name)

    async def _call(self, method: str | None, args: tuple[Any, ...]) -> Any:
        if self._disposed:
            raise JsException("Error", "RPC stub used after being disposed.")
        function = self._target if method is None else getattr(self._target, method, None)
        if not callable(function):
            raise remote_error(type_error(not_implemented(method)))
        try:
            result = function(*[send(arg) for arg in args])
            return send(await settle(result) if is_thenable(result) else result)
        except Exception as error:
            raise remote_error(error) from None

    def dup(self, *_: object) -> RpcStub:
        """Return another stub of the same function; each is disposed on its own."""
        if self._disposed:
            raise JsException("Error", "RPC stub used after being disposed.")
        return RpcStub(self._target)

    def toString(self, *_: object) -> str:
        """JavaScript's ``String(self)``."""
        return "[object JsRpcStub]"

    def dispose(self) -> None:
        """Release the function."""
        self._disposed = True


class RpcStubMethod(JsProxy, js_name="RpcProperty"):
    """A method of a stub."""

    def __init__(self, stub: RpcStub, name: str) -> None:
        self._stub = stub
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> JsPromise:
        return JsPromise.run(self._stub._call(self._name, js_arguments(args, kwargs)))


def send(value: Any) -> Any:
    """Clone a value for the other side of an RPC boundary.

    Raises:
        JsException: DataCloneError, with the platform's text.
    """
    return structured_clone(value, for_rpc=True, stub=make_stub, stream=_RemoteChunks.stream_of)


class _RemoteChunks:
    """The chunks of a stream that was sent to another worker; the stream itself stays behind, locked."""

    def __init__(self, stream: ReadableStream) -> None:
        self._chunks = stream.chunks()
        self._has_begun = False

    @classmethod
    def stream_of(cls, stream: ReadableStream) -> ReadableStream:
        """Return the stream that the other side gets.

        Raises:
            JsException: TypeError, when a reader holds it.
        """
        return ReadableStream.of_async_iterator(cls(stream.moved()), length=stream.length)

    def __aiter__(self) -> _RemoteChunks:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._chunks.__anext__()
            self._has_begun = True
            return chunk
        except (StopAsyncIteration, asyncio.CancelledError):
            raise
        except Exception as error:
            is_unreadable = isinstance(error, JsException) and error.message == NOT_BYTES
            if is_unreadable or not self._has_begun:
                # The platform never ends such a read; without a word that is hard to find.
                why = "has other chunks than bytes" if is_unreadable else f"failed at its start ({error})"
                _log.warning("a stream that was sent over RPC %s: it can never be read", why)
                await asyncio.Event().wait()
            raise remote_error(JsException("Error", _DISCONNECTED)) from None

    async def aclose(self) -> None:
        await self._chunks.aclose()


def make_stub(target: Any) -> RpcStub:
    """Return what the other side gets for a function or an RpcTarget."""
    return target if isinstance(target, RpcStub) else RpcStub(target)


_DISCONNECTED = "ReadableStream received over RPC disconnected prematurely."


def not_found(service: str) -> str:
    """The platform's text for a call to a worker that does not run."""
    return f'Worker "{service}" not found. Make sure it is running locally.'
