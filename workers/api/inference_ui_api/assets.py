"""A tenant's files in R2: PUT, GET, HEAD and DELETE /assets/<name>, GET /assets, and signed downloads.

POST /assets/<name> answers with an address under /download/ that works without a key for a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import formatdate, parsedate_to_datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

from pyodide.ffi import JsException

from workers import Response

from .call import Call, now_ms
from .flow_store import iso
from .secrets_text import is_same
from .tenancy import TenantBucket, TenantData
from .tokens import sign_text, signing_secret
from .web import HttpError, header, invalid, json_response, parse_json, read_body

MAX_BYTES: Final = 26_214_400
MAX_NAME_BYTES: Final = 512
MAX_LIST: Final = 1000
MAX_SIGNED_S: Final = 7 * 86_400
DEFAULT_SIGNED_S: Final = 3600
_NOT_IN_NAMES: Final = re.compile(r"[\x00-\x1f\x7f\\]")
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII | re.IGNORECASE)
_LIMIT: Final = re.compile(r"[0-9]{1,4}")
# Files are a tenant's, the origin is everybody's: a page among them must not run as ours.
SAFE_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "accept-ranges": "bytes",
    "vary": "Authorization",
}


async def put_asset(call: Call) -> Response:
    """Store the body under a name."""
    name = _name(call.tail)
    body = await read_body(call.request, max_bytes=MAX_BYTES)
    content_type = header(call.request, "content-type") or "application/octet-stream"
    stored = await call.data.bucket.put(name, body, httpMetadata={"contentType": content_type})
    described = {"name": name, "size": len(body), "etag": stored.httpEtag, "contentType": content_type}
    return json_response(described, status=201, headers={"location": f"/assets/{quote(name)}"})


async def get_asset(call: Call) -> Response:
    """Answer with a file, a part of it, or 304."""
    return await _send(call, call.data.bucket, _name(call.tail))


async def delete_asset(call: Call) -> Response:
    """Delete a file; 204 also where there is none."""
    await call.data.bucket.delete(_name(call.tail))
    return Response(None, status=204)


async def list_assets(call: Call) -> Response:
    """Answer with names, sizes and times, page by page."""
    query = dict(parse_qsl(call.url.query))
    limit_text = query.get("limit", "100")
    if not _LIMIT.fullmatch(limit_text) or not 1 <= int(limit_text) <= MAX_LIST:
        raise invalid("limit", f"must be a whole number from 1 to {MAX_LIST}")
    bucket = call.data.bucket
    try:
        objects, cursor = await bucket.list(query.get("prefix", ""), limit=int(limit_text), cursor=query.get("cursor"))
    except JsException as error:
        raise invalid("cursor", "is not one that a page ended with") from error
    assets = [
        {
            "name": bucket.name(found.key),
            "size": found.size,
            "etag": found.httpEtag,
            "uploadedAt": iso(_uploaded_ms(found)),
        }
        for found in objects
    ]
    return json_response({"assets": assets, "cursor": cursor}, headers={"cache-control": "no-store"})


async def sign_asset(call: Call) -> Response:
    """Answer with an address that downloads a file without a key, until it expires."""
    name = _name(call.tail)
    raw = await read_body(call.request, max_bytes=1024)
    body = parse_json(raw) if raw.strip() else {}
    seconds = body.get("expiresIn", DEFAULT_SIGNED_S) if isinstance(body, Mapping) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 1 <= seconds <= MAX_SIGNED_S:
        raise invalid("expiresIn", f"must be a whole number of seconds from 1 to {MAX_SIGNED_S}")
    if await call.data.bucket.head(name) is None:
        raise _missing(name)
    expires_s = now_ms() // 1000 + seconds
    signature = _signature(call.env, call.tenant_id, name, str(expires_s))
    path = f"/download/{quote(call.tenant_id)}/{quote(name)}?expires={expires_s}&signature={signature}"
    url = f"{call.url.scheme}://{call.url.netloc}{path}"
    return json_response(
        {"url": url, "expiresAt": iso(expires_s * 1000)}, status=201, headers={"cache-control": "no-store"}
    )


async def download(call: Call) -> Response:
    """Answer with a file whose address was signed.

    Raises:
        HttpError: 403, the signature is not ours or its time is over.
    """
    tenant_id, _, rest = unquote(call.tail[1:]).partition("/")
    query = dict(parse_qsl(call.url.query))
    expires, signature = query.get("expires", ""), query.get("signature", "")
    is_ours = is_same(signature, _signature(call.env, tenant_id, rest, expires))
    if not is_ours or not expires.isdigit() or int(expires) <= now_ms() // 1000:
        raise HttpError(403, "The download address is not valid or has expired", code="FORBIDDEN")
    return await _send(call, TenantData(call.env, tenant_id).bucket, rest)


async def _send(call: Call, bucket: TenantBucket, name: str) -> Response:
    options: dict[str, Any] = {}
    head = await bucket.head(name)
    if head is None:
        raise _missing(name)
    if _is_known(call, head):
        return Response(None, status=304, headers=_headers(head))
    if call.method == "HEAD":
        return Response(None, status=200, headers={**_headers(head), "content-length": str(head.size)})
    wanted = _range(header(call.request, "range"), head.size) if _takes_range(call, head) else None
    if wanted is not None:
        options["range"] = {"offset": wanted[0], "length": wanted[1]}
    found = await bucket.get(name, **options)
    if found is None:
        raise _missing(name)
    fields = _headers(found)
    if "range" not in options:
        return Response(found.body, status=200, headers={**fields, "content-length": str(found.size)})
    offset, length = options["range"]["offset"], options["range"]["length"]
    fields |= {"content-range": f"bytes {offset}-{offset + length - 1}/{found.size}", "content-length": str(length)}
    return Response(found.body, status=206, headers=fields)


def _takes_range(call: Call, found: Any) -> bool:
    """Tell whether a part of the file is of use: the client has the rest of it, or does not say what it has."""
    condition = header(call.request, "if-range")
    return condition in (None, found.httpEtag, _last_modified(found))


def _is_known(call: Call, found: Any) -> bool:
    """Tell whether the client has the file as it is, by its ETag, or, where it sent none, by its time."""
    etags = header(call.request, "if-none-match")
    if etags is not None:
        known = [one.strip().removeprefix("W/") for one in etags.split(",")]
        return known == ["*"] or found.httpEtag in known
    since = header(call.request, "if-modified-since")
    try:
        return since is not None and _uploaded_ms(found) // 1000 <= parsedate_to_datetime(since).timestamp()
    except (ValueError, OverflowError):  # no date: as if it were not there
        return False


def _uploaded_ms(found: Any) -> int:
    """Return when a file was stored; the SDK converts single objects, and those of a list not."""
    if isinstance(found.uploaded, datetime):
        return round(found.uploaded.timestamp() * 1000)
    return int(found.uploaded.getTime())


def _last_modified(found: Any) -> str:
    return formatdate(_uploaded_ms(found) // 1000, usegmt=True)


def _headers(found: Any) -> dict[str, str]:
    content_type = getattr(found.httpMetadata, "contentType", None)
    return {
        **SAFE_HEADERS,
        "content-type": content_type if isinstance(content_type, str) else "application/octet-stream",
        "etag": found.httpEtag,
        "last-modified": _last_modified(found),
        "cache-control": "private, no-cache",
    }


def _range(value: str | None, size: int) -> tuple[int, int] | None:
    """Return offset and length of the one range asked for; None for the whole file.

    Raises:
        HttpError: 416, no byte of the file lies in it.
    """
    match = _RANGE.fullmatch(value.strip()) if value else None
    if match is None or match[1] == match[2] == "":
        return None  # several ranges, another unit or no range: the whole file is a right answer
    if match[1]:
        start, end = _number(match[1]), _number(match[2]) if match[2] else size - 1
        if match[2] and end < start:
            return None
        end = min(end, size - 1)
    else:
        start, end = max(0, size - _number(match[2])), size - 1
    if start > end:
        raise HttpError(416, "The range lies outside of the file", headers={"content-range": f"bytes */{size}"})
    return start, end - start + 1


def _number(digits: str) -> int:
    """Return a number; one of more digits than any file has bytes is not read to its end."""
    return int(digits.lstrip("0")[:19] or "0")


def _name(tail: str) -> str:
    """Return the name that a path ends in.

    Raises:
        HttpError: 400, it cannot be one.
    """
    name = unquote(tail[1:])
    parts = name.split("/")
    if not name or len(name.encode()) > MAX_NAME_BYTES or _NOT_IN_NAMES.search(name):
        raise invalid("name", f"must have 1 to {MAX_NAME_BYTES} bytes, without control characters and backslashes")
    if "" in parts or "." in parts or ".." in parts:
        raise invalid("name", 'must not have empty parts, "." or ".."')
    return name


def _missing(name: str) -> HttpError:
    return HttpError(404, f"There is no asset {name}", code="NOT_FOUND")


def _signature(env: Any, tenant_id: str, name: str, expires: str) -> str:
    return sign_text(f"{tenant_id}\n{name}\n{expires}", signing_secret(env), purpose="download")
