"""R2 on moto's S3 backend, made durable: the default engine.

moto is imported, and the bucket opened, by the first call, on a thread: an engine that is never used costs nothing.
Rows are read and written on one thread; bodies on the loop's pool of threads, a piece at a time, so that neither a
large body nor a slow disk holds up the loop, and memory stays flat.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, TypeVar

from pyworkers.clock import Clock, SystemClock
from pyworkers.engines.r2.blobs import BlobStore, BodyWriter, StoredBody
from pyworkers.engines.r2.conditions import R2Condition
from pyworkers.engines.r2.protocol import DigestMismatch, R2Attributes, R2Digest, R2Object, R2Page, R2Part
from pyworkers.engines.r2.store import BucketStore, OpenBody, os_errors
from pyworkers.engines.r2.transfer import PIECE_BYTES, gather, in_thread
from pyworkers.engines.work_thread import WorkThread
from pyworkers.errors import EngineClosed, EngineCorrupt, EngineError

if TYPE_CHECKING:
    from pyworkers.engines.r2.moto_backend import DurableBackend

R = TypeVar("R")

# What the engine's own backend calls its only bucket.
BUCKET: Final = "bucket"


class MotoR2Engine:
    """A bucket in a folder; see `pyworkers.engines.r2.store` for what lies there.

    An acknowledged write survives the death of this process (see `pyworkers.engines.sqlite`).

    Args:
        path: the folder, made at first use; None is one of its own that `close` removes.
        clock: says when an object was uploaded.
    """

    def __init__(self, path: Path | None = None, *, clock: Clock | None = None) -> None:
        self.path = path
        self._clock = clock or SystemClock()
        self._thread = WorkThread("r2")
        self._scratch: Path | None = None
        self._store: BucketStore | None = None
        self._backend: DurableBackend | None = None
        self._is_closed = False

    async def head(self, key: str) -> R2Object | None:
        """Return an object without its body."""

        def find(backend: DurableBackend) -> R2Object | None:
            found = backend.head_object(BUCKET, key)
            return None if found is None else found.record

        return await self._run(find)

    async def get(self, key: str) -> Reading | None:
        """Return an object with its body open."""
        found = await self._run(lambda backend: backend.bucket(BUCKET).store.read(key))
        return None if found is None else Reading(found)

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

        def store(backend: DurableBackend, stored: StoredBody) -> R2Object | None:
            made = backend.put_object(BUCKET, key, stored, attributes=attributes, condition=condition)
            return None if made is None else made.record

        return await self._receive(body, digest, store)

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove keys, all or nothing."""
        await self._run(lambda backend: backend.delete_keys(BUCKET, keys))

    async def list_objects(
        self,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str | None = None,
        limit: int = 1000,
        with_attributes: bool = True,  # noqa: ARG002 - they stand in the row
    ) -> R2Page:
        """Return objects in order; see the protocol."""
        return await self._run(lambda backend: backend.list_page(BUCKET, prefix, delimiter, after, limit))

    async def create_upload(self, key: str, *, attributes: R2Attributes) -> str:
        """Begin an upload in parts and return its id."""
        return await self._run(lambda backend: backend.create_multipart_upload(BUCKET, key, attributes).id)

    async def put_part(self, key: str, upload_id: str, number: int, body: bytes | AsyncIterator[bytes]) -> R2Part:
        """Store a part, in the place of an earlier one of the same number."""

        def store(backend: DurableBackend, stored: StoredBody) -> R2Part:
            part = backend.bucket(BUCKET).uploads.put_part(key, upload_id, number, stored)
            return R2Part(part.number, part.etag)

        return await self._receive(body, None, store)

    async def complete_upload(self, key: str, upload_id: str, parts: Sequence[R2Part]) -> R2Object:
        """Make the parts the object; see the protocol."""
        uploads = await self._run(lambda backend: backend.bucket(BUCKET).uploads)
        chosen = await self._run(lambda _: uploads.select(key, upload_id, parts))
        try:
            with os_errors(self._place):
                body = await in_thread(lambda: uploads.join(chosen))
        except EngineError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                # Somebody ended the upload meanwhile, then this says so.
                await self._run(lambda _: uploads.select(key, upload_id, parts))
            raise
        return await self._run(lambda _: uploads.complete(key, upload_id, parts, chosen, body))

    async def abort_upload(self, key: str, upload_id: str) -> None:
        """Drop an upload and its parts; one that is over already is left as it is."""
        await self._run(lambda backend: backend.bucket(BUCKET).uploads.abort(key, upload_id))

    async def store(self) -> BucketStore:
        """Return the open bucket, for code of moto's that runs on threads of its own."""
        return await self._run(lambda backend: backend.bucket(BUCKET).store)

    async def close(self) -> None:
        """Give everything back; idempotent. Bodies that are being read can be read to their end."""
        self._is_closed = True
        await self._thread.close()
        store, self._store, self._backend = self._store, None, None
        if store is not None:
            store.close()
        scratch, self._scratch = self._scratch, None
        if scratch is not None:
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

    async def __aenter__(self) -> MotoR2Engine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ---- on the thread

    @property
    def _place(self) -> Path:
        return self.path or self._scratch or Path(tempfile.gettempdir())

    def _open(self) -> DurableBackend:
        if self._backend is None:
            from pyworkers.engines.r2.moto_backend import DurableBackend  # a second or two

            if self.path is None and self._scratch is None:
                self._scratch = Path(tempfile.mkdtemp(prefix="pyworkers-r2-"))
            store = BucketStore(self._place, clock=self._clock)
            store.open()
            self._store = store
            backend = DurableBackend()
            backend.attach(BUCKET, store)
            self._backend = backend
        return self._backend

    async def _run(self, work: Callable[[DurableBackend], R]) -> R:
        if self._is_closed:
            raise EngineClosed("the R2 bucket is closed")

        def run() -> R:
            with os_errors(self._place):
                return work(self._open())

        return await self._thread.run(run)

    # ---- bodies

    async def _receive(
        self,
        body: bytes | AsyncIterator[bytes],
        digest: R2Digest | None,
        then: Callable[[DurableBackend, StoredBody], R],
    ) -> R:
        """Write a body, then the row that names it."""
        first, rest = await gather(body)
        algorithms = () if digest is None else (digest.algorithm,)
        if rest is None and len(first) <= PIECE_BYTES:
            return await self._run(
                lambda backend: then(backend, _take(self._blobs(backend).writer(*algorithms), first, digest))
            )
        blobs = await self._run(self._blobs)
        writer = blobs.writer(*algorithms)
        try:
            await self._write(writer, first)
            while rest is not None:
                piece, rest = await gather(rest)
                await self._write(writer, piece)
            with os_errors(self._place):
                stored = await in_thread(lambda: _take(writer, b"", digest))
        except BaseException:
            await in_thread(writer.abort)
            raise
        try:
            return await self._run(lambda backend: then(backend, stored))
        except EngineClosed:
            if stored.blob is not None:
                blobs.remove((stored.blob,))
            raise

    async def _write(self, writer: BodyWriter, data: bytes) -> None:
        with os_errors(self._place):
            await in_thread(lambda: writer.write(data))

    def _blobs(self, backend: DurableBackend) -> BlobStore:
        return backend.bucket(BUCKET).store.blobs


class Reading:
    """An object with its body open: bytes, or a file that is closed at the body's end."""

    def __init__(self, opened: OpenBody) -> None:
        self._opened = opened
        self._is_busy = False
        self._is_closing = False

    @property
    def object(self) -> R2Object:
        """The object."""
        return self._opened.object

    def chunks(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """Return an iterator over a part of the body; its end, or its ``aclose``, closes the body."""
        return _Chunks(self, offset, length)

    async def read(self, offset: int, length: int) -> bytes:
        """Return up to `PIECE_BYTES` of the body.

        Raises:
            EngineCorrupt: the file ends early.
        """
        found, data, file = self._opened.object, self._opened.data, self._opened.file
        if data is not None:
            return data[offset : offset + length]
        size = min(length, PIECE_BYTES)
        if file is None:
            raise EngineClosed(f"the body of {found.key!r} is closed")
        self._is_busy = True
        try:
            data = await in_thread(lambda: os.pread(file, size, offset))
        finally:
            self._is_busy = False
            if self._is_closing:
                self.close()
        if not data:
            raise EngineCorrupt(
                f"the body of {found.key!r} ends before its {found.size} bytes",
                hint="restore its file, or write the object again",
            )
        return data

    def close(self) -> None:
        """Close the file, after a read that is under way; idempotent."""
        if self._is_busy:
            self._is_closing = True
            return
        self._opened.close()

    def __del__(self) -> None:
        self.close()


class _Chunks:
    """The pieces of a part of a body."""

    def __init__(self, reading: Reading, offset: int, length: int) -> None:
        self._reading: Reading | None = reading
        self._offset = offset
        self._end = offset + length

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> bytes:
        reading = self._reading
        if reading is None or self._offset >= self._end:
            await self.aclose()
            raise StopAsyncIteration
        data = await reading.read(self._offset, self._end - self._offset)
        self._offset += len(data)
        if self._offset >= self._end:
            await self.aclose()
        return data

    async def aclose(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.close()


def _take(writer: BodyWriter, data: bytes, digest: R2Digest | None) -> StoredBody:
    """Write the last piece and end the body.

    Raises:
        DigestMismatch: the body has another digest; nothing is left of it.
    """
    try:
        writer.write(data)
        if digest is not None:
            actual = writer.digest(digest.algorithm)
            if actual != digest.value:
                raise DigestMismatch(digest.algorithm, digest.value, actual)
        return writer.finish()
    except BaseException:
        writer.abort()
        raise
