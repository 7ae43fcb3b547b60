"""An object's attributes as the headers that the S3 API shows them as.

Header values are ASCII; R2 takes and gives other text as RFC 2047 has it.

Source: developers.cloudflare.com/r2/api/s3/extensions (checked 2026-11-23)
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final

from pyworkers.engines.r2.protocol import R2Attributes

_HEADERS: Final = {
    "content_type": "Content-Type",
    "content_language": "Content-Language",
    "content_disposition": "Content-Disposition",
    "content_encoding": "Content-Encoding",
    "cache_control": "Cache-Control",
}
_EXPIRES: Final = "Expires"
_CUSTOM: Final = "x-amz-meta-"
_MISSING: Final = "x-amz-missing-meta"
_STORAGE_CLASS: Final = "x-amz-storage-class"
_DEFAULT_TYPE: Final = "binary/octet-stream"
_STORAGE_CLASSES: Final = {"Standard": "STANDARD", "InfrequentAccess": "STANDARD_IA"}
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PLAIN: Final = re.compile(r"[\x20-\x7e\t]*")
_ENCODED_WORD: Final = re.compile(r"=\?[^?]+\?[bBqQ]\?[^?]*\?=")
# How aws-chunked names itself among the encodings of a body that it no longer encodes.
_TRANSFER_CODING: Final = "aws-chunked"


def headers_of_attributes(attributes: R2Attributes) -> dict[str, str]:
    """Return the headers of an object; S3 gives every object a type.

    Custom fields whose name no header can have are counted in ``x-amz-missing-meta``, as S3 does.
    """
    headers = {_HEADERS["content_type"]: _DEFAULT_TYPE}
    headers.update({_HEADERS[name]: _encoded(value) for name, value in attributes.http.items()})
    if attributes.cache_expires_ms is not None:
        moment = datetime.fromtimestamp(attributes.cache_expires_ms / 1000, UTC)
        headers[_EXPIRES] = format_datetime(moment, usegmt=True)
    custom = {name: value for name, value in attributes.custom.items() if _TOKEN.fullmatch(name)}
    headers.update({f"{_CUSTOM}{name}": _encoded(value) for name, value in custom.items()})
    if len(custom) < len(attributes.custom):
        headers[_MISSING] = str(len(attributes.custom) - len(custom))
    return headers


def attributes_of_headers(headers: Mapping[str, str]) -> R2Attributes:
    """Return the attributes that headers stand for; other headers are left out."""
    found = {name.lower(): value for name, value in headers.items()}
    http = {name: _decoded(found[header.lower()]) for name, header in _HEADERS.items() if header.lower() in found}
    if http.get("content_type") == _DEFAULT_TYPE:
        del http["content_type"]
    if "content_encoding" in http:
        kept = [coding for coding in re.split(r"\s*,\s*", http.pop("content_encoding")) if coding != _TRANSFER_CODING]
        if any(kept):
            http["content_encoding"] = ", ".join(kept)
    custom = {name.removeprefix(_CUSTOM): _decoded(text) for name, text in found.items() if name.startswith(_CUSTOM)}
    classes = {theirs: ours for ours, theirs in _STORAGE_CLASSES.items()}
    storage_class = classes.get(found.get(_STORAGE_CLASS, ""))
    return R2Attributes(http, _moment_ms(found.get(_EXPIRES.lower())), custom, storage_class)


def s3_storage_class(attributes: R2Attributes) -> str:
    """Return an object's storage class as S3 names it."""
    return _STORAGE_CLASSES.get(attributes.storage_class or "Standard", "STANDARD")


def _encoded(text: str) -> str:
    if _PLAIN.fullmatch(text) and not _ENCODED_WORD.search(text):
        return text
    return f"=?UTF-8?B?{base64.b64encode(text.encode('utf-8', 'replace')).decode()}?="


def _decoded(text: str) -> str:
    """Return a header's text; one that cannot be decoded stands for itself."""
    if not text.isascii():
        try:
            return text.encode("latin-1").decode("utf-8")  # as it came over the wire
        except UnicodeError:
            return text
    if not _ENCODED_WORD.search(text):
        return text
    try:
        return str(make_header(decode_header(text)))
    except (MessageError, UnicodeError, LookupError, ValueError):
        return text


def _moment_ms(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int(parsedate_to_datetime(text).timestamp() * 1000)
    except ValueError:
        return None
