"""``ctx``: what a handler gets beside its event and ``env``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from pyworkers.js.promise import is_thenable, settle
from pyworkers.js.values import JsObject, JsProxy, js_method
from pyworkers.js.webidl import MISSING, argument_error

if TYPE_CHECKING:
    from pyworkers.runtime.events import Event


class ExecutionContext(JsProxy):
    """``ExecutionContext``.

    Args:
        event: the event it belongs to.
        props: what the binding that called passes along.
    """

    def __init__(self, event: Event, props: JsObject | None = None) -> None:
        self._event = event
        self._props = props
        self._kept_alive: list[asyncio.Task[bool]] = []
        self.passes_through = False

    @property
    def props(self) -> JsObject:
        """The caller's ``props``; empty for an event from outside."""
        if self._props is None:
            self._props = JsObject()
        return self._props

    @property
    def exports(self) -> JsObject:
        """The worker's own entrypoints, as bindings to itself."""
        return self._event.isolate.exports

    @js_method
    def waitUntil(self, promise: Any = MISSING) -> None:
        """Keep the event alive until ``promise`` (a promise or any Python awaitable) has settled.

        Its errors are logged. The response does not wait for it; shutdown does.
        """
        if promise is MISSING:
            raise argument_error("ExecutionContext", "waitUntil", 1, "Promise")
        if is_thenable(promise):
            self._kept_alive.append(self._event.isolate.run_in_background(_settled(promise)))

    async def until_done(self) -> bool:
        """Wait for everything that ``waitUntil`` was given so far; tells whether none of it failed.

        Not part of JavaScript's interface.
        """
        succeeded = True
        for task in self._kept_alive:  # which may grow meanwhile
            succeeded = await task and succeeded
        return succeeded

    @js_method
    def passThroughOnException(self) -> None:
        """Ask for the origin's answer should the handler throw; there is no origin here, so the error is shown."""
        self.passes_through = True

    @js_method
    def abort(self, reason: Any = None) -> None:
        """End the event."""
        task = asyncio.current_task()
        if task is not None:
            task.cancel(str(reason))


async def _settled(promise: Awaitable[Any]) -> None:
    await settle(promise)
