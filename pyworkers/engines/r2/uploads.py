"""Uploads in parts, on a bucket's tables.

An upload that was completed or aborted keeps its row, so that a later use is told apart from one of an id that never
was. Its parts go at once.

Source: recorded, contracts/r2, r2.mp.*; miniflare src/workers/r2/bucket.worker.ts
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import apsw

from pyworkers.crc import combined_crc
from pyworkers.engines.r2.blobs import INLINE_BYTES, StoredBody
from pyworkers.engines.r2.digests import new_digest
from pyworkers.engines.r2.protocol import (
    MIN_PART_BYTES,
    InvalidPart,
    NoSuchUpload,
    PartTooSmall,
    R2Attributes,
    R2Object,
    R2Part,
    RepeatedPart,
    UnevenParts,
    UnknownUpload,
)
from pyworkers.engines.r2.rows import attribute_row, attributes_of, sql
from pyworkers.engines.r2.store import BucketStore


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part as it is stored; its body is ``data``, or the file ``blob``; ``checksum`` is what its upload asked for."""

    number: int
    etag: str
    size: int
    md5: bytes
    uploaded_ms: int
    blob: str | None
    data: bytes | None
    checksum: bytes | None


@dataclass(frozen=True, slots=True)
class UploadChecksum:
    """What an upload computes of its parts, as the S3 API has it.

    Attributes:
        algorithm: as `pyworkers.engines.r2.digests` names it.
        is_composite: the object's is the digest of the parts' digests; else that of the whole body.
    """

    algorithm: str
    is_composite: bool


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An upload that is under way."""

    id: str
    key: str
    created_ms: int
    checksum: UploadChecksum | None
    attributes: R2Attributes


# Stands before the algorithm's name in the checksums of an object whose digest is one of its parts' digests.
COMPOSITE: Final = "composite-"


_CREATE: Final = sql(
    "INSERT INTO uploads (id, key, state, created_ms, checksum, $attributes) VALUES (?, ?, 'open', ?, ?, ?, ?, ?, ?)"
)
_OPEN: Final = sql("SELECT id, key, created_ms, checksum, $attributes FROM uploads WHERE state = 'open'")
_ATTRIBUTES: Final = sql("SELECT $attributes FROM uploads WHERE id = ?")
_CHECKSUM: Final = "SELECT checksum FROM uploads WHERE id = ?"
_PUT_PART: Final = sql("INSERT OR REPLACE INTO parts (upload, $part) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
_PARTS: Final = sql("SELECT $part FROM parts WHERE upload = ? ORDER BY number")


class Uploads:
    """The uploads of one bucket. Everything blocks.

    Args:
        store: the bucket.
    """

    def __init__(self, store: BucketStore) -> None:
        self._store = store

    def create(self, key: str, attributes: R2Attributes, checksum: UploadChecksum | None = None) -> str:
        """Begin an upload and return its id."""
        upload_id = secrets.token_urlsafe(96)
        head = upload_id, key, self._store.now_ms(), _checksum_text(checksum)
        with self._store.writing() as database:
            database.execute(_CREATE, (*head, *attribute_row(attributes)))
        return upload_id

    def find(self, upload_id: str) -> OpenUpload | None:
        """Return an upload that is under way; None where it is not."""
        with self._store.reading() as database:
            row = database.execute(f"{_OPEN} AND id = ?", (upload_id,)).get
        return None if row is None else _upload(row)

    def put_part(self, key: str, upload_id: str, number: int, body: StoredBody) -> StoredPart:
        """Store a part whose body is written already.

        Raises:
            NoSuchUpload: the upload is not under way; the body is removed.
        """
        md5 = body.digests["md5"]
        # The MD5 is what S3 shows of a part; the rest makes every upload of a part another one.
        etag = md5.hex() + secrets.token_hex(16)
        try:
            with self._store.writing() as database:
                if _state(database, key, upload_id) != "open":
                    raise NoSuchUpload(f"there is no upload {upload_id} of {key!r} under way")
                asked = _upload_checksum(database.execute(_CHECKSUM, (upload_id,)).get)
                checksum = None if asked is None else body.digests.get(asked.algorithm)
                part = StoredPart(number, etag, body.size, md5, self._store.now_ms(), body.blob, body.data, checksum)
                replaced = database.execute(
                    "SELECT blob FROM parts WHERE upload = ? AND number = ?", (upload_id, number)
                ).get
                database.execute(
                    _PUT_PART,
                    (upload_id, number, etag, part.size, md5, part.uploaded_ms, part.blob, part.data, checksum),
                )
        except BaseException:
            self._store.discard(body)
            raise
        self._store.remove(replaced)
        return part

    def parts(self, upload_id: str) -> list[StoredPart]:
        """Return an upload's parts in the order of their numbers."""
        with self._store.reading() as database:
            return _parts(database, upload_id)

    def select(self, key: str, upload_id: str, named: Sequence[R2Part]) -> list[StoredPart]:
        """Return the parts that an upload is to be completed with, in the order of their numbers.

        Raises:
            MultipartError: they cannot become an object.
        """
        with self._store.reading() as database:
            return _select(database, key, upload_id, named)

    def join(self, parts: Sequence[StoredPart]) -> StoredBody:
        """Make one body of parts; a single one is taken as it is.

        Raises:
            FileNotFoundError: a part was removed meanwhile.
        """
        size = sum(part.size for part in parts)
        pieces = [part.data if part.blob is None else part.blob for part in parts]
        blobs = self._store.blobs
        if size <= INLINE_BYTES:
            data = b"".join(blobs.read(piece) if isinstance(piece, str) else piece or b"" for piece in pieces)
            return StoredBody(size, {}, data=data)
        if len(pieces) == 1 and isinstance(pieces[0], str):
            return StoredBody(size, {}, blob=pieces[0])
        return StoredBody(size, {}, blob=blobs.join(piece or b"" for piece in pieces))

    def complete(
        self, key: str, upload_id: str, named: Sequence[R2Part], parts: Sequence[StoredPart], body: StoredBody
    ) -> R2Object:
        """Make a joined body the object.

        Raises:
            MultipartError: the upload was changed meanwhile; the body is removed.
        """
        md5 = hashlib.md5(b"".join(part.md5 for part in parts), usedforsecurity=False).hexdigest()
        checksums = self.checksums(upload_id, parts)
        try:
            with self._store.writing() as database:
                if _select(database, key, upload_id, named) != list(parts):
                    raise InvalidPart(f"a part of the upload {upload_id} was replaced")
                row = database.execute(_ATTRIBUTES, (upload_id,)).get
                etag = f"{md5}-{len(parts)}"
                found = self._store.new_object(key, body.size, etag, attributes_of(row), checksums=checksums)
                replaced = self._store.write_object(database, found, body)
                dropped = _end(database, upload_id, "completed")
        except BaseException:
            if body.blob not in {part.blob for part in parts}:
                self._store.discard(body)
            raise
        self._store.remove(*(blob for blob in (replaced, *dropped) if blob != body.blob))
        return found

    def abort(self, key: str, upload_id: str) -> None:
        """Drop an upload and its parts; one that is over already is left as it is.

        Raises:
            UnknownUpload: there never was one.
        """
        with self._store.writing() as database:
            state = _state(database, key, upload_id)
            if state is None:
                raise UnknownUpload(f"there never was an upload {upload_id} of {key!r}")
            dropped = _end(database, upload_id, "aborted") if state == "open" else []
        self._store.remove(*dropped)

    def checksums(self, upload_id: str, parts: Sequence[StoredPart]) -> dict[str, bytes]:
        """Return what the parts' digests make of the object's checksums: none where none was asked for."""
        upload = self.find(upload_id)
        asked = None if upload is None else upload.checksum
        if asked is None or not all(part.checksum for part in parts):
            return {}
        found = [(part.checksum or b"", part.size) for part in parts]
        if not asked.is_composite:
            return {asked.algorithm: combined_crc(asked.algorithm, found)}
        digest = new_digest(asked.algorithm)
        digest.update(b"".join(checksum for checksum, _ in found))
        return {COMPOSITE + asked.algorithm: digest.digest()}

    def open_uploads(self) -> list[OpenUpload]:
        """Return what is under way, in the order of keys and of their beginning."""
        with self._store.reading() as database:
            rows: list[Any] = database.execute(f"{_OPEN} ORDER BY key, created_ms, id").fetchall()
        return [_upload(row) for row in rows]


def _upload(row: tuple[Any, ...]) -> OpenUpload:
    upload_id, key, created_ms, checksum = row[:4]
    return OpenUpload(upload_id, key, created_ms, _upload_checksum(checksum), attributes_of(row[4:]))


def _checksum_text(checksum: UploadChecksum | None) -> str | None:
    return (
        None if checksum is None else f"{checksum.algorithm} {'COMPOSITE' if checksum.is_composite else 'FULL_OBJECT'}"
    )


def _upload_checksum(text: str | None) -> UploadChecksum | None:
    if text is None:
        return None
    algorithm, _, kind = text.partition(" ")
    return UploadChecksum(algorithm, kind == "COMPOSITE")


def _state(database: apsw.Connection, key: str, upload_id: str) -> str | None:
    found: str | None = database.execute("SELECT state FROM uploads WHERE id = ? AND key = ?", (upload_id, key)).get
    return found


def _parts(database: apsw.Connection, upload_id: str) -> list[StoredPart]:
    return [StoredPart(*row) for row in database.execute(_PARTS, (upload_id,))]


def _end(database: apsw.Connection, upload_id: str, state: str) -> list[str | None]:
    """End an upload and return the files of its parts, which no row names any more."""
    database.execute("UPDATE uploads SET state = ? WHERE id = ?", (state, upload_id))
    rows: list[Any] = database.execute("DELETE FROM parts WHERE upload = ? RETURNING blob", (upload_id,)).fetchall()
    return [blob for (blob,) in rows]


def _select(database: apsw.Connection, key: str, upload_id: str, named: Sequence[R2Part]) -> list[StoredPart]:
    state = _state(database, key, upload_id)
    if state is None:
        raise UnknownUpload(f"there never was an upload {upload_id} of {key!r}")
    if state != "open":
        raise NoSuchUpload(f"the upload {upload_id} of {key!r} is {state}")
    if len({part.number for part in named}) < len(named):
        raise RepeatedPart(f"a part of the upload {upload_id} is named twice")
    stored = {part.number: part for part in _parts(database, upload_id)}
    chosen = []
    for part in named:
        found = stored.get(part.number)
        # A client of the S3 API knows the MD5 only.
        if found is None or part.etag not in (found.etag, found.md5.hex()):
            raise InvalidPart(f"the upload {upload_id} has no part {part.number} with the tag {part.etag}")
        chosen.append(found)
    if any(part.size < MIN_PART_BYTES for part in chosen[:-1]):
        raise PartTooSmall(f"a part of the upload {upload_id} is smaller than {MIN_PART_BYTES} bytes")
    chosen.sort(key=lambda part: part.number)
    sizes = [part.size for part in chosen]
    if any(one != other for one, other in pairwise(sizes[:-1])) or (len(sizes) > 1 and sizes[-1] > sizes[0]):
        raise UnevenParts(f"the parts of the upload {upload_id} differ in size")
    if any(size < MIN_PART_BYTES for size in sizes[:-1]):
        raise UnevenParts(f"a part of the upload {upload_id} is smaller than {MIN_PART_BYTES} bytes")
    return chosen
