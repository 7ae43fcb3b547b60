"""``/cdn-cgi/handler/email``: a raw message in the body becomes an event of the primary worker.

Source: recorded, contracts/http, http.email.trigger; miniflare src/workers/core/email.ts
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from pyworkers.runtime.mail import IncomingEmail, deliver_email, read_email
from pyworkers.server.egress import send_bytes
from pyworkers.server.errors import TEXT, describe_failure
from pyworkers.server.ingress import Receive, Scope, Send

if TYPE_CHECKING:
    from pyworkers.runtime.runtime import Runtime

MAX_BYTES: Final = 1024 * 1024
_PRODUCTION_BYTES: Final = 25 * 1024 * 1024
_INVALID: Final = (
    b"Invalid email. Your request must include URL parameters specifying the `from` and `to` addresses, as well as an "
    b"email in the body"
)
_TOO_BIG: Final = (
    b"Email message size is bigger than the production size limit of 25MiB. Local development has a lower limit of "
    b"1Mib."
)
_TOO_BIG_HERE: Final = (
    b"Email message size is within the production size limit of 25MiB, but exceeds the lower 1Mib limit for testing "
    b"locally."
)
_NO_ID: Final = b"Email could not be parsed: invalid or no message id provided"
_log = logging.getLogger("pyworkers.email")


class EmailRoute:
    """Delivers e-mail.

    Args:
        runtime: whose primary worker gets it.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        sender, recipient = query.get("from", [""])[0], query.get("to", [""])[0]
        raw = await read_body(receive, most=_PRODUCTION_BYTES)
        if not raw or not sender or not recipient:
            return await send_bytes(send, 400, TEXT, _INVALID)
        if len(raw) > MAX_BYTES:
            return await send_bytes(send, 400, TEXT, _TOO_BIG if len(raw) > _PRODUCTION_BYTES else _TOO_BIG_HERE)
        parsed = read_email(raw)
        if parsed is None:
            return await send_bytes(send, 400, TEXT, _NO_ID)
        if sender != parsed.sender:
            _log.warning('the MAIL FROM address %s does not match the "From" header %s', sender, parsed.sender)
        if recipient not in parsed.addresses("to"):
            _log.warning('the RCPT TO address %s does not match any "To" header', recipient)
        message = IncomingEmail(sender, recipient, raw, parsed, self._runtime.mailbox)
        try:
            isolate = self._runtime.primary
        except Exception as error:
            return await send_bytes(send, 500, TEXT, describe_failure(error).encode())
        occurrence = await deliver_email(isolate, message, self._runtime.observer)
        if occurrence.error is not None:
            return await send_bytes(send, 500, TEXT, describe_failure(occurrence.error).encode())
        if message.reject_reason is not None:
            text = f"Worker rejected email with the following reason: {message.reject_reason}"
            return await send_bytes(send, 400, TEXT, text.encode())
        return await send_bytes(send, 200, TEXT, b"Worker successfully processed email")


async def read_body(receive: Receive, *, most: int) -> bytes:
    """Return a request's body; of what is longer than ``most``, one byte more than that."""
    body = b""
    while len(body) <= most:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body[: most + 1]
