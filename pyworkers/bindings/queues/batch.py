"""What a consumer gets: the batch, its messages, and what it decides about them.

Source: recorded, contracts/queues, queues.consume.*; workerd src/workerd/api/queue.c++
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from pyworkers.bindings.arguments import check_option_bag, optional_int32
from pyworkers.bindings.queues.bodies import decode_body
from pyworkers.bindings.queues.producer import backlog_object
from pyworkers.engines.queues import Backlog, TakenMessage
from pyworkers.js.dates import Date
from pyworkers.js.objects import JsArray
from pyworkers.js.values import JsObject, JsProxy, get_property, js_method

_NO_EFFECT: Final = "Received a call to {call} after {earlier} was already called. Calling {short} has no effect."
_log = logging.getLogger("pyworkers.queues")


@dataclass(slots=True)
class QueueResult:
    """What a consumer decided. What it says nothing about is acknowledged when it returns, and retried when it throws.

    Attributes:
        retries: ids of messages to retry, with their delays in seconds where one was given.
        batch_delay_s: the delay that ``retryAll`` was given.
    """

    acks_all: bool = False
    retries_all: bool = False
    batch_delay_s: int | None = None
    acks: set[str] = field(default_factory=set)
    retries: dict[str, int | None] = field(default_factory=dict)

    def is_retried(self, message_id: str) -> bool:
        """Tell whether the consumer, having returned, wants a message again."""
        return self.retries_all or message_id in self.retries

    def delay_s(self, message_id: str, default_s: int) -> int:
        """Return how long a message that is retried is held back."""
        own = self.retries.get(message_id)
        return max(0, next(delay for delay in (own, self.batch_delay_s, default_s) if delay is not None))


class QueueMessage(JsProxy, read_only="attempts body id timestamp"):
    """A message of a batch."""

    _result: QueueResult
    id: str
    timestamp: Date
    body: Any
    attempts: int

    def __init__(self, message: TakenMessage, result: QueueResult) -> None:
        self.__dict__.update(  # not one by one: what scripts cannot set takes longer
            _result=result,
            id=message.id,
            timestamp=Date(message.sent_at_ms),
            body=decode_body(message.body, message.content_type),
            attempts=message.attempts,
        )

    @js_method
    def retry(self, options: Any = None) -> None:
        """Have the message delivered again, after ``delaySeconds``."""
        check_option_bag(options, "QueueMessage", "retry", 1, "QueueRetryOptions")
        delay_s = optional_int32(get_property(options, "delaySeconds"))
        result = self._result
        if result.retries_all:
            return
        if result.acks_all or self.id in result.acks:
            self._warn("retry()", "ackAll()" if result.acks_all else "ack()")
            return
        if delay_s is not None or self.id not in result.retries:
            result.retries[self.id] = delay_s

    @js_method
    def ack(self) -> None:
        """Let the message be done, whatever becomes of the rest."""
        result = self._result
        if result.acks_all:
            return
        if result.retries_all or self.id in result.retries:
            self._warn("ack()", "retryAll()" if result.retries_all else "retry()")
            return
        result.acks.add(self.id)

    def _warn(self, call: str, earlier: str) -> None:
        short = f"{call} on a message after calling {earlier}"
        _log.warning(_NO_EFFECT.format(call=f"{call} on message {self.id}", earlier=earlier, short=short))


class QueueController(JsProxy, read_only="messages metadata queue"):
    """A batch.

    Args:
        queue: the queue's name.
        messages: in their order.
        backlog: what waits behind them.
    """

    def __init__(self, queue: str, messages: Iterable[TakenMessage], backlog: Backlog) -> None:
        self._result = QueueResult()
        self.queue = queue
        self.messages = JsArray([QueueMessage(message, self._result) for message in messages])
        self.metadata = JsObject({"metrics": backlog_object(backlog)})

    @property
    def result(self) -> QueueResult:
        """What the consumer decided; not part of JavaScript's interface."""
        return self._result

    @js_method
    def retryAll(self, options: Any = None) -> None:
        """Have every message delivered again, after ``delaySeconds``."""
        check_option_bag(options, "QueueController", "retryAll", 1, "QueueRetryOptions")
        delay_s = optional_int32(get_property(options, "delaySeconds"))
        if self._result.acks_all:
            short = "retryAll() after calling ackAll()"
            _log.warning(_NO_EFFECT.format(call="retryAll()", earlier="ackAll()", short=short))
            return
        self._result.retries_all = True
        self._result.batch_delay_s = delay_s

    @js_method
    def ackAll(self) -> None:
        """Let every message be done, whatever becomes of the handler."""
        if self._result.retries_all:
            short = "ackAll() after calling retryAll()"
            _log.warning(_NO_EFFECT.format(call="ackAll()", earlier="retryAll()", short=short))
            return
        self._result.acks_all = True
