"""AWS Signature Version 4: who signed a request, in its headers or in its query.

Source: docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html (checked 2026-11-23); the names of
R2's regions are those of developers.cloudflare.com/r2/api/s3/api
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from pyworkers.server.s3.credentials import Credentials
from pyworkers.server.s3.errors import S3Error
from pyworkers.server.s3.request import S3Request, encode

ALGORITHM: Final = "AWS4-HMAC-SHA256"
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
EMPTY_SHA256: Final = hashlib.sha256().hexdigest()
_MAX_SKEW_MS: Final = 15 * 60 * 1000
_MAX_EXPIRES_S: Final = 7 * 24 * 3600
_REGIONS: Final = ("wnam", "enam", "weur", "eeur", "apac", "oc", "auto")
_ALIASES: Final = ("us-east-1", "")
_DATE_FORMAT: Final = "%Y%m%dT%H%M%SZ"
_SPACES: Final = re.compile(" +")
_HASH: Final = re.compile("[0-9a-f]{64}")
# What may stand in place of a body's SHA-256.
PAYLOADS: Final = frozenset(
    (
        UNSIGNED,
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    )
)


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that is right.

    Attributes:
        payload: the SHA-256 that the body must have, in hexadecimal, or one of `PAYLOADS`.
        value: in hexadecimal; the first chunk's signature goes on from it.
        key: what chunks are signed with.
        timestamp: as it was signed.
        scope: as it was signed.
    """

    payload: str
    value: str
    key: bytes
    timestamp: str
    scope: str


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request says of its signature."""

    credential: str
    signed_headers: tuple[str, ...]
    value: str
    timestamp: str
    payload: str
    expires_s: int | None = None


def verify(request: S3Request, credentials: Credentials, now_ms: int) -> Signature:
    """Return a request's signature.

    Raises:
        S3Error: there is none, it is wrong, or its time is over.
    """
    claim = _claim(request)
    access_key_id, _, scope = claim.credential.partition("/")
    parts = scope.split("/")
    if len(parts) != 4 or parts[2:] != ["s3", "aws4_request"] or parts[0] != claim.timestamp[:8]:
        raise S3Error(
            "AuthorizationHeaderMalformed" if claim.expires_s is None else "AuthorizationQueryParametersError",
            f"The credential scope {scope!r} must be DATE/REGION/s3/aws4_request, of the date that was signed",
        )
    if not is_same(access_key_id, credentials.access_key_id):
        raise S3Error(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            403,
            AWSAccessKeyId=access_key_id,
        )
    if parts[1] not in (*_REGIONS, *_ALIASES):
        names = ", ".join(_REGIONS)
        raise S3Error("InvalidRegionName", f"The region name '{parts[1]}' is not valid. Must be one of: {names}")
    _check_time(claim, now_ms)
    _check_signed_headers(request, claim)
    key = _signing_key(credentials.secret_access_key, parts[0], parts[1])
    canonical = _canonical(request, claim)
    to_sign = "\n".join(
        (ALGORITHM, claim.timestamp, scope, hashlib.sha256(canonical.encode("latin-1", "replace")).hexdigest())
    )
    value = sign(key, to_sign)
    if not is_same(value, claim.value):
        raise S3Error(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided."
            " Check your key and signing method.",
            403,
            AWSAccessKeyId=access_key_id,
            StringToSign=to_sign,
            SignatureProvided=claim.value,
            CanonicalRequest=canonical,
        )
    return Signature(claim.payload, value, key, claim.timestamp, scope)


def is_same(one: str, other: str) -> bool:
    """Compare two secrets, or signatures, in a time that tells nothing of them."""
    return hmac.compare_digest(one.encode(), other.encode())


def sign(key: bytes, text: str) -> str:
    """Return the signature of a text, in hexadecimal."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _claim(request: S3Request) -> _Claim:
    header = request.headers.get("authorization")
    query = {name.lower(): value for name, value in request.query if name.lower().startswith("x-amz-")}
    if header is not None:
        return _header_claim(request, header)
    if query.get("x-amz-algorithm") == ALGORITHM:
        return _query_claim(query)
    names = {name for name, _ in request.query}
    if {"AWSAccessKeyId", "Signature"} <= names or "x-amz-algorithm" in query:
        raise _unsupported()
    raise S3Error("AccessDenied", "Access Denied", 403)


def _header_claim(request: S3Request, header: str) -> _Claim:
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise _unsupported()
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    payload = request.headers.get("x-amz-content-sha256", "")
    try:
        credential, signed, value = fields["Credential"], fields["SignedHeaders"], fields["Signature"]
    except KeyError as error:
        raise S3Error(
            "AuthorizationHeaderMalformed", f"The authorization header is malformed; {error.args[0]} is missing."
        ) from None
    if not payload:
        raise S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    if payload not in PAYLOADS and not _HASH.fullmatch(payload):
        raise S3Error(
            "InvalidArgument",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER,"
            " STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
        )
    timestamp = request.headers.get("x-amz-date") or _of_http_date(request.headers.get("date", ""))
    return _Claim(credential, tuple(signed.split(";")), value, timestamp, payload)


def _query_claim(query: dict[str, str]) -> _Claim:
    try:
        expires_s = int(query["x-amz-expires"])
        credential, signed, value, timestamp = (
            query[f"x-amz-{name}"] for name in ("credential", "signedheaders", "signature", "date")
        )
    except (KeyError, ValueError):
        raise S3Error(
            "AuthorizationQueryParametersError",
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature,"
            " X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        ) from None
    if not 0 < expires_s <= _MAX_EXPIRES_S:
        raise S3Error(
            "AuthorizationQueryParametersError",
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than"
            " 604800 seconds",
        )
    payload = query.get("x-amz-content-sha256", UNSIGNED)
    return _Claim(credential, tuple(signed.split(";")), value, timestamp, payload, expires_s)


def _check_time(claim: _Claim, now_ms: int) -> None:
    try:
        signed_ms = int(datetime.strptime(claim.timestamp, _DATE_FORMAT).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        raise S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header", 403) from None
    moments = {"ServerTime": _iso(now_ms)}
    if claim.expires_s is not None and now_ms > signed_ms + claim.expires_s * 1000:
        expired = {"X-Amz-Expires": str(claim.expires_s), "Expires": _iso(signed_ms + claim.expires_s * 1000)}
        raise S3Error("AccessDenied", "Request has expired", 403, **expired, **moments)
    is_early = signed_ms > now_ms + _MAX_SKEW_MS
    if is_early or (claim.expires_s is None and signed_ms < now_ms - _MAX_SKEW_MS):
        raise S3Error(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            403,
            RequestTime=claim.timestamp,
            **moments,
            MaxAllowedSkewMilliseconds=str(_MAX_SKEW_MS),
        )


def _check_signed_headers(request: S3Request, claim: _Claim) -> None:
    missing = [
        name
        for name in request.headers
        if (name == "host" or name.startswith("x-amz-"))
        and name not in claim.signed_headers
        and name != "x-amz-content-sha256"
    ]
    if missing:
        raise S3Error(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            403,
            HeadersNotSigned=", ".join(missing),
        )


def _canonical(request: S3Request, claim: _Claim) -> str:
    query = sorted((encode(name), encode(value)) for name, value in request.query if name.lower() != "x-amz-signature")
    headers = "".join(
        f"{name}:{_SPACES.sub(' ', request.headers.get(name, '').strip())}\n" for name in claim.signed_headers
    )
    return "\n".join(
        (
            request.method,
            quote_from_bytes(unquote_to_bytes(request.path), "/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            headers,
            ";".join(claim.signed_headers),
            claim.payload,
        )
    )


def _signing_key(secret: str, date: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _unsupported() -> S3Error:
    return S3Error(
        "InvalidRequest",
        f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}.",
    )


def _iso(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _of_http_date(text: str) -> str:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).astimezone(UTC).strftime(_DATE_FORMAT)
    except (ValueError, OverflowError):
        return ""
