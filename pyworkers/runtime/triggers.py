"""The objects that handlers other than ``fetch`` receive."""

from __future__ import annotations

from pyworkers.js.values import JsProxy


class ScheduledController(JsProxy):
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
