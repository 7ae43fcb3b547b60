"""What an R2 engine does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Protocol

from pyworkers.engines.r2.conditions import R2Condition
from pyworkers.errors import EngineError

MIN_PART_BYTES: Final = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class R2Attributes:
    """What a writer says about an object.

    Attributes:
        http: of ``content_type, content_language, content_disposition, content_encoding, cache_control`` those that
            were given.
        cache_expires_ms: milliseconds since the Unix epoch, or None.
        custom: the user's own fields.
        storage_class: as it was given, or None.
    """

    http: Mapping[str, str] = field(default_factory=dict)
    cache_expires_ms: int | None = None
    custom: Mapping[str, str] = field(default_factory=dict)
    storage_class: str | None = None


@dataclass(frozen=True, slots=True)
class R2Digest:
    """A digest that a body must have; ``algorithm`` is hashlib's name, such as ``sha256``."""

    algorithm: str
    value: bytes


@dataclass(frozen=True, slots=True)
class R2Object:
    """An object without its body.

    Attributes:
        version: 32 hexadecimal digits, new at every write.
        etag: the MD5 in hexadecimal; of several parts, the MD5 of their MD5s, a hyphen and their number.
        uploaded_ms: milliseconds since the Unix epoch.
        checksums: hashlib's name to digest; ``md5`` where the object was written whole, and what the writer gave.
    """

    key: str
    version: str
    size: int
    etag: str
    uploaded_ms: int
    checksums: Mapping[str, bytes]
    attributes: R2Attributes


@dataclass(frozen=True, slots=True)
class R2Page:
    """A page of a listing.

    Attributes:
        prefixes: each stands for all keys that start with it.
        next_after: the last key that this page stands for, where others follow it; else None.
    """

    objects: list[R2Object]
    prefixes: list[str]
    next_after: str | None


@dataclass(frozen=True, slots=True)
class R2Part:
    """A part of an upload, as `R2Engine.put_part` named it."""

    number: int
    etag: str


class DigestMismatch(EngineError):
    """A body has another digest than its writer said.

    Args:
        algorithm: hashlib's name, such as ``sha256``.
    """

    code = "digest-mismatch"

    def __init__(self, algorithm: str, expected: bytes, actual: bytes) -> None:
        super().__init__(f"the {algorithm} digest is {actual.hex()}, not {expected.hex()}")
        self.algorithm = algorithm
        self.expected = expected
        self.actual = actual


class MultipartError(EngineError):
    """An upload in parts cannot go on as asked."""

    code = "multipart"


class UnknownUpload(MultipartError):
    """No upload of that key and id was ever begun."""


class NoSuchUpload(MultipartError):
    """The upload was completed or aborted, or, for a part, never begun."""


class RepeatedPart(MultipartError):
    """A part is named twice."""


class InvalidPart(MultipartError):
    """A named part was not uploaded, or was replaced."""


class PartTooSmall(MultipartError):
    """A part other than the last is smaller than `MIN_PART_BYTES`."""


class UnevenParts(MultipartError):
    """The parts other than the last differ in size, or the last is the largest."""


class R2Reading(Protocol):
    """An object and its body, which stays readable whatever happens to the object."""

    @property
    def object(self) -> R2Object:
        """The object."""
        ...

    def chunks(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """Return an iterator over a part of the body; reading it to its end, or its ``aclose``, closes the body."""
        ...

    def close(self) -> None:
        """Give the body back unread; idempotent."""
        ...


class R2Engine(Protocol):
    """One bucket.

    Laws, each with a test of the same words in tests/contract/engines/test_r2_engine.py:

    - a put body comes back whole, of any size, and in parts
    - a put replaces body and attributes together, under a new version
    - a body that fails or has another digest stores nothing and leaves nothing behind
    - a put whose condition fails stores nothing, and of two that race on one condition one wins
    - an open body is read to its end though its object is replaced or deleted
    - deleted keys are gone, and deleting an absent key is no error
    - a listing is in the order of the keys' UTF-8 bytes
    - a listing holds the keys that start with the prefix, after `after`, at most `limit` of keys and common prefixes
    - a common prefix stands once for all its keys
    - parts in any order of arrival become one object, and only when the upload is completed
    - an upload survives that the engine is opened again
    - what was acknowledged is there after the engine is opened again
    - what a killed process left half written is swept when the engine is opened
    - close is idempotent, and every use after it raises EngineClosed

    Keys are text without lone surrogates, of any length. Any failure of the storage is an `EngineError`.
    """

    async def head(self, key: str) -> R2Object | None:
        """Return an object without its body."""
        ...

    async def get(self, key: str) -> R2Reading | None:
        """Return an object with its body open."""
        ...

    async def put(
        self,
        key: str,
        body: bytes | AsyncIterator[bytes],
        *,
        attributes: R2Attributes,
        digest: R2Digest | None = None,
        condition: R2Condition | None = None,
    ) -> R2Object | None:
        """Store an object; it is durable on return. None: the condition does not hold and nothing was stored.

        Raises:
            DigestMismatch: the body has another digest.
            Exception: whatever the body raised.
        """
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove keys, all or nothing."""
        ...

    async def list_objects(
        self,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str | None = None,
        limit: int = 1000,
        with_attributes: bool = True,
    ) -> R2Page:
        """Return objects in order.

        Args:
            prefix: keys that start with it.
            delimiter: keys that hold it after the prefix are not listed but stand together for their beginning, up to
                and with it.
            after: keys strictly after this one, in UTF-8 order; it need not exist.
            limit: of objects and common prefixes together, 1 or more.
            with_attributes: False where nobody looks at the objects' attributes, which may then be missing.
        """
        ...

    async def create_upload(self, key: str, *, attributes: R2Attributes) -> str:
        """Begin an upload in parts and return its id."""
        ...

    async def put_part(self, key: str, upload_id: str, number: int, body: bytes | AsyncIterator[bytes]) -> R2Part:
        """Store a part, in the place of an earlier one of the same number.

        Raises:
            NoSuchUpload: the upload is not under way.
        """
        ...

    async def complete_upload(self, key: str, upload_id: str, parts: Sequence[R2Part]) -> R2Object:
        """Make the parts, in the order of their numbers, the object; what of the upload is not named is dropped.

        Raises:
            UnknownUpload, NoSuchUpload, RepeatedPart, InvalidPart, PartTooSmall, UnevenParts: nothing was changed.
        """
        ...

    async def abort_upload(self, key: str, upload_id: str) -> None:
        """Drop an upload and its parts; one that is over already is left as it is.

        Raises:
            UnknownUpload: there never was one.
        """
        ...

    async def close(self) -> None:
        """Give everything back; what was acknowledged stays."""
        ...

    async def __aenter__(self) -> R2Engine: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
