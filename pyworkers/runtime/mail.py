"""E-mail of a project: what workers send is kept, and a message from outside reaches the email handler.

Source: miniflare src/workers/core/email.ts and src/workers/email; recorded, contracts/http, http.email.trigger
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pyworkers.bindings.email import SendEmail as SendEmailBinding
from pyworkers.bindings.email import read_raw
from pyworkers.bindings.email_parsing import ParsedEmail, parse_email
from pyworkers.bindings.failures import remote, tell
from pyworkers.clock import Clock
from pyworkers.config.tables import SendEmail
from pyworkers.engines.files import file_errors, whole_file
from pyworkers.errors import EngineError
from pyworkers.js.headers import Headers
from pyworkers.js.primitives import is_nullish, to_string
from pyworkers.js.promise import JsPromise
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject, JsProxy, get_property
from pyworkers.runtime.isolate import Isolate
from pyworkers.runtime.stores import Stores
from pyworkers.runtime.triggers import Observer, Occurrence, run_trigger

_MOST_REFERENCES: Final = 100
_log = logging.getLogger("pyworkers.email")


@dataclass(frozen=True, slots=True)
class SentMail:
    """A message that left a worker.

    Attributes:
        how: ``send``, ``forward`` or ``reply``.
        path: the file it is kept in; None in memory.
    """

    how: str
    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    path: Path | None


class Mailbox:
    """Keeps what a project's workers send.

    Args:
        stores: says where: ``email/*.eml`` in the state folder.
        clock: gives files their names.

    Attributes:
        sent: what was sent since the start.
    """

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._folder = None if stores.state_dir is None else stores.state_dir / "email"
        self._clock = clock
        self.sent: list[SentMail] = []

    def binding(self, config: SendEmail) -> SendEmailBinding:
        """Return the object of a ``send_email`` binding."""

        async def keep(sender: str, recipients: list[str], raw: bytes) -> None:
            await self.keep("send", sender, recipients, raw)

        return SendEmailBinding(
            keep,
            destination=config.destination_address,
            destinations=config.allowed_destination_addresses,
            senders=config.allowed_sender_addresses,
        )

    async def keep(self, how: str, sender: str, recipients: list[str], raw: bytes) -> None:
        """Keep a message that leaves a worker.

        Raises:
            JsException: it could not be written; the terminal gets the reason.
        """
        path = None
        if self._folder is not None:
            moment = datetime.fromtimestamp(self._clock.now_s(), UTC)
            path = self._folder / f"{moment:%Y%m%dT%H%M%S.%f}-{how}-{uuid.uuid4().hex[:8]}.eml"
            try:
                with file_errors(path):
                    await asyncio.to_thread(_write, path, raw)
            except EngineError as error:
                tell(error)
                raise JsException("Error", f"internal error; reference = {secrets.token_hex(12)}") from error
        self.sent.append(SentMail(how, sender, tuple(recipients), raw, path))
        _log.info("e-mail from %s to %s%s", sender, ", ".join(recipients), f": {path}" if path else "")


class IncomingEmail(JsProxy, js_name="Object"):
    """What an email handler gets; the local runtime hands over a plain object."""

    def __init__(self, sender: str, recipient: str, raw: bytes, parsed: ParsedEmail, mailbox: Mailbox) -> None:
        headers = Headers()
        for name, value in parsed.headers:
            headers.append(name, value)
        self.__dict__["from"] = sender
        self.to = recipient
        self.raw = ReadableStream.of_bytes(raw)
        self.rawSize = len(raw)
        self.headers = headers
        self._raw = raw
        self._parsed = parsed
        self._mailbox = mailbox
        self.__dict__["_rejected"] = None

    @property
    def reject_reason(self) -> str | None:
        """What ``setReject`` was told, once that has arrived; not part of JavaScript's interface."""
        found: str | None = self.__dict__["_rejected"]
        return found

    def setReject(self, reason: Any = None, *_: object) -> JsPromise:
        """Refuse the message. It is a call into another worker: the refusal counts once that has happened."""
        return JsPromise.run(self._set_reject(to_string(reason)))

    async def _set_reject(self, reason: str) -> None:
        await asyncio.sleep(0)
        _log.info('Email handler rejected message with the following reason: "%s"', reason)
        self.__dict__["_rejected"] = reason

    def forward(self, recipient: Any = None, headers: Any = None, *_: object) -> JsPromise:
        """Pass the message on to a verified address; every address counts as one here."""
        return JsPromise.run(self._forward(to_string(recipient), headers))

    async def _forward(self, recipient: str, headers: Any) -> None:
        lines = b""
        if not is_nullish(headers):
            pairs = Headers.from_option(headers, "Headers").displayed()
            lines = "".join(f"{name}: {value}\r\n" for name, value in pairs).encode()
        sender: str = self.__dict__["from"]
        await self._mailbox.keep("forward", sender, [recipient], lines + self._raw)

    def reply(self, message: Any = None, *_: object) -> JsPromise:
        """Answer the sender with an EmailMessage."""
        return JsPromise.run(self._reply(message))

    async def _reply(self, message: Any) -> JsObject:
        try:
            if not _is_replyable(self._parsed):
                raise JsException("Error", "Original email is not replyable")
            raw = await _checked_reply(self._parsed, message)
        except JsException as error:
            raise remote(error) from None
        sender = to_string(get_property(message, "from"))
        await self._mailbox.keep("reply", sender, [self.__dict__["from"]], raw)
        return JsObject({"messageId": f"{uuid.uuid4().hex}@example.com"})


async def deliver_email(isolate: Isolate, message: IncomingEmail, observer: Observer | None) -> Occurrence:
    """Run a worker's email handler."""
    target = f"{message.__dict__['from']} to {message.to}"
    return await run_trigger(isolate, "email", message, label="EMAIL", target=target, observer=observer)


def read_email(raw: bytes) -> ParsedEmail | None:
    """Return a message's headers; None where it has no Message-ID, without which nothing takes it."""
    parsed = parse_email(raw)
    return None if parsed.message_id is None else parsed


def _is_replyable(parsed: ParsedEmail) -> bool:
    """Tell whether Email Routing lets a worker answer a message."""
    suppress, automatic = parsed.find("x-auto-response-suppress"), parsed.find("auto-submitted")
    if suppress is not None and suppress.lower() != "none":
        return False
    if automatic is not None and automatic.lower() != "no":
        return False
    answered, references = parsed.find("in-reply-to"), parsed.find("references")
    if (answered is None) != (references is None):
        return False
    if references is not None and references.count("@") >= _MOST_REFERENCES:
        _log.error('The incoming email\'s "References" header has more than %d entries', _MOST_REFERENCES)
        return False
    return True


async def _checked_reply(incoming: ParsedEmail, message: Any) -> bytes:
    """Return the bytes of a reply, with the References that it needs."""
    raw = await read_raw(message)
    reply = parse_email(raw)
    if reply.sender != get_property(message, "from"):
        raise JsException("Error", "From: header does not match mail from")
    if reply.message_id is None:
        raise JsException("Error", "invalid message-id")
    if reply.find("received") is not None:
        raise JsException("Error", "invalid headers set")
    answered = reply.find("in-reply-to")
    if answered is None:
        raise JsException("Error", "no In-Reply-To header found in reply message")
    if answered != incoming.message_id:
        raise JsException("Error", "In-Reply-To does not match original Message-ID")
    earlier, references = incoming.find("references") or "", reply.find("references")
    if references is None:
        return f"References: {' '.join(filter(None, (incoming.message_id, earlier)))}\r\n".encode() + raw
    if incoming.message_id not in references or earlier not in references:
        raise JsException("Error", "provided References header is invalid")
    return raw


def _write(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        part.write_bytes(raw)
