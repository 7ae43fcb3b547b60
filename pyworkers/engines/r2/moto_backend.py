"""moto's S3 backend over a bucket on disk.

moto's objects stay what moto's own protocol code expects, but hold nothing: a key is a view of a row and its body a
file, a bucket's keys are the table, a listing is a range scan. No object here is put into moto's registry of
instances, which never forgets. Importing this module imports moto, which takes a second or two.

Everything here blocks.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from moto.s3.exceptions import EntityTooSmall, InvalidPart, MissingBucket, NoSuchUpload
from moto.s3.models import FakeBucket, FakeKey, FakeMultipart, S3Backend, s3_backends
from moto.utilities.utils import LowercaseDict
from requests.structures import CaseInsensitiveDict

from pyworkers.engines.r2 import protocol
from pyworkers.engines.r2.blobs import StoredBody
from pyworkers.engines.r2.conditions import R2Condition
from pyworkers.engines.r2.headers import attributes_of_headers, headers_of_attributes
from pyworkers.engines.r2.protocol import R2Attributes, R2Object, R2Page, R2Part
from pyworkers.engines.r2.store import BucketStore
from pyworkers.engines.r2.uploads import StoredPart, Uploads

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"
_WRITE_BYTES: Final = 1024 * 1024


class DurableKey(FakeKey):
    """An object, or a part of an upload, as moto sees it.

    Args:
        bucket: what it lies in.
        found: the object, without its body.
    """

    def __new__(cls, *_args: object, **_kwargs: object) -> DurableKey:
        """Make a key that moto does not track."""
        return object.__new__(cls)

    def __init__(self, bucket: DurableBucket, found: R2Object) -> None:
        # Not FakeKey's own: that one opens a temporary file and makes an access control list for every key.
        self.record = found
        self.store = bucket.store
        self.name = found.key
        self.bucket_name = bucket.name
        self.account_id, self.region_name, self.partition = bucket.account_id, bucket.region_name, bucket.partition
        self.last_modified = datetime.fromtimestamp(found.uploaded_ms / 1000, UTC).replace(tzinfo=None)
        self.acl = bucket.acl
        self.lock = threading.Lock()
        self.contentsize = found.size
        self.disposed = False
        self._etag = found.etag
        self._version_id, self._is_versioned = "null", False
        self._storage_class = "STANDARD"
        self._metadata = LowercaseDict()
        self._metadata.update(headers_of_attributes(found.attributes))
        self._expiry = self.website_redirect_location = self.multipart = None
        self.encryption = self.kms_key_id = self.bucket_key_enabled = None
        self.lock_mode = self.lock_legal_status = self.lock_until = None
        self.checksum_algorithm = self.checksum_value = self.checksum_type = self.checksum_parts = None

    @property
    def value(self) -> bytes:
        """The whole body."""
        opened = self.store.read(self.record.key)
        if opened is None:
            return b""
        if opened.file is None:
            return opened.data or b""
        with os.fdopen(opened.file, "rb") as file:
            return file.read()

    def set_metadata(self, metadata: Any, replace: bool = False) -> None:  # noqa: FBT001, FBT002 - moto's signature
        """Change what is said about the object, on disk too."""
        super().set_metadata(metadata, replace)
        self.store.set_attributes(self.record.key, self.record.version, attributes_of_headers(self._metadata))

    def advance(self) -> None:
        """Nothing is restored from an archive here."""

    def dispose(self, garbage: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - moto's signature
        """There is nothing to give back."""
        self.disposed = True

    def __del__(self) -> None:
        """There is nothing to give back."""


class DurablePart(DurableKey):
    """A part of an upload; its name is its number."""

    def __init__(self, bucket: DurableBucket, part: StoredPart) -> None:
        record = R2Object("", "", part.size, part.md5.hex(), part.uploaded_ms, {"md5": part.md5}, R2Attributes())
        super().__init__(bucket, record)
        self.part = part
        self.name = part.number  # type: ignore[assignment]  # as moto does

    @property
    def value(self) -> bytes:
        """The whole body."""
        return self.store.blobs.read(self.part.blob) if self.part.blob is not None else self.part.data or b""


class DurableKeys:
    """A bucket's keys, in the shape of moto's dictionary of versions; R2 has one version of a key."""

    def __init__(self, bucket: DurableBucket) -> None:
        self._bucket = bucket

    def get(self, name: str, default: Any = None) -> Any:
        """Return a key."""
        found = self._bucket.store.head(name)
        return default if found is None else DurableKey(self._bucket, found)

    def getlist(self, name: str, default: Any = None) -> Any:
        """Return a key as the only one of its versions."""
        found = self.get(name)
        return default if found is None else [found]

    def pop(self, name: str) -> None:
        """Remove a key.

        Raises:
            KeyError: there is none of that name.
        """
        if not self._bucket.store.delete([name]):
            raise KeyError(name)

    def items(self) -> Iterator[tuple[str, DurableKey]]:
        """Yield all keys, in order."""
        after: str | None = None
        while True:
            page = self._bucket.store.list_objects("", "", after, 1000)
            for found in page.objects:
                yield found.key, DurableKey(self._bucket, found)
            if page.next_after is None:
                return
            after = page.next_after

    def values(self) -> Iterator[DurableKey]:
        """Yield all keys, in order."""
        return (key for _, key in self.items())

    def __getitem__(self, name: str) -> DurableKey:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        key: DurableKey = found
        return key

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._bucket.store.head(name) is not None

    def __bool__(self) -> bool:
        return bool(self._bucket.store.list_objects("", "", None, 1).objects)


class DurableMultiparts(Mapping[str, FakeMultipart]):
    """A bucket's uploads that are under way."""

    def __init__(self, bucket: DurableBucket) -> None:
        self._bucket = bucket

    def __getitem__(self, upload_id: str) -> DurableMultipart:
        key, attributes = self._bucket.uploads.open_uploads()[upload_id]
        return DurableMultipart(self._bucket, upload_id, key, attributes)

    def __iter__(self) -> Iterator[str]:
        return iter(self._bucket.uploads.open_uploads())

    def __len__(self) -> int:
        return len(self._bucket.uploads.open_uploads())


class DurableMultipart(FakeMultipart):
    """An upload that is under way, as moto sees it."""

    def __new__(cls, *_args: object, **_kwargs: object) -> DurableMultipart:
        """Make an upload that moto does not track."""
        return object.__new__(cls)

    def __init__(self, bucket: DurableBucket, upload_id: str, key: str, attributes: R2Attributes) -> None:
        self.id, self.key_name = upload_id, key
        self.metadata = CaseInsensitiveDict(headers_of_attributes(attributes))
        self.account_id, self.region_name = bucket.account_id, bucket.region_name
        self.storage, self.tags, self.acl = "STANDARD", {}, bucket.acl
        self.sse_encryption = self.kms_key_id = None
        self._bucket = bucket
        self.parts = {part.number: DurablePart(bucket, part) for part in bucket.uploads.parts(upload_id)}
        self.partlist = sorted(self.parts)

    def set_part(self, part_id: int, value: bytes | StoredBody) -> FakeKey:
        """Store a part.

        Raises:
            NoSuchUpload: the upload is not under way.
        """
        body = value if isinstance(value, StoredBody) else _stored(self._bucket.store, value)
        return DurablePart(self._bucket, self._bucket.uploads.put_part(self.key_name, self.id, part_id, body))

    def dispose(self) -> None:
        """There is nothing to give back."""


class DurableBucket(FakeBucket):
    """A bucket, as moto sees it."""

    def __new__(cls, *_args: object, **_kwargs: object) -> DurableBucket:
        """Make a bucket that moto does not track."""
        return object.__new__(cls)

    def __init__(self, name: str, store: BucketStore) -> None:
        super().__init__(name=name, account_id=ACCOUNT, region_name=REGION)
        s3_backends.bucket_accounts.pop(name, None)  # two projects of one process may have buckets of one name
        self.store = store
        self.uploads = Uploads(store)
        self.keys = DurableKeys(self)  # type: ignore[assignment]  # what moto uses of a dictionary
        self.multiparts = DurableMultiparts(self)  # type: ignore[assignment]  # what moto uses of a dictionary

    def is_created(self) -> bool:
        """A bucket that is attached exists."""
        return True


class DurableBackend(S3Backend):
    """moto's S3 backend whose buckets are on disk. Buckets come from `attach`, not from S3's CreateBucket."""

    def __init__(self) -> None:
        super().__init__(REGION, ACCOUNT)

    def attach(self, name: str, store: BucketStore) -> DurableBucket:
        """Add a bucket that is open, and return it."""
        bucket = DurableBucket(name, store)
        self.buckets[name] = bucket
        return bucket

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

    # ---- objects

    def put_object(  # type: ignore[override]  # moto's arguments, of which R2 knows few
        self,
        bucket_name: str,
        key_name: str,
        value: bytes | StoredBody,
        *_unknown: object,
        attributes: R2Attributes | None = None,
        condition: R2Condition | None = None,
        **_also_unknown: object,
    ) -> DurableKey | None:
        """Store an object; None where the condition fails."""
        bucket = self.bucket(bucket_name)
        body = value if isinstance(value, StoredBody) else _stored(bucket.store, value)
        found = bucket.store.put(key_name, body, attributes or R2Attributes(), condition)
        return None if found is None else DurableKey(bucket, found)

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

    def delete_keys(self, bucket_name: str, keys: Sequence[str]) -> None:
        """Remove keys, all or nothing."""
        self.bucket(bucket_name).store.delete(keys)

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
        """Return ``(keys and common prefixes in order, is_truncated, next token)``; a token is the last key."""
        after = continuation_token or start_after
        keys, prefixes, is_cut, token = self.list_objects(bucket, prefix, delimiter, after, max_keys)
        return sorted([*keys, *prefixes], key=self._get_name), is_cut, token

    # ---- uploads

    def create_multipart_upload(
        self,
        bucket_name: str,
        key_name: str,
        metadata: Mapping[str, str] | R2Attributes,
        *_unknown: object,
        **_also_unknown: object,
    ) -> DurableMultipart:
        """Begin an upload."""
        bucket = self.bucket(bucket_name)
        attributes = metadata if isinstance(metadata, R2Attributes) else attributes_of_headers(metadata)
        return DurableMultipart(bucket, bucket.uploads.create(key_name, attributes), key_name, attributes)

    def complete_multipart_upload(
        self, bucket_name: str, multipart_id: str, body: Iterable[tuple[int, str]]
    ) -> DurableKey:
        """Make an upload's parts the object, for S3.

        Raises:
            NoSuchUpload, InvalidPart, EntityTooSmall: moto's errors.
        """
        bucket = self.bucket(bucket_name)
        named = [R2Part(number, etag.replace('"', "")) for number, etag in body]
        try:
            key, _ = bucket.uploads.open_uploads()[multipart_id]
            parts = bucket.uploads.select(key, multipart_id, named)
            found = bucket.uploads.complete(key, multipart_id, named, parts, bucket.uploads.join(parts))
        except (KeyError, protocol.NoSuchUpload, protocol.UnknownUpload):
            raise NoSuchUpload(upload_id=multipart_id) from None
        except (protocol.PartTooSmall, protocol.UnevenParts):
            raise EntityTooSmall from None
        except protocol.MultipartError:
            raise InvalidPart from None
        return DurableKey(bucket, found)

    def abort_multipart_upload(self, bucket_name: str, multipart_id: str) -> None:
        """Drop an upload, for S3.

        Raises:
            NoSuchUpload: moto's error.
        """
        bucket = self.bucket(bucket_name)
        upload = bucket.uploads.open_uploads().get(multipart_id)
        if upload is None:
            raise NoSuchUpload(upload_id=multipart_id)
        bucket.uploads.abort(upload[0], multipart_id)


def _stored(store: BucketStore, data: bytes) -> StoredBody:
    writer = store.blobs.writer()
    try:
        for start in range(0, len(data), _WRITE_BYTES):
            writer.write(data[start : start + _WRITE_BYTES])
        return writer.finish()
    except BaseException:
        writer.abort()
        raise
