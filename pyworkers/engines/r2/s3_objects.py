"""How an object of R2 lies on an S3 endpoint.

What S3 has a header for goes there, so that other programs see it: the HTTP metadata, and custom metadata whose names
are small letters and whose values are plain ASCII. The rest stands in one header more, `PRIVATE`, as base64 of JSON.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from pyworkers.engines.r2.protocol import R2Attributes, R2Object

PRIVATE: Final = "pyworkers"
# Our name -> boto3's.
_FIELDS: Final = {
    "content_type": "ContentType",
    "content_language": "ContentLanguage",
    "content_disposition": "ContentDisposition",
    "content_encoding": "ContentEncoding",
    "cache_control": "CacheControl",
}
_STORAGE_CLASSES: Final = {"Standard": "STANDARD", "InfrequentAccess": "STANDARD_IA"}
# What endpoints say of an object whose writer named no type.
_NO_TYPES: Final = ("binary/octet-stream", "application/octet-stream")
_NAME: Final = re.compile("[a-z0-9][a-z0-9_-]*")
_PLAIN: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_WHOLE_MD5: Final = re.compile("[0-9a-f]{32}")


def write_arguments(attributes: R2Attributes, checksums: Mapping[str, bytes]) -> dict[str, Any]:
    """Return boto3's arguments that store attributes, and digests that S3 does not keep, with an object."""
    private: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    for name, value in attributes.http.items():
        if _PLAIN.fullmatch(value) and value not in _NO_TYPES and value != "aws-chunked":
            arguments[_FIELDS[name]] = value
        else:
            private.setdefault("http", {})[name] = value
    if attributes.cache_expires_ms is not None:
        private["cache_expires_ms"] = attributes.cache_expires_ms
        arguments["Expires"] = _expires(attributes.cache_expires_ms)
    custom = dict(attributes.custom)
    if all(_NAME.fullmatch(name) and name != PRIVATE and _PLAIN.fullmatch(value) for name, value in custom.items()):
        arguments["Metadata"] = custom
    else:
        arguments["Metadata"] = {}
        private["custom"] = custom
    if attributes.storage_class is not None:
        private["storage_class"] = attributes.storage_class
        if attributes.storage_class in _STORAGE_CLASSES:
            arguments["StorageClass"] = _STORAGE_CLASSES[attributes.storage_class]
    sums = {name: value.hex() for name, value in checksums.items() if name != "md5"}
    if sums:
        private["checksums"] = sums
    if private:
        text = json.dumps(private, ensure_ascii=False, separators=(",", ":"))
        arguments["Metadata"][PRIVATE] = base64.b64encode(text.encode()).decode()
    return {name: value for name, value in arguments.items() if value is not None}


def object_of_answer(key: str, answer: Mapping[str, Any]) -> R2Object:
    """Return the object that boto3's answer to a HEAD or a GET tells of."""
    metadata = {name.lower(): value for name, value in answer.get("Metadata", {}).items()}
    private = _private(metadata.pop(PRIVATE, None))
    http = {name: answer[field] for name, field in _FIELDS.items() if answer.get(field)}
    if http.get("content_type") in _NO_TYPES:
        del http["content_type"]
    http.update(private.get("http", {}))
    classes = {theirs: ours for ours, theirs in _STORAGE_CLASSES.items()}
    attributes = R2Attributes(
        http,
        private.get("cache_expires_ms", _expires_ms(answer)),
        private.get("custom", metadata),
        private.get("storage_class", classes.get(answer.get("StorageClass", ""))),
    )
    checksums = {name: bytes.fromhex(value) for name, value in private.get("checksums", {}).items()}
    size = answer["ContentLength"]
    return make_object(key, answer["ETag"], answer["LastModified"], size, attributes=attributes, checksums=checksums)


def make_object(
    key: str,
    etag: str,
    modified: datetime,
    size: int,
    *,
    attributes: R2Attributes,
    checksums: Mapping[str, bytes] | None = None,
) -> R2Object:
    """Return an object. Its version is made of its tag and time: an endpoint need not keep versions."""
    tag = etag.strip('"')
    uploaded_ms = int(modified.timestamp() * 1000)
    # Whole seconds: listings and headers of one endpoint tell the time to different digits.
    version = hashlib.md5(f"{key}\0{tag}\0{uploaded_ms // 1000}".encode(), usedforsecurity=False).hexdigest()
    sums = dict(checksums or {})
    if _WHOLE_MD5.fullmatch(tag):
        sums["md5"] = bytes.fromhex(tag)
    return R2Object(key, version, size, tag, uploaded_ms, sums, attributes)


def _private(text: str | None) -> dict[str, Any]:
    """Return what the private header holds; another program's of that name holds nothing."""
    try:
        found = json.loads(base64.b64decode(text or "", validate=True) or b"{}")
    except (binascii.Error, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _expires(moment_ms: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(moment_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _expires_ms(answer: Mapping[str, Any]) -> int | None:
    try:
        return int(parsedate_to_datetime(answer["ExpiresString"]).timestamp() * 1000)
    except (KeyError, ValueError):
        return None
