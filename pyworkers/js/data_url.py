"""``data:`` URLs, which ``fetch`` answers itself.

Source: fetch.spec.whatwg.org, section 6 (data: URL processor)
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from pyworkers.js.mime import MimeType

DEFAULT_TYPE: Final = "text/plain;charset=US-ASCII"
_BASE64: Final = re.compile(r"; *base64$", re.IGNORECASE)
_ASCII_WHITESPACE: Final = re.compile(rb"[\t\n\f\r ]+")
_BASE64_ALPHABET: Final = re.compile(rb"[A-Za-z0-9+/]*={0,2}")


def parse_data_url(url: str) -> tuple[bytes, str] | None:
    """Return the bytes and the MIME type of a data URL, or None where it is none or a wrong one."""
    if not url.startswith("data:"):
        return None
    kind, comma, payload = url[5:].partition("#")[0].partition(",")
    if not comma:
        return None
    kind = kind.strip(" ")
    data: bytes | None = unquote_to_bytes(payload)
    assert data is not None
    marker = _BASE64.search(kind)
    if marker is not None:
        kind = kind[: marker.start()]
        data = forgiving_base64(data)
        if data is None:
            return None
    mime_type = MimeType.parse(f"text/plain{kind}" if kind.startswith(";") else kind)
    return data, DEFAULT_TYPE if mime_type is None else str(mime_type)


def forgiving_base64(data: bytes) -> bytes | None:
    """Decode base64 with whitespace and without padding allowed; None where it is wrong."""
    data = _ASCII_WHITESPACE.sub(b"", data)
    if len(data) % 4 == 0:
        data = data.removesuffix(b"=").removesuffix(b"=") if data.endswith(b"=") else data
    if len(data) % 4 == 1 or b"=" in data or not _BASE64_ALPHABET.fullmatch(data):
        return None
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4))
    except binascii.Error:
        return None
