"""R2 on any S3 endpoint: R2 itself, Amazon S3, MinIO, Ceph, or another project's ``/cdn-cgi/s3``.

Bodies pass through temporary files: a whole one can be sent again where a connection breaks, its digest is known
before anything is stored, and memory stays flat.

Differs: docs/gaps.md, those of ``r2:s3``
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from types import TracebackType
from typing import Any, Final

from pyworkers.engines.r2.conditions import R2Condition
from pyworkers.engines.r2.protocol import (
    MIN_PART_BYTES,
    InvalidPart,
    NoSuchUpload,
    PartTooSmall,
    R2Attributes,
    R2Digest,
    R2Object,
    R2Page,
    R2Part,
    RepeatedPart,
    UnevenParts,
)
from pyworkers.engines.r2.s3_client import FAILED_CONDITION, MISSING_KEY, Refused, S3Client, S3Settings
from pyworkers.engines.r2.s3_objects import make_object, object_of_answer, write_arguments
from pyworkers.engines.r2.s3_reading import S3Reading
from pyworkers.engines.r2.spool import spool
from pyworkers.errors import EngineBusy

_MAX_DELETED: Final = 1000
_HEADS_AT_ONCE: Final = 16
_TRIES: Final = 20
# Sorts after every key that a common prefix stands for.
_LAST: Final = "\U0010ffff"
_ALWAYS: Final = R2Condition()


class S3R2Engine:
    """A bucket on an S3 endpoint, which must exist there.

    Args:
        settings: the endpoint.
        bucket: its name there.
    """

    def __init__(self, settings: S3Settings, bucket: str) -> None:
        self._client = S3Client(settings, bucket)

    async def head(self, key: str) -> R2Object | None:
        """Return an object without its body."""
        if not key:
            return None  # S3 has no object without a name
        try:
            answer = await self._client.call("head_object", Key=key)
        except Refused as error:
            if error.reason in MISSING_KEY:
                return None
            raise
        return object_of_answer(key, answer)

    async def get(self, key: str) -> S3Reading | None:
        """Return an object with its body open."""
        if not key:
            return None
        try:
            answer = await self._client.call("get_object", Key=key)
        except Refused as error:
            if error.reason in MISSING_KEY:
                return None
            raise
        return S3Reading(self._client, object_of_answer(key, answer), answer["Body"])

    async def put(
        self,
        key: str,
        body: bytes | AsyncIterator[bytes],
        *,
        attributes: R2Attributes,
        digest: R2Digest | None = None,
        condition: R2Condition | None = None,
    ) -> R2Object | None:
        """Store an object; see the protocol."""
        async with spool(body, digest) as spooled:
            arguments = write_arguments(attributes, spooled.checksums)
            arguments |= {"Key": key, "ContentLength": spooled.size, "ContentMD5": _base64(spooled.checksums["md5"])}
            for _ in range(_TRIES):
                wanted = await self._demand(key, condition or _ALWAYS)
                if wanted is None:
                    return None
                spooled.rewind()
                try:
                    answer = await self._client.call("put_object", Body=spooled.file, **arguments, **wanted)
                except Refused as error:
                    if error.reason in FAILED_CONDITION:
                        continue  # somebody wrote meanwhile: look again
                    raise
                return await self._written(key, answer["ETag"], spooled.size, attributes, spooled.checksums)
        raise EngineBusy(f"others write {key!r} all the time", hint="try again")

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove keys; of many, some may be gone where it fails."""
        there = [key for key in dict.fromkeys(keys) if key]
        for start in range(0, len(there), _MAX_DELETED):
            named = [{"Key": key} for key in there[start : start + _MAX_DELETED]]
            answer = await self._client.call("delete_objects", Delete={"Objects": named, "Quiet": True})
            for error in answer.get("Errors", ()):
                code, text = error.get("Code", ""), error.get("Message", "")
                raise Refused(f"{error.get('Key')!r} could not be deleted: {code}: {text}", code)

    async def list_objects(
        self,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str | None = None,
        limit: int = 1000,
        with_attributes: bool = True,
    ) -> R2Page:
        """Return objects in order; see the protocol. Attributes cost a request an object."""
        arguments = {"Prefix": prefix, "Delimiter": delimiter, "StartAfter": after}
        answer = await self._client.call(
            "list_objects_v2", MaxKeys=limit, **{name: value for name, value in arguments.items() if value}
        )
        objects = [
            make_object(item["Key"], item["ETag"], item["LastModified"], item["Size"], attributes=R2Attributes())
            for item in answer.get("Contents", ())
        ]
        prefixes = [item["Prefix"] for item in answer.get("CommonPrefixes", ())]
        ends = [found.key for found in objects[-1:]] + [common + _LAST for common in prefixes[-1:]]
        next_after = max(ends, default=None) if answer.get("IsTruncated") else None
        if with_attributes:
            objects = await self._with_attributes(objects)
        return R2Page(objects, prefixes, next_after)

    async def create_upload(self, key: str, *, attributes: R2Attributes) -> str:
        """Begin an upload in parts and return its id."""
        answer = await self._client.call("create_multipart_upload", Key=key, **write_arguments(attributes, {}))
        return str(answer["UploadId"])

    async def put_part(self, key: str, upload_id: str, number: int, body: bytes | AsyncIterator[bytes]) -> R2Part:
        """Store a part, in the place of an earlier one of the same number."""
        async with spool(body, None) as spooled:
            answer = await self._client.call(
                "upload_part",
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                Body=spooled.file,
                ContentLength=spooled.size,
                ContentMD5=_base64(spooled.checksums["md5"]),
            )
        return R2Part(number, str(answer["ETag"]).strip('"'))

    async def complete_upload(self, key: str, upload_id: str, parts: Sequence[R2Part]) -> R2Object:
        """Make the parts the object; an upload that never was is one that is over."""
        stored = await self._parts(key, upload_id)
        chosen = _choose(parts, stored, upload_id)
        named = [{"PartNumber": part.number, "ETag": f'"{part.etag}"'} for part in chosen]
        answer = await self._client.call(
            "complete_multipart_upload", Key=key, UploadId=upload_id, MultipartUpload={"Parts": named}
        )
        size = sum(stored[part.number][1] for part in chosen)
        return await self._written(key, answer["ETag"], size, R2Attributes(), {})

    async def abort_upload(self, key: str, upload_id: str) -> None:
        """Drop an upload and its parts; one that is over, or never was, is left as it is."""
        try:
            await self._client.call("abort_multipart_upload", Key=key, UploadId=upload_id)
        except NoSuchUpload:
            return

    async def close(self) -> None:
        """Give the connections back; idempotent."""
        await self._client.close()

    async def __aenter__(self) -> S3R2Engine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _demand(self, key: str, condition: R2Condition) -> dict[str, str] | None:
        """Return the headers under which a write keeps a condition that holds now; None where it does not hold.

        S3 knows two of R2's conditions only. Any other is looked at here, and the write then demands that the object
        is still the one that was looked at.
        """
        if condition == _ALWAYS:
            return {}
        found = await self.head(key)
        if found is None:
            return {"IfNoneMatch": "*"} if condition.holds_without_object() else None
        return {"IfMatch": f'"{found.etag}"'} if condition.holds(found.etag, found.uploaded_ms) else None

    async def _written(
        self, key: str, etag: str, size: int, attributes: R2Attributes, checksums: dict[str, bytes]
    ) -> R2Object:
        """Return an object that was just written; only the endpoint knows its time."""
        found = await self.head(key)
        if found is not None and found.etag == etag.strip('"'):
            return found
        now = datetime.now(UTC) if found is None else datetime.fromtimestamp(found.uploaded_ms / 1000, UTC)
        return make_object(key, etag, now, size, attributes=attributes, checksums=checksums)

    async def _with_attributes(self, objects: list[R2Object]) -> list[R2Object]:
        """Ask for each object by itself: listings of S3 tell no metadata."""
        gate = asyncio.Semaphore(_HEADS_AT_ONCE)

        async def ask(listed: R2Object) -> R2Object:
            async with gate:
                return await self.head(listed.key) or listed

        return list(await asyncio.gather(*(ask(listed) for listed in objects)))

    async def _parts(self, key: str, upload_id: str) -> dict[int, tuple[str, int]]:
        """Return tag and size of an upload's parts, by number."""
        found: dict[int, tuple[str, int]] = {}
        marker = 0
        while True:
            answer: Any = await self._client.call("list_parts", Key=key, UploadId=upload_id, PartNumberMarker=marker)
            for part in answer.get("Parts", ()):
                found[part["PartNumber"]] = part["ETag"].strip('"'), part["Size"]
            if not answer.get("IsTruncated"):
                return found
            marker = answer["NextPartNumberMarker"]


def _choose(named: Sequence[R2Part], stored: dict[int, tuple[str, int]], upload_id: str) -> list[R2Part]:
    """Return the parts in the order of their numbers, after R2's checks, of which S3 makes fewer."""
    if len({part.number for part in named}) < len(named):
        raise RepeatedPart(f"a part of the upload {upload_id} is named twice")
    for part in named:
        if stored.get(part.number, ("", 0))[0] != part.etag:
            raise InvalidPart(f"the upload {upload_id} has no part {part.number} with the tag {part.etag}")
    if any(stored[part.number][1] < MIN_PART_BYTES for part in named[:-1]):
        raise PartTooSmall(f"a part of the upload {upload_id} is smaller than {MIN_PART_BYTES} bytes")
    chosen = sorted(named, key=lambda part: part.number)
    sizes = [stored[part.number][1] for part in chosen]
    if any(one != other for one, other in pairwise(sizes[:-1])) or (len(sizes) > 1 and sizes[-1] > sizes[0]):
        raise UnevenParts(f"the parts of the upload {upload_id} differ in size")
    if any(size < MIN_PART_BYTES for size in sizes[:-1]):
        raise UnevenParts(f"a part of the upload {upload_id} is smaller than {MIN_PART_BYTES} bytes")
    return chosen


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
