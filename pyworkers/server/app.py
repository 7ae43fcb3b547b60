"""The ASGI application: each request becomes an event of the primary worker, its response goes out as it comes.

A client that goes away ends its handler or its stream, as on the platform; what ``waitUntil`` holds goes on.
"""

from __future__ import annotations

import asyncio
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from pyworkers.runtime.events import EVENT, Event
from pyworkers.runtime.limits import CpuLimitExceeded
from pyworkers.server.access import GONE, AccessLog, Prints
from pyworkers.server.control import Control
from pyworkers.server.egress import StreamFailed, send_bytes, send_response
from pyworkers.server.errors import TEXT, describe_failure, error_body
from pyworkers.server.ingress import Inbox, Receive, Scope, Send, make_request

if TYPE_CHECKING:
    from pyworkers.runtime.isolate import Isolate
    from pyworkers.runtime.runtime import Runtime

_UNAVAILABLE: Final = 503
_LONG_S: Final = 1.0


class App:
    """Serves a runtime's primary worker.

    Args:
        runtime: whose primary worker answers.
        log: where access lines go.
        control: answers the server's own routes.
        full_tracebacks: show every frame of an exception, ours too.
    """

    def __init__(self, runtime: Runtime, log: AccessLog, control: Control, *, full_tracebacks: bool = False) -> None:
        self._runtime = runtime
        self._log = log
        self._control = control
        self._full_tracebacks = full_tracebacks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http":
            if scope["path"].startswith(("/cdn-cgi/", "/__scheduled")) and await self._control(scope, receive, send):
                return
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            from pyworkers.server.websocket import serve_websocket  # imported by the first upgrade

            await serve_websocket(scope, receive, send, self._runtime, self._log, full=self._full_tracebacks)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, send, self._log, full_tracebacks=self._full_tracebacks)
        inbox = Inbox(receive)
        watch: asyncio.Handle | None = None
        try:
            request = await make_request(scope, inbox)
            if inbox.is_gone:
                return
            isolate = self._runtime.primary
            event = exchange.open(isolate)
            inbox.on_gone = partial(_cancel, asyncio.current_task())
            # Runs only if the handler gives the loop a turn: an answer made at once costs no task.
            watch = asyncio.get_running_loop().call_soon(exchange.suspended, inbox)
            response = await isolate.fetch(request, event=event)
            exchange.status = response.status
            await send_response(response, scope, send, on_stream=exchange.on_stream)
        except asyncio.CancelledError:
            await exchange.cancelled(is_gone=inbox.is_gone)
        except BaseException as error:
            await exchange.failed(error)
        finally:
            inbox.on_gone = None
            if watch is not None:
                watch.cancel()
            inbox.close()
        exchange.finish()


class Exchange:
    """One request and its answer, as far as the log and the failures go."""

    __slots__ = ("_error", "_event", "_full", "_log", "_prints", "_scope", "_send", "_started_s", "_timer", "status")

    def __init__(self, scope: Scope, send: Send, log: AccessLog, *, full_tracebacks: bool) -> None:
        self._started_s = perf_counter()
        self._scope = scope
        self._send = send
        self._log = log
        self._full = full_tracebacks
        self._prints: Prints = log.prints()
        self._event: Event | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._error = ""
        self.status = 0

    def open(self, isolate: Isolate) -> Event:
        """Return the event that handles the request; its prints are kept here."""
        event = self._event = isolate.open_event("fetch")
        event.prints = self._prints
        return event

    def suspended(self, inbox: Inbox) -> None:
        """The answer was not made at once: from now on the client may leave, and whoever watches may wonder."""
        inbox.watch()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_LONG_S, self._log.running, self._scope["method"], self._target(), self._prints)

    def on_stream(self) -> None:
        """The response is a stream, which runs as part of its event."""
        EVENT.set(self._event)

    async def cancelled(self, *, is_gone: bool) -> None:
        """The client has gone, or the server stops."""
        if not is_gone and not self.status:
            self.status = _UNAVAILABLE
            await send_bytes(self._send, _UNAVAILABLE, TEXT, b"The server is stopping.\n")
        self.status = GONE if is_gone else self.status

    async def failed(self, error: BaseException) -> None:
        """Something escaped the worker: answer 500, or cut a response that has begun."""
        if isinstance(error, StreamFailed):
            self._error = describe_failure(error.cause, full=self._full)
            return
        self._error = describe_failure(error, full=self._full)
        if isinstance(error, CpuLimitExceeded):
            self.status, kind, body = _UNAVAILABLE, TEXT, f"error code: 1102\n{error}\n".encode()
        else:
            accept = next((value for name, value in self._scope["headers"] if name == b"accept"), b"")
            self.status = 500
            kind, body = error_body(error, accept, full=self._full)
        await send_bytes(self._send, self.status, kind, body)

    def finish(self) -> None:
        """Write the access line."""
        if self._timer is not None:
            self._timer.cancel()
        self._log.request(
            self._scope["method"],
            self._target(),
            self.status,
            started_s=self._started_s,
            bindings=self._event.bindings if self._event is not None else {},
            prints=self._prints,
            error=self._error,
        )

    def _target(self) -> str:
        query = self._scope["query_string"]
        path = self._scope["raw_path"]
        return (path + b"?" + query if query else path).decode("latin-1")


def _cancel(task: asyncio.Task[Any] | None) -> None:
    if task is not None:
        task.cancel()
