"""An object's attributes as the headers that the S3 API shows them as."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
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
_DEFAULT_TYPE: Final = "binary/octet-stream"


def headers_of_attributes(attributes: R2Attributes) -> dict[str, str]:
    """Return the headers of an object; S3 gives every object a type."""
    headers = {_HEADERS["content_type"]: _DEFAULT_TYPE}
    headers.update({_HEADERS[name]: value for name, value in attributes.http.items()})
    if attributes.cache_expires_ms is not None:
        moment = datetime.fromtimestamp(attributes.cache_expires_ms / 1000, UTC)
        headers[_EXPIRES] = format_datetime(moment, usegmt=True)
    headers.update({f"{_CUSTOM}{name}": value for name, value in attributes.custom.items()})
    return headers


def attributes_of_headers(headers: Mapping[str, str]) -> R2Attributes:
    """Return the attributes that headers stand for; other headers are left out."""
    found = {name.lower(): value for name, value in headers.items()}
    http = {name: found[header.lower()] for name, header in _HEADERS.items() if header.lower() in found}
    if http.get("content_type") == _DEFAULT_TYPE:
        del http["content_type"]
    custom = {name.removeprefix(_CUSTOM): value for name, value in found.items() if name.startswith(_CUSTOM)}
    return R2Attributes(http, _moment_ms(found.get(_EXPIRES.lower())), custom)


def _moment_ms(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int(parsedate_to_datetime(text).timestamp() * 1000)
    except ValueError:
        return None
