"""``env.Q``: what sends to a queue.

Source: recorded, contracts/queues, queues.send.*; workerd src/workerd/api/queue.c++
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from random import getrandbits
from typing import Any, Final, Protocol

from pyworkers.bindings.arguments import check_option_bag, optional_int32
from pyworkers.bindings.failures import tell
from pyworkers.bindings.queues.bodies import CONTENT_TYPES, encode_body, is_sendable
from pyworkers.clock import Clock
from pyworkers.engines.queues import Backlog, NewMessage
from pyworkers.errors import EngineError
from pyworkers.js.collections import JsMap
from pyworkers.js.dates import Date
from pyworkers.js.primitives import is_nullish, to_string
from pyworkers.js.promise import js_async
from pyworkers.js.values import JsException, JsObject, JsProxy, get_property, type_error
from pyworkers.js.webidl import MISSING, PRIMITIVES, argument_error, is_object

MAX_MESSAGE_BYTES: Final = 128_000
MAX_BATCH_MESSAGES: Final = 100
MAX_BATCH_BYTES: Final = 288_000
MAX_DELAY_S: Final = 86_400

_CLASS: Final = "WorkerQueue"
_REQUEST: Final = "MessageSendRequest"
_SERVER_ERROR: Final = "Internal Server Error"
_UNKNOWN: Final = "Unknown Internal Error (15000)"
_log = logging.getLogger("pyworkers.queues")


class QueuePort(Protocol):
    """Where a producer's messages go."""

    name: str

    @property
    def has_consumer(self) -> bool:
        """Whether anybody consumes the queue; where nobody does, the platform's limits are not checked."""
        ...

    async def send(self, messages: Sequence[NewMessage]) -> None:
        """Keep messages; they are durable on return."""
        ...

    async def metrics(self) -> Backlog:
        """Count what waits."""
        ...


class WorkerQueue(JsProxy):
    """A producer of a queue.

    Args:
        queue: where messages go.
        clock: gives messages their time.
        delivery_delay_s: how long messages are held back that do not say it themselves.
        default_type: ``json``; ``v8`` before ``queues_json_messages``.
        exposes_codes: failures are told as codes (``queue_expose_error_codes``), not as the broker's texts.
        before_output: called before a message leaves the event that sends it.
    """

    def __init__(
        self,
        queue: QueuePort,
        clock: Clock,
        *,
        delivery_delay_s: int | None = None,
        default_type: str = "json",
        exposes_codes: bool = True,
        before_output: Callable[[], None] = lambda: None,
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._delivery_delay_s = delivery_delay_s
        self._default_type = default_type
        self._exposes_codes = exposes_codes
        self._before_output = before_output

    @js_async
    async def send(self, body: Any = MISSING, options: Any = None) -> JsObject:
        """Send one message; resolves when it is durable, with the backlog as it was before."""
        if body is MISSING:
            raise argument_error(_CLASS, "send", 1, "JsValue")
        delay_s = given = None
        if options is not None:
            check_option_bag(options, _CLASS, "send", 2, "SendOptions")
            delay_s = optional_int32(get_property(options, "delaySeconds"))
            given = get_property(options, "contentType")
        # The type of a single message may be written in capitals, that of one in a batch may not.
        draft = _draft(body, None if given is None else to_string(given).lower(), given, self._default_type)
        if self._queue.has_consumer:
            self._refuse("send", _message_problem(draft) or _delay_problem(delay_s))
        return await self._keep("send", [(draft, delay_s)])

    @js_async
    async def sendBatch(self, messages: Any = MISSING, options: Any = None) -> JsObject:
        """Send several messages, all or none."""
        requests = _sequence(messages)
        check_option_bag(options, _CLASS, "sendBatch", 2, "SendBatchOptions")
        batch_delay_s = optional_int32(get_property(options, "delaySeconds"))
        read = [_request(message) for message in requests]
        if not read:
            raise type_error("sendBatch() requires at least one message")
        drafts = [
            (_draft(body, None if given is None else to_string(given), given, self._default_type), delay_s)
            for body, given, delay_s in read
        ]
        if self._queue.has_consumer:
            delays = [batch_delay_s, *(delay_s for _, delay_s in drafts)]
            problems = (_batch_problem([draft for draft, _ in drafts]), *map(_delay_problem, delays))
            self._refuse("sendBatch", next((problem for problem in problems if problem is not None), None))
        delayed = [(draft, batch_delay_s if delay_s is None else delay_s) for draft, delay_s in drafts]
        return await self._keep("sendBatch", delayed)

    @js_async
    async def metrics(self, *_: object) -> JsObject:
        """Tell how many messages wait, their size, and when the next of them was sent; all approximate."""
        try:
            return backlog_object(await self._queue.metrics())
        except EngineError as error:
            raise self._storage_failure("metrics", error) from error

    async def _keep(self, method: str, drafts: Sequence[tuple[Draft, int | None]]) -> JsObject:
        try:
            before = await self._queue.metrics()
            now_ms = self._clock.now_ms()
            self._before_output()
            await self._queue.send([self._message(draft, delay_s, now_ms) for draft, delay_s in drafts])
        except EngineError as error:
            raise self._storage_failure(method, error) from error
        return _answer(before)

    def _storage_failure(self, method: str, error: EngineError) -> JsException:
        """Return the platform's error for storage that fails; the terminal gets the reason."""
        tell(error)
        return JsException("Error", _UNKNOWN if self._exposes_codes else f"Queue {method} failed: {_SERVER_ERROR}")

    def _message(self, draft: Draft, delay_s: int | None, now_ms: int) -> NewMessage:
        if delay_s is None:
            delay_s = self._delivery_delay_s
        visible_at_ms = now_ms + 1000 * delay_s if delay_s is not None and delay_s > 0 else now_ms
        return NewMessage(getrandbits(128).to_bytes(16, "big").hex(), draft[0], draft[1], now_ms, visible_at_ms)

    def _refuse(self, method: str, problem: tuple[str, str] | None) -> None:
        """Raise the platform's error for a problem: what is logged says more than what the worker may see."""
        if problem is None:
            return
        text, detail = problem
        if not self._exposes_codes:
            raise JsException("Error", f"Queue {method} failed: {text}")
        _log.warning("%s() to the queue %s failed: %s", method, self._queue.name, detail)
        raise JsException("Error", _UNKNOWN)


Draft = tuple[bytes, str]  # body and content type


def _draft(body: Any, kind: str | None, given: Any, default: str) -> Draft:
    if body is None:
        raise type_error("Message body cannot be undefined")
    if kind is None:
        kind = default
    elif kind not in CONTENT_TYPES:
        raise type_error(f"Unsupported queue message content type: {to_string(given)}")
    return encode_body(body, kind), kind


def _sequence(messages: Any) -> Iterable[Any]:
    if isinstance(messages, JsMap):
        return list(messages.entries())
    if messages is MISSING or is_nullish(messages) or isinstance(messages, PRIMITIVES):
        raise argument_error(_CLASS, "sendBatch", 1, "Sequence")
    try:
        return list(messages)
    except TypeError:
        raise argument_error(_CLASS, "sendBatch", 1, "Sequence") from None


def _request(message: Any) -> tuple[Any, Any, int | None]:
    """Return body, content type and delay of one message of a batch."""
    if is_nullish(message):
        # The text holds the C++ class's mangled name.
        raise type_error(
            "Cannot initialize N7workerd3api11WorkerQueue18MessageSendRequestE with required members from an undefined "
            "or null value."
        )
    if not is_object(message):
        raise type_error(f"Incorrect type: the provided value is not of type '{_REQUEST}'.")
    delay_s = optional_int32(get_property(message, "delaySeconds"))
    return get_property(message, "body"), get_property(message, "contentType"), delay_s


def _message_problem(draft: Draft) -> tuple[str, str] | None:
    """Return what the broker says of a message, and what the log does."""
    body, kind = draft
    if len(body) > MAX_MESSAGE_BYTES:
        text = f"message length of {len(body)} bytes exceeds limit of {MAX_MESSAGE_BYTES}"
        return text, text
    if not is_sendable(body, kind):
        return _SERVER_ERROR, "the body has no JSON form"
    return None


def _batch_problem(drafts: Sequence[Draft]) -> tuple[str, str] | None:
    sizes = [len(body) for body, _ in drafts]
    text = None
    if len(drafts) > MAX_BATCH_MESSAGES:
        text = f"batch message count of {len(drafts)} exceeds limit of {MAX_BATCH_MESSAGES}"
    elif max(sizes) > MAX_MESSAGE_BYTES:
        text = (
            f"message in batch has length {max(sizes)} bytes which exceeds single message size limit of "
            f"{MAX_MESSAGE_BYTES}"
        )
    elif sum(sizes) > MAX_BATCH_BYTES:
        text = f"batch size of {sum(sizes)} bytes exceeds limit of 256000"  # the broker names production's limit
    if text is not None:
        return text, text
    return next((problem for draft in drafts if (problem := _message_problem(draft)) is not None), None)


def _delay_problem(delay_s: int | None) -> tuple[str, str] | None:
    if delay_s is None or 0 <= delay_s <= MAX_DELAY_S:
        return None
    return _SERVER_ERROR, f"a delay of {delay_s} s is not between 0 and {MAX_DELAY_S}"


def _answer(before: Backlog) -> JsObject:
    """Return what sending resolves to."""
    return JsObject({"metadata": JsObject({"metrics": backlog_object(before)})})


def backlog_object(backlog: Backlog) -> JsObject:
    """Return the ``metrics`` of a queue, as producers and consumers see them."""
    sent_at_ms = backlog.oldest_sent_at_ms
    return JsObject(
        {
            "backlogCount": backlog.count,
            "backlogBytes": backlog.size_bytes,
            "oldestMessageTimestamp": None if sent_at_ms is None else Date(sent_at_ms),
        }
    )
