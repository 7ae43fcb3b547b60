"""Caches on disk: a SQLite file of responses and a folder of bodies.

    <name>.sqlite           table entries; bodies up to 16 KiB inline
    <name>.bodies/ab12…     larger bodies, a file each

A body gets its file before its row is committed, and loses it after its row is gone, so that a row never names a file
that is not whole. What a killed process left behind is removed when the caches are opened.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, TypeVar
from uuid import uuid4

import apsw

from pyworkers.clock import Clock, SystemClock
from pyworkers.engines.cache.protocol import CachedResponse
from pyworkers.engines.files import FilePieces, OpenFile
from pyworkers.engines.sqlite import open_database, sqlite_errors
from pyworkers.engines.work_thread import WorkThread, outlast
from pyworkers.errors import EngineClosed, EngineError

R = TypeVar("R")

# Smaller bodies are kept in the database: a file of their own costs more than they are worth.
INLINE_BYTES: Final = 16 * 1024
SWEEP_INTERVAL_S: Final = 60
# A body without a row is one that is being written, or that a killed process left; after this long it is the latter.
ORPHAN_AGE_S: Final = 3_600

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
    cache TEXT, key TEXT, status INTEGER NOT NULL, headers TEXT NOT NULL, expires_at_ms INTEGER NOT NULL,
    size INTEGER NOT NULL, body BLOB, file TEXT, PRIMARY KEY (cache, key)
);
CREATE INDEX IF NOT EXISTS entries_by_expiry ON entries (expires_at_ms);
"""
_MATCH: Final = (
    "SELECT status, headers, expires_at_ms, size, body, file FROM entries"
    " WHERE cache = ? AND key = ? AND expires_at_ms > ?"
)
_FILE: Final = "SELECT file FROM entries WHERE cache = ? AND key = ? AND file IS NOT NULL"
_PUT: Final = "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_DELETE: Final = "DELETE FROM entries WHERE cache = ? AND key = ? RETURNING expires_at_ms, file"
_SWEEP: Final = "DELETE FROM entries WHERE expires_at_ms <= ? RETURNING file"
_FILES: Final = "SELECT file FROM entries WHERE file IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Reading:
    """A stored response and its open body."""

    response: CachedResponse
    size: int
    body: bytes | OpenFile

    def chunks(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """Return an iterator over a part of the body."""
        if isinstance(self.body, OpenFile):
            return FilePieces(self.body, offset, length)
        return _once(self.body[offset : offset + length])


class SqliteCacheEngine:
    """The caches of one worker, in a SQLite file and a folder beside it, or in memory.

    An acknowledged write survives the death of this process (see `pyworkers.engines.sqlite`).

    Args:
        path: the SQLite file, made at first use; None keeps everything in memory.
        clock: decides what has expired.
    """

    def __init__(self, path: Path | None = None, *, clock: Clock | None = None) -> None:
        self.path = path
        self._folder = None if path is None else path.with_suffix(".bodies")
        self._clock = clock or SystemClock()
        self._thread = WorkThread("cache")
        self._connection: apsw.Connection | None = None
        self._swept_at_s = 0.0
        self._is_closed = False

    async def match(self, cache: str, key: str) -> Reading | None:
        """Return the response under a key, None where there is none that is fresh."""
        now_ms = self._clock.now_ms()
        return await self._run(lambda database: self._read(database, cache, key, now_ms))

    async def put(self, cache: str, key: str, response: CachedResponse, body: bytes | AsyncIterator[bytes]) -> None:
        """Store a response; see the protocol."""
        writer = _BodyWriter(self._folder)
        try:
            if isinstance(body, bytes):
                await self._run(lambda _: writer.write(body))
            else:
                async for chunk in body:
                    if writer.is_inline_with(chunk):
                        writer.write(chunk)
                    else:
                        await self._run(_writing(writer, chunk))
            await self._run(lambda database: self._store(database, cache, key, response, writer))
        except BaseException:
            writer.abort()
            raise

    async def delete(self, cache: str, key: str) -> bool:
        """Remove the response under a key; tell whether there was one that is fresh."""
        now_ms = self._clock.now_ms()

        def remove(database: apsw.Connection) -> bool:
            rows: list[Any] = database.execute(_DELETE, (cache, key)).fetchall()
            self._unlink([file for _, file in rows])
            return any(expires_at_ms > now_ms for expires_at_ms, _ in rows)

        return await self._run(remove)

    async def close(self) -> None:
        """Give the files back; idempotent. Bodies that are being read can be read to their end."""
        self._is_closed = True
        await self._thread.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def __aenter__(self) -> SqliteCacheEngine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ---- on the thread

    async def _run(self, work: Callable[[apsw.Connection], R]) -> R:
        if self._is_closed:
            raise EngineClosed("the cache is closed")

        def run() -> R:
            try:
                with sqlite_errors(self.path):
                    return work(self._database())
            except OSError as error:
                raise EngineError(
                    f"the bodies of {self.path} could not be read or written: {error.strerror}",
                    hint="check the folder's permissions and the free space",
                ) from error

        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._thread.submit(run, future)
        # What the thread still writes to must not be closed, nor removed, because a caller no longer waits.
        return await outlast(future)

    def _database(self) -> apsw.Connection:
        if self._connection is not None:
            return self._connection
        database = open_database(self.path)
        try:
            # In one transaction: another process may make the same file at the same time.
            database.execute(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT")
            self._remove_orphans(database)
        except BaseException:
            database.close()
            raise
        self._connection = database
        return database

    def _read(self, database: apsw.Connection, cache: str, key: str, now_ms: int) -> Reading | None:
        while (row := database.execute(_MATCH, (cache, key, now_ms)).get) is not None:
            status, headers, expires_at_ms, size, body, file = row
            response = CachedResponse(
                status, tuple((name, value) for name, value in json.loads(headers)), expires_at_ms
            )
            if self._folder is None or file is None:
                return Reading(response, size, body)
            try:
                return Reading(response, size, OpenFile(self._folder / file))
            except FileNotFoundError:
                # Another process replaced the response in between, or somebody emptied the folder.
                database.execute("DELETE FROM entries WHERE file = ?", (file,))
        return None

    def _store(
        self, database: apsw.Connection, cache: str, key: str, response: CachedResponse, writer: _BodyWriter
    ) -> None:
        body, file = writer.finish()
        headers = json.dumps(response.headers, ensure_ascii=False, separators=(",", ":"))
        row = (cache, key, response.status, headers, response.expires_at_ms, writer.size, body, file)
        database.execute("BEGIN IMMEDIATE")
        try:
            replaced = [old for (old,) in database.execute(_FILE, (cache, key))]
            database.execute(_PUT, row)
            replaced += self._sweep(database)
            database.execute("COMMIT")
            writer.keep()
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        self._unlink(old for old in replaced if old != file)

    def _sweep(self, database: apsw.Connection) -> list[str | None]:
        """Remove what has expired, once in a while; returns the files of it."""
        now_s = self._clock.now_s()
        if now_s - self._swept_at_s < SWEEP_INTERVAL_S:
            return []
        self._swept_at_s = now_s
        return [file for (file,) in database.execute(_SWEEP, (int(now_s * 1000),))]

    def _remove_orphans(self, database: apsw.Connection) -> None:
        if self._folder is None or not self._folder.is_dir():
            return
        known = {file for (file,) in database.execute(_FILES)}
        oldest_s = SystemClock().now_s() - ORPHAN_AGE_S  # a file's time is the machine's, not the worker's clock's
        for path in self._folder.iterdir():
            if path.name not in known and path.stat().st_mtime < oldest_s:
                path.unlink(missing_ok=True)

    def _unlink(self, files: Any) -> None:
        """Remove files that no row names; what cannot be removed fails no call that has happened."""
        if self._folder is not None:
            for file in files:
                if file is not None:
                    with suppress(OSError):  # an orphan is tried again when the caches are opened
                        (self._folder / file).unlink(missing_ok=True)


class _BodyWriter:
    """Takes a body in, piece by piece; a small one never becomes a file.

    Args:
        folder: where a large body goes; None keeps it in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._kept: list[bytes] = []
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self.size = 0

    def is_inline_with(self, data: bytes) -> bool:
        """Tell whether the body stays in memory with this piece."""
        return self._folder is None or (self._file is None and self.size + len(data) <= INLINE_BYTES)

    def write(self, data: bytes) -> None:
        """Take the next piece; blocks where it goes to a file."""
        is_inline = self.is_inline_with(data)
        self.size += len(data)
        if is_inline or self._folder is None:
            self._kept.append(data)
            return
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._path = self._folder / uuid4().hex
            self._file = self._path.open("xb", buffering=0)
            self._write(self._file, self._kept)
            self._kept = []
        self._write(self._file, [data])

    def finish(self) -> tuple[bytes | None, str | None]:
        """Return the whole body, or the name of its file."""
        if self._file is None or self._path is None:
            return b"".join(self._kept), None
        self._file.close()
        return None, self._path.name

    def keep(self) -> None:
        """The body is a response's now: nothing drops it."""
        self._file = None

    def abort(self) -> None:
        """Drop what was written, unless it is kept."""
        if self._file is not None and self._path is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)

    @staticmethod
    def _write(file: BinaryIO, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[file.write(rest) :]


def _writing(writer: _BodyWriter, data: bytes) -> Callable[[apsw.Connection], None]:
    return lambda _: writer.write(data)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
