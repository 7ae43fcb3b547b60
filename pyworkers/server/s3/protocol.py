# ruff: noqa: ARG002, ARG004, FBT001, FBT002 - moto's signatures
"""moto's own S3 protocol code over a project's buckets: which operation a request is, and its answer's XML.

What differs from moto: bodies pass by it (they are stored before, and read after), an object and its attributes are
written in one transaction, conditions are R2's, listings are pages of the table. Importing this module imports moto.

Everything here blocks.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit
from xml.parsers.expat import ExpatError

import xmltodict
from moto.core.common_types import TYPE_RESPONSE
from moto.core.request import Request
from moto.core.responses import ActionResult
from moto.s3.exceptions import (
    InvalidArgumentError,
    MalformedXML,
    MissingKey,
    NoSuchUpload,
    PreconditionFailed,
    S3ClientError,
)
from moto.s3.models import FakeKey
from moto.s3.responses import S3Response

from pyworkers.engines.r2.conditions import R2Condition
from pyworkers.engines.r2.moto_backend import DurableBackend
from pyworkers.engines.r2.moto_objects import DurableKey, IncomingBody, KeyBody
from pyworkers.engines.r2.protocol import R2Attributes
from pyworkers.engines.r2.uploads import UploadChecksum
from pyworkers.server.s3.intake import CHECKSUM_HEADER

MAX_KEYS: Final = 1000
_AUTHORIZED: Final = "AWS4-HMAC-SHA256 Credential=pyworkers/20260101/us-east-1/s3/aws4_request"
_OWNER: Final = {"ID": "pyworkers", "DisplayName": "pyworkers"}
# Headers that moto may see: the others are looked at before, or would have it do what R2 does not.
_PASSED: Final = frozenset(("range", "content-length", "x-amz-copy-source", "x-amz-copy-source-range"))
_PASSED_MODE: Final = "x-amz-checksum-mode"


class BadChecksum(S3ClientError):
    """The parts make another checksum than the one that was sent."""

    code = "BadDigest"

    def __init__(self, name: str) -> None:
        super().__init__("BadDigest", f"The {name} you specified did not match the calculated checksum.")


@dataclass(slots=True)
class S3Call:
    """One operation.

    Attributes:
        bucket, key: "" where there is none.
        query: without what signs it.
        headers: lower-case names.
        body: XML, or nothing.
        incoming: the body of an object or a part, which is stored already.
        attributes: of the object or the upload that is written.
        must: what the object that is there must fulfil; 412 where it does not.
        changed: what else a reader asks; 304 where it does not hold.
        source: the same two of an object that is copied.
        checksum: what an upload computes of its parts.
        checksums: headers that tell of a body's checksums.
    """

    operation: str
    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    incoming: IncomingBody | None = None
    attributes: R2Attributes = R2Attributes()  # noqa: RUF009 - frozen
    must: R2Condition = R2Condition()  # noqa: RUF009 - frozen
    changed: R2Condition = R2Condition()  # noqa: RUF009 - frozen
    source: tuple[R2Condition, R2Condition] = (R2Condition(), R2Condition())
    checksum: UploadChecksum | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call answers; a body that is to be read must be closed."""

    status: int
    headers: dict[str, str]
    body: bytes | KeyBody


def answer(backend: DurableBackend, call: S3Call) -> Answer:
    """Carry out a call.

    Raises:
        ReplacedMeanwhile: the object was replaced while it was looked at: call again.
        EngineError: the storage failed.
    """
    status, headers, body = S3Protocol(backend, call).respond()
    if not isinstance(body, bytes | KeyBody):
        body = str(body).encode()
    shown = {name.lower(): str(value) for name, value in headers.items() if value is not None}
    for name in ("server", "status", "x-amz-sdk-checksum-algorithm"):
        shown.pop(name, None)
    if shown.get("x-amz-version-id") == "null":
        del shown["x-amz-version-id"]
    return Answer(int(status), shown, body)


class S3Protocol(S3Response):
    """moto's S3 responses, of one call.

    Args:
        backend: the buckets.
        call: what is asked.
    """

    def __init__(self, backend: DurableBackend, call: S3Call) -> None:
        super().__init__()
        self._backend = backend
        self.call = call

    @property
    def backend(self) -> DurableBackend:
        """The project's buckets, whatever account and region a request names."""
        return self._backend

    def respond(self) -> TYPE_RESPONSE:
        """Return status, headers and body."""
        call = self.call
        path = "/" + quote(call.bucket) + (f"/{quote(call.key)}" if call.key else "")
        query = urlencode(call.query, quote_via=quote)
        url = f"http://localhost{path}" + (f"?{query}" if query else "")
        headers = {name: value for name, value in call.headers.items() if name in _PASSED or name == _PASSED_MODE}
        headers |= {"Host": "localhost", "Authorization": _AUTHORIZED, "Content-Length": str(len(call.body))}
        request = Request.from_primitives(call.method, url, headers, call.body)
        request.environ["RAW_URI"] = path
        respond = self.key_response if call.key else self.bucket_response
        try:
            return respond(request, url, headers)
        except (ExpatError, KeyError, TypeError) as error:
            if not call.body:
                raise
            raise MalformedRequest from error

    # ---- what moto asks of itself

    def setup_class(  # type: ignore[override]  # as S3Response narrows it
        self, request: Request, full_url: str | None = None, headers: Any = None
    ) -> None:
        """Take the request, and the body that came before it."""
        super().setup_class(request, full_url, headers)
        if self.call.incoming is not None:
            self.body = self.call.incoming

    @staticmethod
    def subdomain_based_buckets(request: Any) -> bool:
        """Tell that the path names the bucket."""
        return False

    def _authenticate_and_authorize_s3_action(
        self, bucket_name: str | None = None, key_name: str | None = None
    ) -> None:
        """The signature was verified before, and there is one user."""

    def _get_checksum(self, response_headers: dict[str, Any]) -> tuple[str, str | None]:
        """Tell the checksums, which were verified before."""
        response_headers.update(self.call.checksums)
        return "", None

    # ---- objects

    def _get_key(self, validate_storage_class: bool = True) -> tuple[FakeKey, bool]:
        key = self.backend.get_object(self.call.bucket, self.call.key, self.call.query.get("versionId"))
        if key is None:
            raise MissingKey(key=self.call.key)
        return key, self._is_unmodified(key)

    def _is_unmodified(self, key: DurableKey) -> bool:
        found = key.record
        if not self.call.must.holds(found.etag, found.uploaded_ms):
            raise PreconditionFailed("If-Match" if self.call.must.etag_matches else "If-Unmodified-Since")
        return not self.call.changed.holds(found.etag, found.uploaded_ms)

    def head_object(
        self, bucket_name: str, query: dict[str, Any], key_name: str, headers: dict[str, Any]
    ) -> TYPE_RESPONSE:
        """Return an object's headers."""
        key = self.backend.get_object(bucket_name, key_name, self.call.query.get("versionId"))
        if key is not None and self._is_unmodified(key):
            return 304, {"ETag": key.etag, "last-modified": key.last_modified_RFC1123}, ""
        status, found, body = super().head_object(bucket_name, query, key_name, headers)
        if key is not None and headers.get(_PASSED_MODE) == "ENABLED" and key.checksum_algorithm:
            found["x-amz-checksum-type"] = key.checksum_type
            if key.checksum_parts is not None:
                found[CHECKSUM_HEADER + key.checksum_algorithm.lower()] += f"-{key.checksum_parts}"
        return status, found, body

    def delete_object(self) -> TYPE_RESPONSE:
        """Remove an object."""
        if self.call.must.etag_matches is not None:
            self._get_key()
        self.backend.delete_keys(self.call.bucket, [self.call.key])
        return 204, {}, ""

    def _bucket_response_delete_keys(self, bucket_name: str, authenticated: bool = True) -> TYPE_RESPONSE:
        asked = xmltodict.parse(self.body, strip_whitespace=False)["Delete"]
        objects = asked.get("Object", [])
        objects = objects if isinstance(objects, list) else [objects]
        if not 0 < len(objects) <= MAX_KEYS:
            raise MalformedXML
        keys = [item["Key"] for item in objects]
        self.backend.delete_keys(bucket_name, keys)
        is_quiet = str(asked.get("Quiet", "")).strip() == "true"
        return self._xml("DeleteObjects", {"Deleted": [] if is_quiet else [{"Key": key} for key in keys]})

    def copy_object(self) -> TYPE_RESPONSE:
        """Store a copy of an object."""
        source = self._copy_source()
        is_replaced = self.call.headers.get("x-amz-metadata-directive") == "REPLACE"
        attributes = self.call.attributes if is_replaced else None
        made = self.backend.copy_key(source, self.call.bucket, self.call.key, attributes)
        result: dict[str, str | None] = {"ETag": made.etag, "LastModified": made.last_modified_ISO8601}
        if made.checksum_algorithm is not None:
            result |= {f"Checksum{made.checksum_algorithm}": made.checksum_value, "ChecksumType": made.checksum_type}
        return self._xml("CopyObject", {"CopyObjectResult": result})

    def upload_part_copy(self) -> TYPE_RESPONSE:
        """Store a part that is a part of an object."""
        self._copy_source()
        return super().upload_part_copy()

    def _copy_source(self) -> DurableKey:
        parsed = urlsplit(self.call.headers["x-amz-copy-source"])
        bucket, _, key = unquote(parsed.path).removeprefix("/").partition("/")
        version = parse_qs(parsed.query).get("versionId", [None])[0]
        found = self.backend.get_object(bucket, key, version)
        if found is None:
            raise MissingKey(key=key)
        record = found.record
        if not all(condition.holds(record.etag, record.uploaded_ms) for condition in self.call.source):
            raise PreconditionFailed("x-amz-copy-source-If-Match")
        return found

    # ---- uploads

    def _key_response_post(
        self, request: Any, body: bytes, bucket_name: str, query: dict[str, Any], key_name: str
    ) -> TYPE_RESPONSE:
        if self.call.operation == "CreateMultipartUpload":
            return self._create_upload()
        return self._complete_upload(body)

    def _create_upload(self) -> TYPE_RESPONSE:
        call = self.call
        upload = self.backend.create_multipart_upload(call.bucket, call.key, call.attributes, checksum=call.checksum)
        made = {"Bucket": call.bucket, "Key": call.key, "UploadId": upload.id}
        if call.checksum is not None:
            made["ChecksumAlgorithm"] = call.checksum.algorithm.upper()
            made["ChecksumType"] = "COMPOSITE" if call.checksum.is_composite else "FULL_OBJECT"
        return self._xml("CreateMultipartUpload", made)

    def _complete_upload(self, body: bytes) -> TYPE_RESPONSE:
        call = self.call
        upload_id = call.query["uploadId"]
        parts = list(self._complete_multipart_body(body))
        if not parts:
            raise MalformedXML
        existing = self.backend.get_object(call.bucket, call.key)
        is_wanted = (
            call.must.holds_without_object() and call.changed.holds_without_object()
            if existing is None
            else not self._is_unmodified(existing)
        )
        if not is_wanted:
            raise PreconditionFailed("If-None-Match")
        self._check_checksum(upload_id, [number for number, _ in parts])
        key = self.backend.complete_multipart_upload(call.bucket, upload_id, parts)
        made: dict[str, Any] = {"Bucket": call.bucket, "Key": call.key, "ETag": key.etag}
        made["Location"] = f"/{quote(call.bucket)}/{quote(call.key)}"
        if key.checksum_value:
            suffix = "" if key.checksum_parts is None else f"-{key.checksum_parts}"
            made[f"Checksum{key.checksum_algorithm}"] = key.checksum_value + suffix
            made["ChecksumType"] = key.checksum_type
        return self._xml("CompleteMultipartUpload", made)

    def _check_checksum(self, upload_id: str, numbers: list[int]) -> None:
        """Compare the checksum that the client computed of the whole object."""
        uploads = self.backend.bucket(self.call.bucket).uploads
        stored = [part for part in uploads.parts(upload_id) if part.number in numbers]
        for name, value in uploads.checksums(upload_id, stored).items():
            algorithm = name.rpartition("-")[2]
            given = self.call.headers.get(CHECKSUM_HEADER + algorithm)
            if given is not None and given.partition("-")[0] != base64.b64encode(value).decode():
                raise BadChecksum(algorithm.upper())

    def list_parts(self) -> TYPE_RESPONSE:
        """List the parts of an upload."""
        if self.backend.bucket(self.call.bucket).uploads.find(self.call.query["uploadId"]) is None:
            raise NoSuchUpload(upload_id=self.call.query["uploadId"])
        return super().list_parts()

    def list_multipart_uploads(self) -> TYPE_RESPONSE:
        """List the uploads that are under way."""
        query = self.call.query
        prefix, limit = query.get("prefix", ""), self._max_keys("max-uploads")
        after = query.get("key-marker", ""), query.get("upload-id-marker", "")
        # A key alone stands for all of its uploads.
        after = after if after[1] else (after[0], "\U0010ffff")
        found = sorted(self.backend.bucket(self.call.bucket).uploads.open_uploads(), key=lambda one: (one.key, one.id))
        following = [one for one in found if one.key.startswith(prefix) and (one.key, one.id) > after]
        shown = following[:limit]
        result: dict[str, Any] = {
            "Bucket": self.call.bucket,
            "KeyMarker": query.get("key-marker", ""),
            "UploadIdMarker": query.get("upload-id-marker", ""),
            "Prefix": self._shown(prefix),
            "MaxUploads": limit,
            "IsTruncated": len(following) > limit,
            "EncodingType": query.get("encoding-type"),
            "Uploads": [
                {
                    "Key": self._shown(one.key),
                    "UploadId": one.id,
                    "Initiator": _OWNER,
                    "Owner": _OWNER,
                    "StorageClass": "STANDARD",
                    "Initiated": one.created_ms / 1000,
                }
                for one in shown
            ],
        }
        if len(following) > limit and shown:
            result |= {"NextKeyMarker": self._shown(shown[-1].key), "NextUploadIdMarker": shown[-1].id}
        return self._xml("ListMultipartUploads", result)

    # ---- listings

    def list_objects(self) -> TYPE_RESPONSE:
        """List objects, as the first version has it."""
        marker = self.call.query.get("marker", "")
        result, last = self._listing(marker or None)
        result["Marker"] = self._shown(marker)
        if last is not None:
            result["NextMarker"] = self._shown(last)
        return self._xml("ListObjects", result)

    def list_objects_v2(self) -> TYPE_RESPONSE:
        """List objects, as the second version has it."""
        token, start = self.call.query.get("continuation-token"), self.call.query.get("start-after")
        after = start if token is None else self.backend.key_of_token(token)
        result, last = self._listing(after)
        result["KeyCount"] = len(result["Contents"]) + len(result["CommonPrefixes"])
        if token is not None:
            result["ContinuationToken"] = token
        elif start is not None:
            result["StartAfter"] = self._shown(start)
        if last is not None:
            result["NextContinuationToken"] = self.backend.token_of_key(last)
        return self._xml("ListObjectsV2", result)

    def _listing(self, after: str | None) -> tuple[dict[str, Any], str | None]:
        """Return what both versions tell, and the last key that it stands for where others follow."""
        query = self.call.query
        prefix, delimiter, limit = query.get("prefix", ""), query.get("delimiter", ""), self._max_keys("max-keys")
        bucket = self.backend.bucket(self.call.bucket)
        objects, prefixes, is_cut, last = self.backend.list_objects(bucket, prefix, delimiter, after, limit)
        is_owned = self.call.operation == "ListObjects" or query.get("fetch-owner") == "true"
        contents = [
            {
                "Key": self._shown(key.name),
                "LastModified": key.last_modified_ISO8601,
                "ETag": key.etag,
                "Size": key.size,
                "StorageClass": key.storage_class,
                **({"Owner": _OWNER} if is_owned else {}),
            }
            for key in objects
        ]
        result = {
            "Name": bucket.name,
            "Prefix": self._shown(prefix),
            "Delimiter": self._shown(delimiter) or None,
            "MaxKeys": limit,
            "IsTruncated": is_cut,
            "EncodingType": query.get("encoding-type"),
            "Contents": contents,
            "CommonPrefixes": [{"Prefix": self._shown(common)} for common in prefixes],
        }
        return {name: value for name, value in result.items() if value is not None}, last

    def _max_keys(self, name: str) -> int:
        text = self.call.query.get(name, str(MAX_KEYS))
        if not text.isdigit():
            raise InvalidArgumentError(f"Provided {name} not an integer or within integer range", name, text)
        return min(int(text), MAX_KEYS)

    def _shown(self, text: str) -> str:
        return quote(text) if self.call.query.get("encoding-type") == "url" else text

    def _xml(self, operation: str, result: Mapping[str, Any]) -> TYPE_RESPONSE:
        self.data["Action"] = operation
        return self.serialized(ActionResult(dict(result)))


class MalformedRequest(Exception):
    """The XML of a request is not what its operation takes."""
