"""Bodies of objects, a file each.

A body is written under a temporary name and renamed when it is whole, so that a file with a final name is never torn.
A file is removed as soon as no row names it: whoever opened it before reads on to the end, as POSIX has it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from pyworkers.engines.r2.digests import new_digest

# Smaller bodies are kept in the database: a file of their own costs more than they are worth.
INLINE_BYTES: Final = 16 * 1024
_COPY_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredBody:
    """A body that is stored but that no row names yet: its bytes, or the name of its file.

    Attributes:
        digests: name to digest: ``md5``, and what was asked for; none where it was joined from parts.
    """

    size: int
    digests: Mapping[str, bytes]
    data: bytes | None = None
    blob: str | None = None


class BlobStore:
    """A folder of bodies.

    Args:
        folder: holds 256 folders of files; made at the first write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def writer(self, *algorithms: str) -> BodyWriter:
        """Return what takes a body in; ``algorithms`` are digests to compute beside the MD5."""
        return BodyWriter(self, algorithms)

    def path(self, blob: str) -> Path:
        """Return where a body is."""
        return self._folder / blob[:2] / blob

    def open(self, blob: str) -> int:
        """Open a body for reading and return the file descriptor.

        Raises:
            FileNotFoundError: it was removed.
        """
        return os.open(self.path(blob), os.O_RDONLY | os.O_CLOEXEC)

    def join(self, pieces: Iterable[str | bytes]) -> str:
        """Write a body that consists of bodies and bytes, one after the other, and return its name.

        Raises:
            FileNotFoundError: one was removed.
        """
        name, file = self.create()
        try:
            for piece in pieces:
                if isinstance(piece, bytes):
                    _write(file, piece)
                else:
                    self._append(piece, file)
        except BaseException:
            self.abandon(name, file)
            raise
        self.finish(name, file)
        return name

    def read(self, blob: str) -> bytes:
        """Return a whole body.

        Raises:
            FileNotFoundError: it was removed.
        """
        return self.path(blob).read_bytes()

    def remove(self, blobs: Iterable[str]) -> None:
        """Remove bodies; one that is gone already is no error."""
        for blob in blobs:
            self.path(blob).unlink(missing_ok=True)

    def sweep(self, live: set[str]) -> int:
        """Remove every file but the live bodies, half-written ones too, and return how many there were."""
        removed = 0
        for file in self._folder.glob("??/*"):
            if file.name not in live:
                file.unlink(missing_ok=True)
                removed += 1
        return removed

    # ---- for the writers

    def create(self) -> tuple[str, int]:
        """Make a file and return its future name and a descriptor to write it."""
        name = uuid4().hex
        path = self._temporary(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return name, os.open(path, flags, 0o644)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            return name, os.open(path, flags, 0o644)

    def finish(self, name: str, file: int) -> None:
        """Close a file that is whole and give it its name."""
        os.close(file)
        try:
            self._temporary(name).rename(self.path(name))
        except BaseException:
            self._temporary(name).unlink(missing_ok=True)
            raise

    def abandon(self, name: str, file: int) -> None:
        """Close a file and remove it."""
        os.close(file)
        self._temporary(name).unlink(missing_ok=True)

    def _append(self, blob: str, file: int) -> None:
        source = self.open(blob)
        try:
            _copy(source, file)
        finally:
            os.close(source)

    def _temporary(self, name: str) -> Path:
        return self.path(name).with_suffix(".tmp")


class BodyWriter:
    """Takes a body in, piece by piece; a small one never becomes a file. `finish` or `abort` ends it."""

    def __init__(self, store: BlobStore, algorithms: Iterable[str]) -> None:
        self._store = store
        self._digests = {name: new_digest(name) for name in dict.fromkeys(("md5", *algorithms))}
        self._kept = bytearray()
        self._file: tuple[str, int] | None = None
        self._size = 0

    def write(self, data: bytes) -> None:
        """Take the next piece; blocks."""
        for digest in self._digests.values():
            digest.update(data)
        self._size += len(data)
        if self._file is None:
            if self._size <= INLINE_BYTES:
                self._kept += data
                return
            self._file = self._store.create()
            _write(self._file[1], self._kept)
            self._kept.clear()
        _write(self._file[1], data)

    def digest(self, algorithm: str) -> bytes:
        """Return the digest of what was written, of MD5 or of an algorithm that was asked for."""
        return self._digests[algorithm].digest()

    @property
    def size(self) -> int:
        """How many bytes were written."""
        return self._size

    def finish(self) -> StoredBody:
        """Return the body, which is whole now."""
        data = blob = None
        file, self._file = self._file, None
        if file is None:
            data = bytes(self._kept)
        else:
            self._store.finish(*file)
            blob = file[0]
        digests = {name: digest.digest() for name, digest in self._digests.items()}
        return StoredBody(self._size, digests, data, blob)

    def abort(self) -> None:
        """Drop what was written; nothing after `finish`, even one that failed."""
        file, self._file = self._file, None
        if file is not None:
            self._store.abandon(*file)


def _write(file: int, data: bytes | bytearray) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _copy(source: int, target: int) -> None:
    """Append a whole file; inside the kernel where the system can."""
    copy_range = getattr(os, "copy_file_range", None)
    if copy_range is not None:
        try:
            while copy_range(source, target, _COPY_BYTES):
                pass
        except OSError:
            # Not on this file system. The source's position says what is left to copy.
            pass
        else:
            return
    with os.fdopen(source, "rb", closefd=False) as reader, os.fdopen(target, "wb", closefd=False) as writer:
        shutil.copyfileobj(reader, writer)
