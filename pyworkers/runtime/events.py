"""One event: a request, a call or a trigger that a worker handles."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING, Final

from pyworkers.js.values import JsException, JsObject
from pyworkers.runtime.context import ExecutionContext

if TYPE_CHECKING:
    from pyworkers.runtime.isolate import Isolate
    from pyworkers.runtime.tail import Trace

MAX_DEPTH: Final = 16
# What a paid plan allows; 50 on a free one.
# Source: developers.cloudflare.com/workers/platform/limits (checked 2026-11-23)
DEFAULT_SUBREQUESTS: Final = 10_000
TOO_MANY_SUBREQUESTS: Final = (
    "Too many subrequests by single Worker invocation. To configure this limit, refer to "
    "https://developers.cloudflare.com/workers/wrangler/configuration/#limits"
)

# CPU time is the time for which an event's code holds the thread: reading the kernel's own figure is a system call, and
# two of them a step would be a tenth of a small request. It belongs to the innermost event that runs: an inline call
# into another worker stops the caller's clock. One event loop runs in one thread, so a module variable is the state.
_running: list[Event] = []
_mark_s = 0.0

# Called once by the next event that starts to run; the watchdog's way to be armed at no cost for the others.
on_first_enter: Callable[[], None] | None = None


class Event:
    """What one event carries along.

    Attributes:
        kind: ``fetch``, ``rpc``, ``scheduled`` ….
        props: what the calling binding passes along, or None.
        depth: how many workers called one another to get here; 0 for an event from outside.
        bindings: names of the bindings it touched, with how often.
        prints: what the handler printed, for the lines under the access line.
        trace: what is noted for those that tail the worker; None where nobody does.
        on_wait: called before the handler waits for the first time, if it does.
    """

    __slots__ = (
        "_ctx",
        "bindings",
        "cpu_s",
        "depth",
        "isolate",
        "kind",
        "on_wait",
        "prints",
        "props",
        "started_s",
        "subrequests",
        "trace",
    )

    def __init__(
        self, isolate: Isolate, kind: str, *, depth: int = 0, root: Event | None = None, props: JsObject | None = None
    ) -> None:
        if depth >= MAX_DEPTH:
            raise JsException(
                "Error",
                "Subrequest depth limit exceeded. This request recursed through Workers too many times. This can "
                "happen e.g. if you have a Worker or Durable Object that calls other Workers or objects recursively.",
            )
        self.isolate = isolate
        self.kind = kind
        self.depth = depth
        self.props = props
        self._ctx: ExecutionContext | None = None
        self.trace: Trace | None = None
        self.on_wait: Callable[[], object] | None = None
        self.subrequests = 0
        self.cpu_s = 0.0
        self.started_s = perf_counter()
        self.bindings: dict[str, int] = {} if root is None else root.bindings
        self.prints: list[str] = [] if root is None else root.prints

    @property
    def ctx(self) -> ExecutionContext:
        """The handler's ``ctx``, made when it is first asked for."""
        if self._ctx is None:
            self._ctx = ExecutionContext(self, self.props)
        return self._ctx

    def before_output(self) -> None:
        """Called before something leaves the event: a Durable Object makes durable what it has written."""

    @property
    def passes_through(self) -> bool:
        """Tell whether the worker called ``passThroughOnException``."""
        return self._ctx is not None and self._ctx.passes_through

    async def until_done(self) -> bool:
        """Wait for what ``waitUntil`` keeps alive; tells whether none of it failed."""
        return self._ctx is None or await self._ctx.until_done()

    def enter(self) -> None:
        """The event's code is about to run on the thread."""
        global _mark_s
        if on_first_enter is not None:
            on_first_enter()
        now = perf_counter()
        if _running:
            _running[-1].cpu_s += now - _mark_s
        _running.append(self)
        _mark_s = now

    def leave(self) -> None:
        """The event's code has given the thread back."""
        global _mark_s
        now = perf_counter()
        _running.pop().cpu_s += now - _mark_s
        _mark_s = now

    def count_subrequest(self) -> None:
        """Note a request that leaves the process.

        Raises:
            JsException: Error, beyond ``limits.subrequests`` of the worker's configuration.
        """
        self.subrequests += 1
        if self.subrequests > (self.isolate.config.limits.subrequests or DEFAULT_SUBREQUESTS):
            raise JsException("Error", TOO_MANY_SUBREQUESTS)

    def touch(self, binding: str) -> None:
        """Note the use of a binding."""
        self.bindings[binding] = self.bindings.get(binding, 0) + 1


EVENT: ContextVar[Event | None] = ContextVar("pyworkers.event", default=None)


def current_event() -> Event | None:
    """Return the event that the running code belongs to, or None outside of any."""
    return EVENT.get()


def running_event() -> Event | None:
    """Return the event whose code is on the thread at this moment, for a signal handler."""
    return _running[-1] if _running else None


def running_since_s() -> float:
    """Return when the running event's current stretch began, on `time.perf_counter`'s clock."""
    return _mark_s
