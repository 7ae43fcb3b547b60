"""Queues: what producers send with, and what consumers get."""

from __future__ import annotations

from pyworkers.bindings.queues.batch import QueueController, QueueMessage, QueueResult
from pyworkers.bindings.queues.bodies import decode_body, encode_body
from pyworkers.bindings.queues.producer import QueuePort, WorkerQueue

__all__ = [
    "QueueController",
    "QueueMessage",
    "QueuePort",
    "QueueResult",
    "WorkerQueue",
    "decode_body",
    "encode_body",
]
