"""E-mail that workers send: ``EmailMessage`` of ``cloudflare:email``, and ``env.MAIL``.

Source: miniflare src/workers/email; recorded, contracts/misc, misc.email.*
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Awaitable, Callable, Iterator
from email.headerregistry import Address
from email.message import EmailMessage as PythonMessage
from email.policy import SMTP
from email.utils import parseaddr
from typing import Any, Final

from pyworkers.bindings.classes import BoundWorker
from pyworkers.bindings.email_parsing import parse_email
from pyworkers.bindings.failures import remote
from pyworkers.js.buffers import JsBuffer
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, to_string
from pyworkers.js.promise import js_async
from pyworkers.js.response import Response
from pyworkers.js.values import JsException, JsObject, JsProxy, get_property, own_properties_of, type_error
from pyworkers.js.webidl import is_object

RAW: Final = "EmailMessage::raw"
_ALPHABET: Final = string.ascii_letters + string.digits
_ID_CHARACTERS: Final = 36

# Keeps a message: its sender, its recipients, its bytes.
Keep = Callable[[str, list[str], bytes], Awaitable[None]]


class EmailMessage(JsProxy):
    """``EmailMessage`` of ``cloudflare:email``; what it makes is a plain object, as in the local runtime."""

    @classmethod
    def js_new(cls, sender: Any = None, recipient: Any = None, raw: Any = None, *_: object) -> JsProxy:
        """``new EmailMessage(from, to, raw)``; ``raw`` is a string or a ReadableStream."""
        return JsObject({"from": sender, "to": recipient, RAW: raw})


def email_module() -> JsObject:
    """Return what ``import_from_javascript("cloudflare:email")`` gives."""
    return JsObject({"EmailMessage": EmailMessage.constructor})


class SendEmail(BoundWorker, js_name="Fetcher"):
    """``env.MAIL``; in the local runtime it is a bound worker, which it looks like here, too.

    Args:
        keep: takes what was sent.
        destination: the one address that may be sent to.
        destinations: the addresses that may be sent to.
        senders: the addresses that may be sent from.
    """

    def __init__(
        self,
        keep: Keep,
        *,
        destination: str | None = None,
        destinations: tuple[str, ...] | None = None,
        senders: tuple[str, ...] | None = None,
    ) -> None:
        self._keep = keep
        self._destination = destination
        self._destinations = destinations
        self._senders = senders

    @js_async
    async def send(self, message: Any = None) -> JsObject:
        """Send an EmailMessage, or an object with from, to, subject, text, html …; returns its ``messageId``.

        Raises:
            JsException: sender or recipient are not allowed, or the message is not as it must be.
        """
        try:
            return await self._send(message)
        except JsException as error:
            raise remote(error) from None

    async def _send(self, message: Any) -> JsObject:
        if not is_object(message):
            shown = "undefined" if message is None else to_string(message)
            raise type_error(f"Cannot use 'in' operator to search for '{RAW}' in {shown}")
        if RAW in own_properties_of(message):
            sender, recipients = get_property(message, "from"), [get_property(message, "to")]
            self._check(sender, recipients)
            raw = await read_raw(message)
            _check_sent(sender, raw)
        else:
            sender, recipients = _bare(get_property(message, "from")), list(_bare_all(get_property(message, "to")))
            self._check(sender, recipients)
            raw = _built(message, sender)
        await self._keep(to_string(sender), [to_string(recipient) for recipient in recipients], raw)
        return JsObject({"messageId": new_message_id(to_string(sender))})

    def _check(self, sender: Any, recipients: list[Any]) -> None:
        if self._senders is not None and sender not in self._senders:
            raise JsException("Error", f"email from {to_string(sender)} not allowed")
        for recipient in recipients:
            refused = self._destination is not None and recipient != self._destination
            if refused or (self._destinations is not None and recipient not in self._destinations):
                raise JsException("Error", f"email to {to_string(recipient)} not allowed")


async def read_raw(message: Any) -> bytes:
    """Return the bytes of an EmailMessage."""
    buffer = await Response.js_new(get_property(message, RAW)).arrayBuffer()
    return bytes(buffer.data)


def new_message_id(sender: str) -> str:
    """Return an id in the form of those that the platform gives."""
    token = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARACTERS))
    return f"<{token}@{sender[sender.rfind('@') + 1 :]}>"


def _check_sent(sender: Any, raw: bytes) -> None:
    parsed = parse_email(raw)
    if parsed.message_id is None:
        raise JsException("Error", "invalid message-id")
    found = parsed.sender
    if found is None:
        raise type_error("Cannot read properties of undefined (reading 'address')")
    if sender != found:
        raise JsException("Error", "From: header does not match mail from")
    if parsed.find("received") is not None:
        raise JsException("Error", "invalid headers set")


# ---- messages that are given in parts


def _bare(address: Any) -> Any:
    """Return the address of ``{email, name}``; a text stays what it is."""
    if isinstance(address, str):
        return address
    if is_nullish(address):
        shown = "undefined" if address is None else "null"
        raise type_error(f"Cannot read properties of {shown} (reading 'email')")
    return get_property(address, "email")


def _bare_all(addresses: Any) -> Iterator[Any]:
    for address in addresses if isinstance(addresses, JsArray) else [addresses]:
        yield _bare(address)


def _built(message: Any, sender: Any) -> bytes:
    """Return the message as it would be sent."""
    built = PythonMessage(policy=SMTP)
    for header, key in (("From", "from"), ("To", "to"), ("Cc", "cc"), ("Bcc", "bcc"), ("Reply-To", "replyTo")):
        value = get_property(message, key)
        if not is_nullish(value):
            built[header] = [_address(one) for one in (value if isinstance(value, JsArray) else [value])]
    built["Subject"] = _line(get_property(message, "subject"))
    built["Message-ID"] = new_message_id(to_string(sender))
    for name, value in own_properties_of(get_property(message, "headers") or JsObject()).items():
        del built[name]
        built[name] = _line(value)
    text, html = get_property(message, "text"), get_property(message, "html")
    if not is_nullish(text) or is_nullish(html):
        built.set_content("" if is_nullish(text) else to_string(text))
    if not is_nullish(html):
        add = built.set_content if is_nullish(text) else built.add_alternative
        add(to_string(html), subtype="html")
    attachments = get_property(message, "attachments")
    for attachment in [] if is_nullish(attachments) else attachments:
        _attach(built, attachment)
    return built.as_bytes()


def _attach(built: PythonMessage, attachment: Any) -> None:
    content = get_property(attachment, "content")
    data = content.to_bytes() if isinstance(content, JsBuffer) else to_string(content).encode()
    main, _, sub = to_string(get_property(attachment, "type") or "application/octet-stream").partition("/")
    built.add_attachment(
        data,
        maintype=main,
        subtype=sub.partition(";")[0] or "octet-stream",
        filename=to_string(get_property(attachment, "filename") or "attachment"),
        disposition=to_string(get_property(attachment, "disposition") or "attachment"),
    )


def _address(value: Any) -> Address:
    if isinstance(value, str):
        name, email = parseaddr(value)
    else:
        name, email = to_string(get_property(value, "name") or ""), to_string(_bare(value))
    local, _, domain = email.rpartition("@")
    return Address(_line(name), local, domain)


def _line(value: Any) -> str:
    """Return a header's value on one line."""
    return " ".join(to_string("" if is_nullish(value) else value).split())
