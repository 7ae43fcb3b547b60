"""The lines of events that are no request: batches of queues, cron triggers, e-mail."""

from __future__ import annotations

from pyworkers.runtime.events import Event
from pyworkers.runtime.triggers import Occurrence
from pyworkers.server.access import AccessLog, Prints
from pyworkers.server.errors import describe_failure


class OccurrenceLog:
    """Writes a line for every event, with what its handler printed.

    Args:
        log: where to.
    """

    def __init__(self, log: AccessLog) -> None:
        self._log = log

    def opened(self, event: Event) -> None:
        """Keep what the event prints for its line."""
        event.prints = self._log.prints()

    def closed(self, occurrence: Occurrence) -> None:
        """Write the event's line."""
        event = occurrence.event
        prints = event.prints if event is not None and isinstance(event.prints, Prints) else self._log.prints()
        self._log.request(
            occurrence.label,
            occurrence.target,
            200 if occurrence.succeeded else 500,
            started_s=occurrence.started_s,
            bindings={} if event is None else event.bindings,
            prints=prints,
            error="" if occurrence.error is None else describe_failure(occurrence.error),
        )
