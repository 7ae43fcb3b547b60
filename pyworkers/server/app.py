"""The ASGI application: each request becomes an event of the primary worker, its response goes out as it comes.

A client that goes away ends its handler or its stream, as on the platform; what ``waitUntil`` holds goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pyworkers.js.promise import Resumed
from pyworkers.js.values import JsException
from pyworkers.server.access import AccessLog
from pyworkers.server.control import Control
from pyworkers.server.egress import send_response
from pyworkers.server.exchange import NOT_AN_UPGRADE, SWITCHING, Exchange
from pyworkers.server.front import WRANGLER, Front
from pyworkers.server.ingress import Inbox, Receive, Scope, Send, make_request

if TYPE_CHECKING:
    from pyworkers.js.response import Response
    from pyworkers.runtime.runtime import Runtime


_RUNTIME_PATHS: Final = ("/cdn-cgi/",)
_OWN_PATHS: Final = (*_RUNTIME_PATHS, "/__scheduled")  # the last one is wrangler's


class App:
    """Serves a runtime's primary worker.

    Args:
        runtime: whose primary worker answers.
        log: where access lines go.
        control: answers the server's own routes.
        full_tracebacks: show every frame of an exception, ours too.
        front: what stands between the client and the worker.
    """

    def __init__(
        self,
        runtime: Runtime,
        log: AccessLog,
        control: Control,
        *,
        full_tracebacks: bool = False,
        front: Front = WRANGLER,
    ) -> None:
        self._runtime = runtime
        self._log = log
        self._control = control
        self._full_tracebacks = full_tracebacks
        self._front = front
        self._own_paths = _OWN_PATHS if front.is_wrangler else _RUNTIME_PATHS
        self._primary = runtime.project.primary.name

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one ASGI connection."""
        if scope["type"] == "http" and not scope["path"].startswith(self._own_paths):
            return self._serve(scope, receive, send)
        return self._serve_other(scope, receive, send)

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if not await self._control(scope, receive, send):
                await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            from pyworkers.server.websocket import serve_websocket  # imported by the first upgrade

            exchange = partial(Exchange, log=self._log, full_tracebacks=self._full_tracebacks, front=self._front)
            await serve_websocket(scope, receive, send, self._runtime, exchange, self._front)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        front = self._front
        exchange = Exchange(scope, send, self._log, full_tracebacks=self._full_tracebacks, front=front)
        inbox = Inbox(receive)
        try:
            request = await make_request(scope, inbox, front)
            if inbox.is_gone:
                return
            isolate = self._runtime.isolates.get(self._primary) or self._runtime.primary
            event = exchange.open(isolate)
            handling = isolate.fetch(request, event=event)
            try:
                yielded = handling.send(None)
            except StopIteration as stop:
                response: Response = stop.value  # made at once: the client could not leave in between
            else:
                _watch(inbox, exchange)
                response = await Resumed(handling, yielded)
            if response.status == SWITCHING:
                raise JsException("TypeError", NOT_AN_UPGRADE)
            exchange.status = response.status

            rest = send_response(response, scope, send, on_stream=partial(_on_stream, inbox, exchange), front=front)
            if rest is not None:
                await rest
        except asyncio.CancelledError:
            await exchange.cancelled(is_gone=inbox.is_gone)
        except BaseException as error:
            await exchange.failed(error)
        finally:
            inbox.on_gone = None
            inbox.close()
        exchange.finish()


def _watch(inbox: Inbox, exchange: Exchange) -> None:
    """The answer takes longer than one turn of the loop: the client may leave, and whoever watches may wonder."""
    inbox.on_gone = partial(_cancel, asyncio.current_task())
    exchange.suspended(inbox)


def _on_stream(inbox: Inbox, exchange: Exchange) -> None:
    _watch(inbox, exchange)
    exchange.on_stream()


def _cancel(task: asyncio.Task[Any] | None) -> None:
    if task is not None:
        task.cancel()
