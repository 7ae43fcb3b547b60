"""Where the messages of queues live."""

from __future__ import annotations

from pyworkers.engines.queues.protocol import Backlog, Lease, NewMessage, QueueEngine, QueueState, TakenMessage

__all__ = ["Backlog", "Lease", "NewMessage", "QueueEngine", "QueueState", "TakenMessage"]
