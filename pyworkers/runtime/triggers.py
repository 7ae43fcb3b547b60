"""Events that are no request: the objects that their handlers receive, and how one is run and told of."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from pyworkers.js.values import JsProxy

if TYPE_CHECKING:
    from pyworkers.runtime.events import Event
    from pyworkers.runtime.isolate import Isolate


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event that happened.

    Attributes:
        label: such as ``QUEUE``.
        target: what it was about, such as the queue's name.
        event: None where there was no worker to run it.
        started_s: on `time.perf_counter`'s clock.
        error: what escaped the handler.
    """

    label: str
    target: str
    event: Event | None
    started_s: float
    succeeded: bool
    error: BaseException | None = None


class Observer(Protocol):
    """Is told of events that are no request."""

    def opened(self, event: Event) -> None:
        """An event is about to run; what it prints may be led elsewhere."""
        ...

    def closed(self, occurrence: Occurrence) -> None:
        """An event is over."""
        ...


async def run_trigger(
    isolate: Isolate,
    kind: str,
    payload: Any,
    *,
    label: str,
    target: str,
    observer: Observer | None = None,
    waits: bool = True,
) -> Occurrence:
    """Deliver an event from outside, and wait for what its handler keeps alive; its errors are told, not raised.

    Args:
        waits: whether ``waitUntil`` counts, for success and for the event's end.
    """
    event = isolate.open_event(kind)
    if observer is not None:
        observer.opened(event)
    started_s = perf_counter()
    error: BaseException | None = None
    succeeded = False
    try:
        await isolate.trigger(kind, payload, event=event)
        succeeded = await event.until_done() if waits else True
    except Exception as raised:
        error = raised
    occurrence = Occurrence(label, target, event, started_s, succeeded, error)
    if observer is not None:
        observer.closed(occurrence)
    return occurrence


class ScheduledController(JsProxy, read_only="cron scheduledTime"):
    """What a scheduled handler gets.

    Attributes:
        cron: the expression that fired.
        scheduledTime: milliseconds since the epoch.

    Source: recorded, contracts/http, http.sched.trigger
    """

    def __init__(self, cron: str, scheduled_time_ms: int) -> None:
        self.cron = cron
        self.scheduledTime = scheduled_time_ms
        self.retries = True

    def noRetry(self, *_: object) -> None:
        """Ask for no second attempt should the handler fail."""
        self.retries = False


class FacadeScheduledController(ScheduledController, js_name="__Facade_ScheduledController__"):
    """What a handler gets from wrangler's ``/__scheduled``, under the name that it shows there.

    Source: recorded, contracts/http_dev, http_dev.sched.trigger
    """
