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

from pyworkers.engines.r2.blobs import INLINE_BYTES, StoredBody
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
    """A part as it is stored; its body is ``data``, or the file ``blob``."""

    number: int
    etag: str
    size: int
    md5: bytes
    uploaded_ms: int
    blob: str | None
    data: bytes | None


_CREATE: Final = sql(
    "INSERT INTO uploads (id, key, state, created_ms, $attributes) VALUES (?, ?, 'open', ?, ?, ?, ?, ?)"
)
_OPEN: Final = sql("SELECT id, key, $attributes FROM uploads WHERE state = 'open' ORDER BY key, id")
_ATTRIBUTES: Final = sql("SELECT $attributes FROM uploads WHERE id = ?")
_PUT_PART: Final = sql("INSERT OR REPLACE INTO parts (upload, $part) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
_PARTS: Final = sql("SELECT $part FROM parts WHERE upload = ? ORDER BY number")


class Uploads:
    """The uploads of one bucket. Everything blocks.

    Args:
        store: the bucket.
    """

    def __init__(self, store: BucketStore) -> None:
        self._store = store

    def create(self, key: str, attributes: R2Attributes) -> str:
        """Begin an upload and return its id."""
        upload_id = secrets.token_urlsafe(96)
        with self._store.writing() as database:
            database.execute(_CREATE, (upload_id, key, self._store.now_ms(), *attribute_row(attributes)))
        return upload_id

    def put_part(self, key: str, upload_id: str, number: int, body: StoredBody) -> StoredPart:
        """Store a part whose body is written already.

        Raises:
            NoSuchUpload: the upload is not under way; the body is removed.
        """
        md5 = body.digests["md5"]
        # The MD5 is what S3 shows of a part; the rest makes every upload of a part another one.
        etag = md5.hex() + secrets.token_hex(16)
        part = StoredPart(number, etag, body.size, md5, self._store.now_ms(), body.blob, body.data)
        try:
            with self._store.writing() as database:
                if _state(database, key, upload_id) != "open":
                    raise NoSuchUpload(f"there is no upload {upload_id} of {key!r} under way")
                replaced = database.execute(
                    "SELECT blob FROM parts WHERE upload = ? AND number = ?", (upload_id, number)
                ).get
                database.execute(
                    _PUT_PART,
                    (upload_id, number, etag, part.size, part.md5, part.uploaded_ms, part.blob, part.data),
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
        try:
            with self._store.writing() as database:
                if _select(database, key, upload_id, named) != list(parts):
                    raise InvalidPart(f"a part of the upload {upload_id} was replaced")
                row = database.execute(_ATTRIBUTES, (upload_id,)).get
                found = self._store.new_object(key, body.size, f"{md5}-{len(parts)}", attributes_of(row))
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

    def open_uploads(self) -> dict[str, tuple[str, R2Attributes]]:
        """Return what is under way: id to key and attributes."""
        with self._store.reading() as database:
            rows: list[Any] = database.execute(_OPEN).fetchall()
        return {row[0]: (row[1], attributes_of(row[2:])) for row in rows}


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
