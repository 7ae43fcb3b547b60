"""What the S3 API answers when it refuses, as XML.

Source: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (checked 2026-11-23)
"""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

XML: Final = b"application/xml"


class S3Error(Exception):
    """A request is refused.

    Args:
        code: S3's own, such as ``SignatureDoesNotMatch``.
        message: S3's text.
        status: of HTTP.
        details: further elements of the answer.
    """

    def __init__(self, code: str, message: str, status: int = 400, **details: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.details = details

    def body(self, resource: str, request_id: str) -> bytes:
        """Return the answer's body."""
        fields = {"Code": self.code, "Message": self.message, **self.details, "Resource": resource}
        elements = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items())
        document = f"<Error>{elements}<RequestId>{request_id}</RequestId></Error>"
        return b'<?xml version="1.0" encoding="UTF-8"?>\n' + document.encode("utf-8", "replace")


def not_implemented(what: str) -> S3Error:
    """Return the refusal of what R2 does not have either."""
    return S3Error("NotImplemented", f"{what} not implemented", 501)


def internal_error() -> S3Error:
    """Return the refusal of a request that failed here."""
    return S3Error("InternalError", "We encountered an internal error. Please try again.", 500)
