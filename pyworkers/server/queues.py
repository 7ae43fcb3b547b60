"""Queues over HTTP: pull consumers, and messages from outside.

    POST /cdn-cgi/client/v4/accounts/ACCOUNT/queues/QUEUE/messages          one message
    POST /cdn-cgi/client/v4/accounts/ACCOUNT/queues/QUEUE/messages/batch    several
    POST /cdn-cgi/client/v4/accounts/ACCOUNT/queues/QUEUE/messages/pull     take messages
    POST /cdn-cgi/client/v4/accounts/ACCOUNT/queues/QUEUE/messages/ack      be done with them, or have them again

The account may be any text, the queue is named by its name. No token is asked for: the route is for this machine.

Source: developers.cloudflare.com/queues/configuration/pull-consumers; api/resources/queues/subresources/messages
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pyworkers.engines.queues import NewMessage, TakenMessage
from pyworkers.runtime.queues import PULL_OWNER, Queue
from pyworkers.server.egress import send_bytes
from pyworkers.server.ingress import Receive, Scope, Send
from pyworkers.server.mail import read_body

if TYPE_CHECKING:
    from pyworkers.runtime.runtime import Runtime

PATH: Final = re.compile(r"/cdn-cgi/client/v4/accounts/[^/]+/queues/([^/]+)/messages(?:/(batch|pull|ack))?")
DEFAULT_BATCH: Final = 5
MAX_BATCH: Final = 100
DEFAULT_VISIBILITY_MS: Final = 30_000
MAX_VISIBILITY_MS: Final = 43_200_000
MAX_DELAY_S: Final = 86_400
MAX_MESSAGE_BYTES: Final = 128_000
_MAX_BODY_BYTES: Final = 1_000_000
_JSON: Final = b"application/json"
_INVALID: Final = 10_026
_NOT_PULLED: Final = 10_105


class Refused(Exception):
    """What was asked for cannot be done.

    Args:
        status: of the answer.
        code: the API's number for it.
    """

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class QueueRoute:
    """Answers the message routes of every queue.

    Args:
        runtime: whose queues they are.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            result = await self._answer(scope, receive)
        except Refused as refused:
            errors = [{"code": refused.code, "message": str(refused)}]
            answer = {"success": False, "errors": errors, "messages": [], "result": None}
            return await send_bytes(send, refused.status, _JSON, json.dumps(answer).encode())
        answer = {"success": True, "errors": [], "messages": [], "result": result}
        return await send_bytes(send, 200, _JSON, json.dumps(answer).encode())

    async def _answer(self, scope: Scope, receive: Receive) -> Any:
        match = PATH.fullmatch(scope["path"])
        if match is None or scope["method"] != "POST":
            raise Refused(405, 10_000, "expected a POST")
        asked = _object(await read_body(receive, most=_MAX_BODY_BYTES))
        queue = self._runtime.queues.queue(match[1])
        verbs: dict[str | None, Callable[[Queue, Mapping[str, Any]], Awaitable[Any]]] = {
            None: self._send,
            "batch": self._send_batch,
            "pull": self._pull,
            "ack": self._ack,
        }
        return await verbs[match[2]](queue, asked)

    async def _send(self, queue: Queue, asked: Mapping[str, Any]) -> None:
        await queue.send([self._message(asked, None)])

    async def _send_batch(self, queue: Queue, asked: Mapping[str, Any]) -> None:
        given = asked.get("messages")
        if not isinstance(given, list) or not 1 <= len(given) <= MAX_BATCH:
            raise Refused(400, _INVALID, f"messages: expected a list of 1 to {MAX_BATCH} messages")
        await queue.send([self._message(_mapping(one, "messages"), asked.get("delay_seconds")) for one in given])

    async def _pull(self, queue: Queue, asked: Mapping[str, Any]) -> Any:
        if queue.consumer is not None:
            raise Refused(400, _NOT_PULLED, f"the queue {queue.name} is consumed by a worker; it cannot be pulled")
        default_ms = queue.pull.visibility_timeout_ms if queue.pull is not None else None
        lease_ms = _whole(
            asked,
            "visibility_timeout_ms",
            DEFAULT_VISIBILITY_MS if default_ms is None else default_ms,
            MAX_VISIBILITY_MS,
        )
        limit = _whole(asked, "batch_size", DEFAULT_BATCH, MAX_BATCH)
        # Every pull is an owner of its own: who pulls again may be somebody else.
        owner = f"{PULL_OWNER}{secrets.token_hex(8)}"
        taken = await queue.engine.take(max(1, limit), owner=owner, lease_ms=lease_ms)
        kept = await self._without_dead(queue, taken)
        backlog = await queue.engine.backlog()
        return {"message_backlog_count": backlog.count, "messages": [_pulled(message) for message in kept]}

    async def _ack(self, queue: Queue, asked: Mapping[str, Any]) -> Any:
        acks = [_lease(one) for one in _list(asked, "acks")]
        now_ms = self._runtime.clock.now_ms()
        delay_s = queue.pull.retry_delay or 0 if queue.pull is not None else 0
        retries = [
            (_lease(one), now_ms + 1000 * _whole(_mapping(one, "retries"), "delay_seconds", delay_s, MAX_DELAY_S))
            for one in _list(asked, "retries")
        ]
        acknowledged, retried = await queue.engine.settle(acks, retries)
        return {"ackCount": acknowledged, "retryCount": retried, "warnings": {}}

    async def _without_dead(self, queue: Queue, taken: Sequence[TakenMessage]) -> list[TakenMessage]:
        """Move what was pulled too often to the dead letter queue."""
        config = queue.pull
        if config is None or config.dead_letter_queue is None or config.max_retries is None:
            return list(taken)
        dead = [message for message in taken if message.attempts > config.max_retries + 1]
        if dead:
            now_ms = self._runtime.clock.now_ms()
            await self._runtime.queues.queue(config.dead_letter_queue).send(
                [NewMessage(*message[:4], visible_at_ms=now_ms) for message in dead]
            )
            await queue.engine.settle([message.lease for message in dead])
        return [message for message in taken if message not in dead]

    def _message(self, asked: Mapping[str, Any], batch_delay_s: Any) -> NewMessage:
        kind = asked.get("content_type", "json")
        body = asked.get("body")
        if kind not in ("json", "text", "bytes"):
            raise Refused(400, _INVALID, "content_type: expected json, text or bytes")
        if "body" not in asked or (kind != "json" and not isinstance(body, str)):
            raise Refused(400, _INVALID, f"body: expected {'a value' if kind == 'json' else 'a text'}")
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() if kind == "json" else b""
        if kind == "text":
            data = str(body).encode()
        elif kind == "bytes":
            try:
                data = base64.b64decode(str(body), validate=True)
            except binascii.Error:
                raise Refused(400, _INVALID, "body: expected base64") from None
        if len(data) > MAX_MESSAGE_BYTES:
            raise Refused(413, _INVALID, f"message length of {len(data)} bytes exceeds limit of {MAX_MESSAGE_BYTES}")
        now_ms = self._runtime.clock.now_ms()
        delay_s = _whole({"delay_seconds": batch_delay_s, **asked}, "delay_seconds", 0, MAX_DELAY_S)
        return NewMessage(secrets.token_hex(16), data, kind, now_ms, now_ms + 1000 * delay_s)


def _pulled(message: TakenMessage) -> dict[str, Any]:
    """Return a message as the API shows it: text as it is, everything else in base64."""
    is_text = message.content_type == "text"
    return {
        "body": message.body.decode() if is_text else base64.b64encode(message.body).decode(),
        "id": message.id,
        "timestamp_ms": message.sent_at_ms,
        "attempts": message.attempts,
        "lease_id": message.lease,
        "metadata": {"CF-Content-Type": message.content_type, "CF-sourceMessageSource": "workers"},
    }


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        raise Refused(400, _INVALID, "the body is no JSON") from None
    return _mapping(found, "the body")


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Refused(400, _INVALID, f"{what}: expected an object")
    return value


def _list(asked: Mapping[str, Any], key: str) -> list[Any]:
    value = asked.get(key, [])
    if not isinstance(value, list):
        raise Refused(400, _INVALID, f"{key}: expected a list")
    return value


def _lease(value: Any) -> str:
    lease = value.get("lease_id") if isinstance(value, dict) else None
    if not isinstance(lease, str):
        raise Refused(400, _INVALID, "expected objects with a lease_id")
    return lease


def _whole(asked: Mapping[str, Any], key: str, default: int, most: int) -> int:
    value = asked.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise Refused(400, _INVALID, f"{key}: expected a whole number of 0 to {most}")
    return value
