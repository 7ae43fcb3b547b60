"""A bucket on disk: a SQLite file of objects and a folder of bodies.

Everything here blocks and may be called from any thread. What is written is whole at every moment: a body gets its
name when it is complete, and exists for readers once its row is committed.

    <folder>/objects.sqlite     tables objects, small_bodies, uploads, parts
    <folder>/blobs/ab/ab12…     bodies over 16 KiB
    <folder>/lock               held by every process that has the bucket open
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import apsw

from pyworkers.clock import Clock
from pyworkers.engines.file_lock import try_lock
from pyworkers.engines.r2.blobs import BlobStore, StoredBody
from pyworkers.engines.r2.conditions import R2Condition
from pyworkers.engines.r2.protocol import R2Attributes, R2Object, R2Page
from pyworkers.engines.r2.rows import MIGRATIONS, SCHEMA, SCHEMA_VERSION, object_of, row_of, sql
from pyworkers.engines.sqlite import open_database, prefix_end, sqlite_errors
from pyworkers.errors import EngineClosed, EngineCorrupt, EngineError

_PUT: Final = sql(
    "INSERT INTO objects ($object, blob) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
    " version = excluded.version, size = excluded.size, etag = excluded.etag, uploaded_ms = excluded.uploaded_ms,"
    " checksums = excluded.checksums, http_metadata = excluded.http_metadata,"
    " cache_expires_ms = excluded.cache_expires_ms, custom_metadata = excluded.custom_metadata,"
    " storage_class = excluded.storage_class, blob = excluded.blob"
)
_HEAD: Final = sql("SELECT $object FROM objects WHERE key = ?")
_READ: Final = sql("SELECT $object, blob, (SELECT data FROM small_bodies WHERE key = ?1) FROM objects WHERE key = ?1")
_SCAN: Final = sql("SELECT $object FROM objects WHERE key >= ? ORDER BY key")
_SCAN_AFTER: Final = sql("SELECT $object FROM objects WHERE key > ? ORDER BY key")
_DELETE: Final = "DELETE FROM objects WHERE key = ? RETURNING blob"


@dataclass(slots=True)
class OpenBody:
    """An object and its body: its bytes, or a file descriptor that the receiver closes."""

    object: R2Object
    data: bytes | None
    file: int | None

    def close(self) -> None:
        """Close the file; idempotent."""
        file, self.file = self.file, None
        if file is not None:
            os.close(file)

    def __del__(self) -> None:
        self.close()


class BucketStore:
    """The rows and bodies of one bucket; opened by `open`.

    Args:
        folder: where it lies; made where it is missing.
        clock: when an object was uploaded.
    """

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self.path = folder / "objects.sqlite"
        self.blobs = BlobStore(folder / "blobs")
        self._folder = folder
        self._clock = clock
        self._mutex = threading.RLock()  # one transaction at a time on the connection
        self._connection: apsw.Connection | None = None
        self._lock: int | None = None

    def open(self) -> None:
        """Open the bucket, and sweep what a killed process left, unless another process has the bucket open.

        Raises:
            EngineError: the folder cannot be written, or the file is no database.
        """
        with self._errors(), self._mutex:
            database = open_database(self.path)
            try:
                self._connection = database
                self._migrate()
                self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                if try_lock(self._lock):
                    self.blobs.sweep(self._live_blobs(database))
                fcntl.flock(self._lock, fcntl.LOCK_SH)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Give the files back; idempotent."""
        with self._mutex:
            connection, self._connection = self._connection, None
            lock, self._lock = self._lock, None
            if connection is not None:
                connection.close()
            if lock is not None:
                os.close(lock)

    # ---- reading

    def head(self, key: str) -> R2Object | None:
        """Return an object without its body."""
        with self.reading() as database:
            row = database.execute(_HEAD, (key,)).get
        return None if row is None else object_of(row)

    def read(self, key: str) -> OpenBody | None:
        """Return an object with its body open.

        Raises:
            EngineCorrupt: the body's file is gone.
        """
        missing = None
        while True:
            with self.reading() as database:
                row = database.execute(_READ, (key,)).get
            if row is None:
                return None
            found, blob, data = object_of(row), row[-2], row[-1]
            if blob is None:
                return OpenBody(found, data, None)
            try:
                return OpenBody(found, None, self.blobs.open(blob))
            except FileNotFoundError as error:
                # Another process replaced the object in between; then the row names another file by now.
                if blob == missing:
                    raise EngineCorrupt(
                        f"the body of {key!r} is missing: {self.blobs.path(blob)}",
                        hint="restore the file, or delete the object",
                    ) from error
                missing = blob

    def list_objects(self, prefix: str, delimiter: str, after: str | None, limit: int) -> R2Page:
        """Return objects and common prefixes in order; see the protocol."""
        entries: list[R2Object | str] = []
        with self.reading() as database:
            for entry in _scan(database, prefix, delimiter, after):
                entries.append(entry)
                if len(entries) > limit:
                    break
            is_cut = len(entries) > limit
            last = entries[limit - 1] if is_cut else None
            next_after = _last_key(database, last) if isinstance(last, str) else last.key if last else None
        kept = entries[:limit]
        return R2Page(
            [entry for entry in kept if isinstance(entry, R2Object)],
            [entry for entry in kept if isinstance(entry, str)],
            next_after,
        )

    # ---- writing

    def put(
        self, key: str, body: StoredBody, attributes: R2Attributes, condition: R2Condition | None = None
    ) -> R2Object | None:
        """Store an object whose body is written already; None where the condition fails: the body is removed then."""
        found = self.new_object(key, body.size, body.digests["md5"].hex(), attributes, checksums=body.digests)
        try:
            with self.writing() as database:
                old = database.execute("SELECT etag, uploaded_ms FROM objects WHERE key = ?", (key,)).get
                is_wanted = condition is None or (
                    condition.holds_without_object() if old is None else condition.holds(*old)
                )
                replaced = self.write_object(database, found, body) if is_wanted else None
        except BaseException:
            self.discard(body)
            raise
        if not is_wanted:
            self.discard(body)
            return None
        self.remove(replaced)
        return found

    def delete(self, keys: Sequence[str]) -> list[str]:
        """Remove keys, all or nothing, and return those that were there."""
        gone: list[str] = []
        blobs: list[Any] = []
        with self.writing() as database:
            for key in keys:
                found = database.execute(_DELETE, (key,)).fetchall()
                if found:
                    gone.append(key)
                    blobs.append(found[0][0])
        self.remove(*blobs)
        return gone

    def set_attributes(self, key: str, version: str, attributes: R2Attributes) -> None:
        """Change what is said about an object, where it is still of that version."""
        with self.writing() as database:
            row = database.execute(_HEAD, (key,)).get
            if row is None or row[1] != version:
                return
            found = object_of(row)
            changed = R2Object(key, version, found.size, found.etag, found.uploaded_ms, found.checksums, attributes)
            blob = database.execute("SELECT blob FROM objects WHERE key = ?", (key,)).get
            database.execute(_PUT, (*row_of(changed), blob))

    def discard(self, body: StoredBody) -> None:
        """Remove a body that no row names."""
        self.remove(body.blob)

    def remove(self, *blobs: str | None) -> None:
        """Remove bodies that no row names; None is no body."""
        with os_errors(self._folder):
            self.blobs.remove(blob for blob in blobs if blob is not None)

    # ---- for uploads in parts

    def new_object(
        self, key: str, size: int, etag: str, attributes: R2Attributes, *, checksums: Mapping[str, bytes] | None = None
    ) -> R2Object:
        """Return an object of a new version, uploaded now."""
        return R2Object(key, uuid4().hex, size, etag, self._clock.now_ms(), checksums or {}, attributes)

    def write_object(self, database: apsw.Connection, found: R2Object, body: StoredBody) -> str | None:
        """Write an object's rows and return the file that no row names any more."""
        replaced: str | None = database.execute("SELECT blob FROM objects WHERE key = ?", (found.key,)).get
        database.execute(_PUT, (*row_of(found), body.blob))
        if body.blob is None:
            database.execute("INSERT OR REPLACE INTO small_bodies VALUES (?, ?)", (found.key, body.data))
        else:
            database.execute("DELETE FROM small_bodies WHERE key = ?", (found.key,))
        return replaced

    def now_ms(self) -> int:
        """Return the time, in milliseconds since the Unix epoch."""
        return self._clock.now_ms()

    def created_ms(self) -> int:
        """Return when the bucket was made, in milliseconds since the Unix epoch."""
        with self.reading() as database:
            return int(database.execute("SELECT created_ms FROM bucket").get)

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """A transaction that is committed at the end, and rolled back by an exception."""
        with self.reading() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """The connection, for this thread alone; failures become the project's errors."""
        with self._errors(), self._mutex:
            if self._connection is None:
                raise EngineClosed("the R2 bucket is closed")
            yield self._connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with sqlite_errors(self.path), os_errors(self._folder):
            yield

    def _migrate(self) -> None:
        """Make the tables those of this version."""
        with self.reading() as database:
            if database.pragma("user_version") == SCHEMA_VERSION:
                return
        with self.writing() as database:
            version = database.pragma("user_version")
            if version == SCHEMA_VERSION:  # another process was first
                return
            if version > SCHEMA_VERSION:
                raise EngineError(
                    f"{self.path} was written by a newer version: its schema is {version}, not {SCHEMA_VERSION}",
                    hint="update pyworkers, or choose another --persist-to folder",
                )
            for step in range(version, SCHEMA_VERSION) if version else ():
                database.execute(MIGRATIONS[step])
            if not version:
                database.execute(SCHEMA)
            database.execute("INSERT INTO bucket VALUES (?)", (self._clock.now_ms(),))
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _live_blobs(self, database: apsw.Connection) -> set[str]:
        rows = database.execute("SELECT blob FROM objects UNION ALL SELECT blob FROM parts")
        return {blob for (blob,) in rows if blob is not None}


@contextmanager
def os_errors(folder: Path) -> Iterator[None]:
    """Turn the operating system's errors into this project's."""
    try:
        yield
    except OSError as error:
        raise EngineError(
            f"{error.filename or folder} could not be used: {error.strerror}",
            hint="check the folder's permissions and the free space",
        ) from error


def _scan(database: apsw.Connection, prefix: str, delimiter: str, after: str | None) -> Iterator[R2Object | str]:
    """Yield objects and common prefixes in order; each common prefix costs one seek, however many keys it has."""
    position, statement = (prefix, _SCAN) if after is None or after < prefix else (after, _SCAN_AFTER)
    while True:
        common = None
        cursor = database.cursor()
        try:
            for row in cursor.execute(statement, (position,)):
                key = row[0]
                if not key.startswith(prefix):
                    return
                common = _common_prefix(key, prefix, delimiter)
                if common is not None:
                    break
                yield object_of(row)
        finally:
            cursor.close()
        if common is None:
            return
        yield common
        following = prefix_end(common)
        if following is None:
            return
        position, statement = following, _SCAN


def _common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    found = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if found < 0 else key[: found + len(delimiter)]


def _last_key(database: apsw.Connection, prefix: str) -> str:
    """Return the last key that starts with a prefix, of which there is one."""
    end = prefix_end(prefix)
    if end is None:
        found: Any = database.execute("SELECT max(key) FROM objects WHERE key >= ?", (prefix,)).get
    else:
        found = database.execute("SELECT max(key) FROM objects WHERE key >= ? AND key < ?", (prefix, end)).get
    return str(found)
