"""One request and its answer, as far as the log and the failures go."""

from __future__ import annotations

import asyncio
from contextvars import Token
from time import perf_counter
from typing import TYPE_CHECKING, Final

from pyworkers.js.values import JsException
from pyworkers.runtime.events import EVENT, Event
from pyworkers.runtime.handlers import AN_ERROR_RESPONSE, NO_FETCH, NOT_A_RESPONSE
from pyworkers.runtime.limits import CpuLimitExceeded
from pyworkers.server.access import GONE, AccessLog, Prints
from pyworkers.server.cycle import cycle_of
from pyworkers.server.egress import StreamFailed, send_bytes, send_failure, send_refusal
from pyworkers.server.errors import TEXT, describe_failure, error_body
from pyworkers.server.front import WRANGLER, Front
from pyworkers.server.ingress import Inbox, Refused, Scope, Send

if TYPE_CHECKING:
    from pyworkers.runtime.isolate import Isolate

# The runtime's own words on what a worker returned, or did not; nothing was thrown.
SWITCHING: Final = 101
NOT_AN_UPGRADE: Final = (
    'Worker tried to return a WebSocket in a response to a request which did not contain the header "Upgrade: '
    'websocket".'
)
_ABOUT_RESPONSE: Final = (NOT_A_RESPONSE, NO_FETCH, AN_ERROR_RESPONSE, NOT_AN_UPGRADE)
_UNAVAILABLE: Final = 503
_LONG_S: Final = 1.0


class Exchange:
    """One request and its answer, as far as the log and the failures go."""

    __slots__ = (
        *("_error", "_event", "_front", "_full", "_inbox", "_is_cut", "_log", "_prints", "_scope", "_send"),
        *("_started_s", "_timer", "_token", "status"),
    )

    def __init__(
        self,
        scope: Scope,
        send: Send,
        log: AccessLog,
        *,
        full_tracebacks: bool,
        front: Front = WRANGLER,
        inbox: Inbox | None = None,
    ) -> None:
        self._started_s = perf_counter()
        self._scope = scope
        self._send = send
        self._log = log
        self._full = full_tracebacks
        self._front = front
        self._inbox = inbox
        self._prints: Prints = log.prints()
        self._event: Event | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._token: Token[Event | None] | None = None
        self._error = ""
        self._is_cut = False
        self.status = 0

    def open(self, isolate: Isolate) -> Event:
        """Return the event that handles the request; its prints are kept here."""
        event = self._event = isolate.open_event("fetch")
        event.prints = self._prints
        event.on_wait = self._watch
        return event

    def on_stream(self) -> None:
        """The response is a stream, which runs as part of its event."""
        self._watch()
        self._token = EVENT.set(self._event)

    def _watch(self) -> None:
        """The answer is not made at once: hear of the client's leaving, and tell of a request that takes long."""
        inbox = self._inbox
        if inbox is None or self._timer is not None:
            return
        task = asyncio.current_task()
        assert task is not None  # a server's
        inbox.on_gone = task.cancel
        inbox.watch()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_LONG_S, self._log.running, self._scope["method"], self._target(), self._prints)

    async def cancelled(self, *, is_gone: bool) -> None:
        """The client has gone, or the server stops."""
        if is_gone:
            self.status = GONE
        elif self.status:
            self._cut()
        else:
            self.status = _UNAVAILABLE
            await send_bytes(self._send, _UNAVAILABLE, TEXT, b"The server is stopping.\n")

    async def failed(self, error: BaseException) -> None:
        """Something escaped the worker: answer 500, or cut a response that has begun."""
        if isinstance(error, Refused):
            self.status = error.status
            cycle = cycle_of(self._scope)
            if cycle is not None and error.closes:
                cycle.keep_alive = False
            await send_refusal(self._send, error)
            return
        if isinstance(error, StreamFailed):
            self._error = describe_failure(error.cause, full=self._full)
            self._cut()
            return
        self._error = describe_failure(error, full=self._full)
        if isinstance(error, CpuLimitExceeded) or isinstance(error.__cause__, CpuLimitExceeded):
            self.status = _UNAVAILABLE
            await send_bytes(self._send, _UNAVAILABLE, TEXT, f"error code: 1102\n{error}\n".encode())
            return
        # wrangler has a page for what a worker throws; what is wrong with its response, the runtime says in text.
        is_page = self._front.is_wrangler and not self.status and not _is_about_response(error)
        self.status = 500
        asked = dict(self._scope["headers"]) if is_page else {}
        accept, agent = asked.get(b"accept", b""), asked.get(b"user-agent", b"")
        kind, body = error_body(error, accept, agent=agent, full=self._full)
        await send_failure(self._send, self._scope, 500, kind, body, is_page=is_page)

    def finish(self) -> None:
        """Write the access line."""
        if self._timer is not None:
            self._timer.cancel()
        if self._event is not None:
            self._event.on_wait = None  # it refers to this object
        if self._token is not None:
            EVENT.reset(self._token)  # the task goes on to the connection's next request
        self._log.request(
            self._scope["method"],
            self._target(),
            self.status,
            started_s=self._started_s,
            bindings=self._event.bindings if self._event is not None else {},
            prints=self._prints,
            error=self._error,
            is_cut=self._is_cut,
        )

    def _cut(self) -> None:
        self._is_cut = True
        cycle = cycle_of(self._scope)
        if cycle is not None:
            cycle.cut()

    def _target(self) -> str:
        query = self._scope["query_string"]
        path = self._scope["raw_path"]
        return (path + b"?" + query if query else path).decode("latin-1")


def _is_about_response(error: BaseException) -> bool:
    return isinstance(error, JsException) and error.message in _ABOUT_RESPONSE
