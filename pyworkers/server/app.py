"""The ASGI application: each request becomes an event of the primary worker, its response goes out as it comes.

A client that goes away ends its handler or its stream, as on the platform; what ``waitUntil`` holds goes on.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from pyworkers.js.values import JsException
from pyworkers.server.access import AccessLog
from pyworkers.server.control import Control
from pyworkers.server.egress import send_response
from pyworkers.server.exchange import NOT_AN_UPGRADE, SWITCHING, Exchange
from pyworkers.server.front import WRANGLER, Front
from pyworkers.server.ingress import Inbox, Receive, Scope, Send, make_request

if TYPE_CHECKING:
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "websocket":
            await self._serve_websocket(scope, receive, send)
            return
        if scope["path"].startswith(self._own_paths) and await self._control(scope, receive, send):
            return
        front = self._front
        inbox = Inbox(receive, scope)
        exchange = Exchange(scope, send, self._log, full_tracebacks=self._full_tracebacks, front=front, inbox=inbox)
        try:
            request = await make_request(scope, inbox, front)
            if inbox.is_gone:
                return
            isolate = self._runtime.isolates.get(self._primary) or self._runtime.primary
            response = await isolate.fetch(request, event=exchange.open(isolate))
            if response.status == SWITCHING:
                raise JsException("TypeError", NOT_AN_UPGRADE)
            exchange.status = response.status
            rest = send_response(response, scope, send, on_stream=exchange.on_stream, front=front)
            if rest is not None:
                await rest
        except asyncio.CancelledError:
            await exchange.cancelled(is_gone=inbox.is_gone)
        except BaseException as error:
            await exchange.failed(error)
        finally:
            inbox.close()
        exchange.finish()

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        from pyworkers.server.websocket import serve_websocket  # imported by the first upgrade

        exchange = partial(Exchange, log=self._log, full_tracebacks=self._full_tracebacks, front=self._front)
        await serve_websocket(scope, receive, send, self._runtime, exchange, self._front)
