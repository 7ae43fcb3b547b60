"""moto's S3 backend over buckets on disk; see `pyworkers.engines.r2.moto_objects`.

Everything here blocks.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from moto.s3.exceptions import (
    CopyObjectMustChangeSomething,
    EntityTooSmall,
    InvalidContinuationToken,
    InvalidPart,
    MissingBucket,
    NoSuchUpload,
    PreconditionFailed,
    S3ClientError,
)
from moto.s3.models import FakeBucket, FakeKey, S3Backend

from pyworkers.engines.r2 import protocol
from pyworkers.engines.r2.blobs import StoredBody
from pyworkers.engines.r2.conditions import R2Condition
from pyworkers.engines.r2.headers import attributes_of_headers
from pyworkers.engines.r2.moto_objects import (
    ACCOUNT,
    REGION,
    DurableBucket,
    DurableKey,
    DurableMultipart,
    IncomingBody,
    KeyBody,
    stored_body,
)
from pyworkers.engines.r2.protocol import R2Attributes, R2Page, R2Part
from pyworkers.engines.r2.store import BucketStore
from pyworkers.engines.r2.uploads import COMPOSITE, OpenUpload, UploadChecksum


class UnevenPartSizes(S3ClientError):
    """R2 asks more of parts than S3."""

    code = "InvalidPart"

    def __init__(self) -> None:
        super().__init__("InvalidPart", "All non-trailing parts must have the same length.")


class DurableBackend(S3Backend):
    """moto's S3 backend whose buckets are on disk. Buckets come from `attach`, not from S3's CreateBucket."""

    def __init__(self) -> None:
        super().__init__(REGION, ACCOUNT)

    def attach(self, name: str, store: BucketStore) -> DurableBucket:
        """Add a bucket that is open, and return it."""
        bucket = DurableBucket(name, store)
        self.buckets[name] = bucket
        return bucket

    def detach(self, name: str) -> None:
        """Forget a bucket."""
        self.buckets.pop(name, None)

    def reset(self) -> None:
        """Do nothing: what is on disk stays."""

    def bucket(self, name: str) -> DurableBucket:
        """Return a bucket.

        Raises:
            MissingBucket: moto's error, when there is none of that name.
        """
        found = self.buckets.get(name)
        if not isinstance(found, DurableBucket):
            raise MissingBucket(bucket=name)
        return found

    def get_bucket(self, bucket_name: str) -> FakeBucket:
        """As `bucket`: buckets of other backends are not looked at."""
        return self.bucket(bucket_name)

    def create_bucket(
        self,
        bucket_name: str,
        region_name: str,  # noqa: ARG002 - moto's signature; R2's buckets have no region of S3's
        bucket_namespace: str | None = None,  # noqa: ARG002 - moto's signature
    ) -> FakeBucket:
        """Return the bucket, which was attached to be there."""
        return self.bucket(bucket_name)

    def delete_bucket(self, bucket_name: str) -> FakeBucket | None:
        """Forget a bucket; None where it holds something."""
        bucket = self.bucket(bucket_name)
        if bucket.keys:
            return None
        self.detach(bucket_name)
        return bucket

    def log_incoming_request(self, request: object, bucket_name: str) -> None:
        """R2 keeps no such log."""

    # ---- objects

    def put_object(  # type: ignore[override]  # moto's arguments, of which R2 knows few
        self,
        bucket_name: str,
        key_name: str,
        value: bytes | StoredBody | IncomingBody,
        *_unknown: object,
        attributes: R2Attributes | None = None,
        condition: R2Condition | None = None,
        **_also_unknown: object,
    ) -> DurableKey | None:
        """Store an object; None where the condition fails.

        Raises:
            PreconditionFailed: moto's error, when the condition of an incoming body fails.
        """
        bucket = self.bucket(bucket_name)
        if isinstance(value, IncomingBody):
            attributes, condition = value.attributes, value.condition
        body = stored_body(bucket.store, value)
        record = bucket.store.put(key_name, body, attributes or R2Attributes(), condition)
        if record is None:
            if isinstance(value, IncomingBody):
                raise PreconditionFailed("If-Match")
            return None
        found = DurableKey(bucket, record)
        found.is_settled = isinstance(value, IncomingBody)
        return found

    def get_object(
        self,
        bucket_name: str,
        key_name: str,
        version_id: str | None = None,
        part_number: str | None = None,  # noqa: ARG002 - moto's signature; a finished object has no parts
        return_delete_marker: bool = False,  # noqa: ARG002, FBT001, FBT002 - moto's signature; there are no versions
    ) -> DurableKey | None:
        """Return a key, whose only version is ``null``."""
        if version_id not in (None, "null"):
            return None
        found: DurableKey | None = self.bucket(bucket_name).keys.get(key_name)
        return found

    def head_object(
        self, bucket_name: str, key_name: str, version_id: str | None = None, part_number: str | None = None
    ) -> DurableKey | None:
        """As `get_object`."""
        return self.get_object(bucket_name, key_name, version_id, part_number)

    def put_object_tagging(
        self,
        key: FakeKey | None,
        tags: dict[str, str] | None,  # noqa: ARG002 - moto's signature; R2 has no tags
    ) -> FakeKey:
        """Return the key."""
        assert key is not None
        return key

    def copy_key(
        self, source: DurableKey, bucket_name: str, key_name: str, attributes: R2Attributes | None
    ) -> DurableKey:
        """Store a copy of an object.

        Args:
            attributes: of the copy; None takes those of the source.

        Raises:
            CopyObjectMustChangeSomething: moto's error, when it would be a copy of itself.
        """
        if attributes is None and (source.bucket_name, source.name) == (bucket_name, key_name):
            raise CopyObjectMustChangeSomething
        bucket, record = self.bucket(bucket_name), source.record
        names = [name for name in record.checksums if not name.startswith(COMPOSITE)]
        body = stored_body(bucket.store, source.value, *names)
        made = bucket.store.put(key_name, body, attributes or record.attributes)
        assert made is not None  # there is no condition
        return DurableKey(bucket, made)

    def delete_keys(self, bucket_name: str, keys: Sequence[str]) -> None:
        """Remove keys, all or nothing."""
        self.bucket(bucket_name).store.delete(keys)

    def delete_objects(
        self,
        bucket_name: str,
        objects: list[dict[str, Any]],
        bypass_retention: bool = False,  # noqa: ARG002, FBT001, FBT002 - moto's signature
    ) -> tuple[list[tuple[str, str | None, str | None]], list[str]]:
        """Remove keys, all or nothing; those that were not there count as removed."""
        keys = [item["Key"] for item in objects]
        self.delete_keys(bucket_name, keys)
        return [(key, None, None) for key in keys], []

    # ---- listings

    def list_page(self, bucket_name: str, prefix: str, delimiter: str, after: str | None, limit: int) -> R2Page:
        """Return a page of objects and common prefixes."""
        return self.bucket(bucket_name).store.list_objects(prefix, delimiter, after, limit)

    def list_objects(
        self,
        bucket: FakeBucket,
        prefix: str | None,
        delimiter: str | None,
        marker: str | None,
        max_keys: int | None,
    ) -> Any:
        """Return ``(keys, common prefixes, is_truncated, next marker)``."""
        found = self.bucket(bucket.name)
        if max_keys == 0:
            return [], [], False, None
        page = found.store.list_objects(prefix or "", delimiter or "", marker, max_keys or 2**62)
        keys = [DurableKey(found, record) for record in page.objects]
        return keys, page.prefixes, page.next_after is not None, page.next_after

    def list_objects_v2(
        self,
        bucket: FakeBucket,
        prefix: str | None,
        delimiter: str | None,
        continuation_token: str | None,
        start_after: str | None,
        max_keys: int,
    ) -> Any:
        """Return ``(keys and common prefixes in order, is_truncated, next token)``.

        Raises:
            InvalidContinuationToken: moto's error, when the token is none of ours.
        """
        after = start_after if continuation_token is None else self.key_of_token(continuation_token)
        keys, prefixes, is_cut, last = self.list_objects(bucket, prefix, delimiter, after, max_keys)
        token = None if last is None else self.token_of_key(last)
        return sorted([*keys, *prefixes], key=self._get_name), is_cut, token

    @staticmethod
    def token_of_key(key: str) -> str:
        """Return the token of a listing that goes on after a key."""
        return base64.urlsafe_b64encode(key.encode()).decode()

    @staticmethod
    def key_of_token(token: str) -> str:
        """Return the key of a token.

        Raises:
            InvalidContinuationToken: moto's error, when the token is none of ours.
        """
        try:
            return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
        except (binascii.Error, UnicodeError):
            raise InvalidContinuationToken from None

    # ---- uploads

    def create_multipart_upload(
        self,
        bucket_name: str,
        key_name: str,
        metadata: Mapping[str, str] | R2Attributes,
        *_unknown: object,
        checksum: UploadChecksum | None = None,
        **_also_unknown: object,
    ) -> DurableMultipart:
        """Begin an upload."""
        bucket = self.bucket(bucket_name)
        attributes = metadata if isinstance(metadata, R2Attributes) else attributes_of_headers(metadata)
        created_ms = bucket.store.now_ms()
        upload_id = bucket.uploads.create(key_name, attributes, checksum)
        return DurableMultipart(bucket, OpenUpload(upload_id, key_name, created_ms, checksum, attributes))

    def upload_part(
        self, bucket_name: str, multipart_id: str, part_id: int, value: bytes | KeyBody | IncomingBody
    ) -> FakeKey:
        """Store a part.

        Raises:
            NoSuchUpload: moto's error.
        """
        return self._upload(bucket_name, multipart_id).set_part(part_id, value)

    def upload_part_copy(
        self,
        dest_bucket_name: str,
        multipart_id: str,
        part_id: int,
        src_bucket_name: str,
        src_key_name: str,
        src_version_id: str | None,
        start_byte: int | None,
        end_byte: int | None,
    ) -> FakeKey:
        """Store a part that is a part of an object.

        Raises:
            NoSuchUpload: moto's error.
        """
        upload = self._upload(dest_bucket_name, multipart_id)
        source = self.get_object(src_bucket_name, src_key_name, src_version_id)
        assert source is not None  # moto looked
        value = source.value
        if start_byte is not None and end_byte is not None:
            value = value[start_byte : end_byte + 1]
        algorithms = () if upload.upload.checksum is None else (upload.upload.checksum.algorithm,)
        bucket = self.bucket(dest_bucket_name)
        return self.upload_part(
            dest_bucket_name, multipart_id, part_id, IncomingBody(stored_body(bucket.store, value, *algorithms))
        )

    def is_truncated(self, bucket_name: str, multipart_id: str, next_part_number_marker: int) -> bool:
        """Tell whether parts follow the one of that number."""
        return any(number > next_part_number_marker for number in self._upload(bucket_name, multipart_id).parts)

    def complete_multipart_upload(
        self, bucket_name: str, multipart_id: str, body: Iterable[tuple[int, str]]
    ) -> DurableKey:
        """Make an upload's parts the object, for S3.

        Raises:
            NoSuchUpload, InvalidPart, EntityTooSmall, UnevenPartSizes: moto's errors.
        """
        bucket = self.bucket(bucket_name)
        named = [R2Part(number, etag.replace('"', "")) for number, etag in body]
        key = self._upload(bucket_name, multipart_id).key_name
        try:
            parts = bucket.uploads.select(key, multipart_id, named)
            found = bucket.uploads.complete(key, multipart_id, named, parts, bucket.uploads.join(parts))
        except (protocol.NoSuchUpload, protocol.UnknownUpload):
            raise NoSuchUpload(upload_id=multipart_id) from None
        except protocol.PartTooSmall:
            raise EntityTooSmall from None
        except protocol.UnevenParts:
            raise UnevenPartSizes from None
        except protocol.MultipartError:
            raise InvalidPart from None
        return DurableKey(bucket, found)

    def abort_multipart_upload(self, bucket_name: str, multipart_id: str) -> None:
        """Drop an upload, for S3.

        Raises:
            NoSuchUpload: moto's error.
        """
        upload = self._upload(bucket_name, multipart_id)
        self.bucket(bucket_name).uploads.abort(upload.key_name, multipart_id)

    def _upload(self, bucket_name: str, upload_id: str) -> DurableMultipart:
        bucket = self.bucket(bucket_name)
        upload = bucket.uploads.find(upload_id)
        if upload is None:
            raise NoSuchUpload(upload_id=upload_id)
        return DurableMultipart(bucket, upload)
