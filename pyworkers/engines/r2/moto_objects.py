"""moto's objects over a bucket on disk: views that hold nothing.

They stay what moto's own protocol code expects. A key is a view of a row and its body a file, a bucket's keys are the
table, a listing is a range scan. No object here is put into moto's registry of instances, which never forgets.
Importing this module imports moto, which takes a moment.

Everything here blocks.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from moto.s3.models import FakeBucket, FakeKey, FakeMultipart, s3_backends
from moto.utilities.utils import LowercaseDict
from requests.structures import CaseInsensitiveDict

from pyworkers.engines.r2.blobs import StoredBody
from pyworkers.engines.r2.conditions import R2Condition
from pyworkers.engines.r2.headers import attributes_of_headers, headers_of_attributes, s3_storage_class
from pyworkers.engines.r2.protocol import R2Attributes, R2Object
from pyworkers.engines.r2.store import BucketStore, OpenBody
from pyworkers.engines.r2.transfer import PIECE_BYTES
from pyworkers.engines.r2.uploads import COMPOSITE, OpenUpload, StoredPart, Uploads
from pyworkers.errors import EngineCorrupt

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"
# In the order in which one is told of, where an object has several.
_CHECKSUMS: Final = ("crc64nvme", "crc32", "crc32c", "sha1", "sha256")


class ReplacedMeanwhile(Exception):
    """An object was replaced between looking at its row and opening its body: look again."""


@dataclass(slots=True)
class IncomingBody:
    """A body on its way into a bucket through moto's code, with what is stored beside it.

    Attributes:
        is_taken: a row names it now, or it was removed again; else whoever made it discards it.
    """

    stored: StoredBody
    attributes: R2Attributes = R2Attributes()  # noqa: RUF009 - frozen
    condition: R2Condition | None = None
    is_taken: bool = False


class KeyBody:
    """A part of an object's body, as moto handles it: it has a length and can be sliced, and is read when asked.

    Args:
        source: the object and its open body, which this body and its slices keep open.
        start: where the part begins.
        end: where it ends.
    """

    def __init__(self, source: OpenBody, start: int, end: int) -> None:
        self._source, self._start, self._end = source, start, end

    def read(self, offset: int) -> bytes:
        """Return up to `PIECE_BYTES` at an offset of this part; nothing at its end.

        Raises:
            EngineCorrupt: the file ends early.
        """
        start, end = self._start + offset, min(self._end, self._start + offset + PIECE_BYTES)
        if start >= end:
            return b""
        if self._source.file is None:
            return (self._source.data or b"")[start:end]
        data = os.pread(self._source.file, end - start, start)
        if not data:
            raise EngineCorrupt(
                f"the body of {self._source.object.key!r} ends before its {self._source.object.size} bytes",
                hint="restore its file, or write the object again",
            )
        return data

    def pieces(self) -> Iterator[bytes]:
        """Yield the body in order."""
        offset = 0
        while data := self.read(offset):
            yield data
            offset += len(data)

    def close(self) -> None:
        """Close the file, which the slices share; idempotent."""
        self._source.close()

    def __len__(self) -> int:
        return self._end - self._start

    def __getitem__(self, part: slice) -> KeyBody:
        start, end, _ = part.indices(len(self))
        return KeyBody(self._source, self._start + start, self._start + max(start, end))

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces())


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
        self._storage_class = s3_storage_class(found.attributes)
        self._metadata = LowercaseDict()
        self._metadata.update(headers_of_attributes(found.attributes))
        self.is_settled = False
        self._expiry = self.website_redirect_location = self.multipart = None
        self.encryption = self.kms_key_id = self.bucket_key_enabled = None
        self.lock_mode = self.lock_legal_status = self.lock_until = None
        self.checksum_algorithm = self.checksum_value = self.checksum_type = self.checksum_parts = None
        self._find_checksum()

    @property
    def value(self) -> KeyBody:  # type: ignore[override]  # what moto does with bytes it can do with this
        """The whole body, open.

        Raises:
            ReplacedMeanwhile: the object is not the one that this key is of.
        """
        opened = self.store.read(self.record.key)
        if opened is None or opened.object.version != self.record.version:
            raise ReplacedMeanwhile(self.record.key)
        return KeyBody(opened, 0, opened.object.size)

    def set_metadata(self, metadata: Any, replace: bool = False) -> None:  # noqa: FBT001, FBT002 - moto's signature
        """Change what is said about the object, on disk too; nothing where it was stored with its body."""
        if self.is_settled:
            return
        super().set_metadata(metadata, replace)
        self.store.set_attributes(self.record.key, self.record.version, attributes_of_headers(self._metadata))

    def _find_checksum(self) -> None:
        for name in _CHECKSUMS:
            for prefix, kind in (("", "FULL_OBJECT"), (COMPOSITE, "COMPOSITE")):
                value = self.record.checksums.get(prefix + name)
                if value is not None:
                    self.checksum_algorithm, self.checksum_type = name.upper(), kind
                    self.checksum_value = base64.b64encode(value).decode()
                    self.checksum_parts = int(self.record.etag.rpartition("-")[2]) if prefix else None
                    return

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
    def value(self) -> KeyBody:  # type: ignore[override]  # what moto does with bytes it can do with this
        """The whole body, open."""
        file = None if self.part.blob is None else self.store.blobs.open(self.part.blob)
        return KeyBody(OpenBody(self.record, self.part.data, file), 0, self.part.size)


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
        upload = self._bucket.uploads.find(upload_id)
        if upload is None:
            raise KeyError(upload_id)
        return DurableMultipart(self._bucket, upload)

    def __iter__(self) -> Iterator[str]:
        return (upload.id for upload in self._bucket.uploads.open_uploads())

    def __len__(self) -> int:
        return len(self._bucket.uploads.open_uploads())


class DurableMultipart(FakeMultipart):
    """An upload that is under way, as moto sees it."""

    def __new__(cls, *_args: object, **_kwargs: object) -> DurableMultipart:
        """Make an upload that moto does not track."""
        return object.__new__(cls)

    def __init__(self, bucket: DurableBucket, upload: OpenUpload) -> None:
        self.upload = upload
        self.id, self.key_name = upload.id, upload.key
        self.metadata = CaseInsensitiveDict(headers_of_attributes(upload.attributes))
        if upload.checksum is not None:
            self.metadata["x-amz-checksum-algorithm"] = upload.checksum.algorithm.upper()
            self.metadata["x-amz-checksum-type"] = "COMPOSITE" if upload.checksum.is_composite else "FULL_OBJECT"
        self.account_id, self.region_name = bucket.account_id, bucket.region_name
        self.storage, self.tags, self.acl = s3_storage_class(upload.attributes), {}, bucket.acl
        self.sse_encryption = self.kms_key_id = None
        self._bucket = bucket

    @cached_property
    def parts(self) -> dict[int, FakeKey]:  # type: ignore[override]  # moto has a plain attribute
        """The parts by number."""
        return {part.number: DurablePart(self._bucket, part) for part in self._bucket.uploads.parts(self.id)}

    @cached_property
    def partlist(self) -> list[int]:  # type: ignore[override]  # moto has a plain attribute
        """The parts' numbers in order."""
        return sorted(self.parts)

    def set_part(self, part_id: int, value: bytes | KeyBody | IncomingBody) -> FakeKey:
        """Store a part.

        Raises:
            NoSuchUpload: the upload is not under way.
        """
        body = stored_body(self._bucket.store, value)
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
        self.creation_date = datetime.fromtimestamp(store.created_ms() / 1000, UTC)

    def is_created(self) -> bool:
        """A bucket that is attached exists."""
        return True


def stored_body(store: BucketStore, value: bytes | KeyBody | IncomingBody | StoredBody, *algorithms: str) -> StoredBody:
    """Return a body that is stored, or store it; an incoming one is taken.

    Args:
        algorithms: digests to compute beside the MD5, where it must be stored.
    """
    if isinstance(value, StoredBody):
        return value
    if isinstance(value, IncomingBody):
        value.is_taken = True
        return value.stored
    writer = store.blobs.writer(*algorithms)
    try:
        if isinstance(value, KeyBody):
            for piece in value.pieces():
                writer.write(piece)
            value.close()
        else:
            for start in range(0, len(value), PIECE_BYTES):
                writer.write(value[start : start + PIECE_BYTES])
        return writer.finish()
    except BaseException:
        writer.abort()
        raise
