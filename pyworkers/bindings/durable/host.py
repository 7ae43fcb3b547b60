"""What ``ctx`` and ``ctx.storage`` need of whoever runs the object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from pyworkers.clock import Clock
from pyworkers.engines.durable import ObjectStore
from pyworkers.js.promise import JsPromise
from pyworkers.js.values import JsObject
from pyworkers.js.websocket import WebSocket, WebSocketRequestResponsePair


class ObjectHost(Protocol):
    """One object in memory."""

    @property
    def store(self) -> ObjectStore:
        """Where it stores."""
        ...

    @property
    def clock(self) -> Clock:
        """What its alarms go by."""
        ...

    @property
    def sockets(self) -> SocketHost:
        """Its hibernatable WebSockets."""
        ...

    @property
    def props(self) -> JsObject:
        """``ctx.props``."""
        ...

    @property
    def exports(self) -> JsObject:
        """``ctx.exports``."""
        ...

    @property
    def has_alarm_handler(self) -> bool:
        """Tell whether its class handles alarms."""
        ...

    @property
    def deletes_alarm(self) -> bool:
        """Tell whether ``deleteAll`` is for the alarm as well: so from 2026-02-24 on."""
        ...

    @property
    def is_running(self) -> bool:
        """Tell whether the code of one of its events is on the thread."""
        ...

    def touch_storage(self) -> None:
        """Note that the running event uses the storage: no other goes on before it has the answer.

        Raises:
            JsException: the object was reset; what is left of it must not store anything.
        """
        ...

    def run_exclusively(self, function: Callable[[], Any], *, resets: bool) -> JsPromise:
        """Run an async function while no other event of the object goes on; return the promise of its result.

        Args:
            resets: an error resets the object.
        """
        ...

    def keep_alive(self, promise: Any) -> None:
        """Let a promise keep the object in memory."""
        ...

    def abort(self, error: Exception) -> None:
        """Reset the object: its events fail with the error, what is not committed is lost, it leaves the memory."""
        ...

    def facet(self, name: str, start: Callable[[], Any]) -> Any:
        """Return the stub of a facet, started by what ``start`` says when it is first called."""
        ...

    def end_facet(self, name: str, error: Exception | None, *, deletes: bool) -> None:
        """Reset a facet, and forget what it stored where ``deletes``."""
        ...


class SocketHost(Protocol):
    """The hibernatable WebSockets of one object; they outlive its time in memory."""

    auto_response: WebSocketRequestResponsePair | None
    event_timeout_ms: int | None

    def accept(self, socket: WebSocket, tags: tuple[str, ...]) -> None:
        """Take a socket over."""
        ...

    def tagged(self, tag: str | None) -> list[WebSocket]:
        """Return the sockets with a tag, in the order in which they came, or all, the latest first."""
        ...

    def tags_of(self, socket: WebSocket) -> tuple[str, ...] | None:
        """Return a socket's tags; None where it is not one of these."""
        ...

    def auto_response_ms(self, socket: WebSocket) -> int | None:
        """Return when a socket was last answered automatically, in milliseconds since the epoch."""
        ...
