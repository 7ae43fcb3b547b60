"""Files of the state folder: written whole or not at all; read, as bodies are, a piece at a time.

Bodies are read on the pool of threads, so that memory stays flat.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pyworkers.errors import EngineCorrupt, EngineError

# How much of a body is read in one trip to a thread.
PIECE_BYTES: Final = 256 * 1024


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn the system's refusal to make, read or write a file of the state folder into an `EngineError`."""
    try:
        yield
    except OSError as error:
        raise EngineError(
            f"{path} cannot be used: {error.strerror or error}", hint="choose another --persist-to folder"
        ) from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield where to write a file, which takes its place at the end of the block; if that fails, nothing is left.

    Who reads ``path`` meanwhile finds what was there before.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class OpenFile:
    """A file that is open for reading; it is closed when nobody holds this object any more.

    Who replaces or removes the file does not disturb its readers, as POSIX has it.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be opened.
    """

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: Path) -> None:
        self._descriptor = -1
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def status(self) -> os.stat_result:
        """What the system knows of the open file."""
        return os.fstat(self._descriptor)

    def read(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes; blocks."""
        return os.pread(self._descriptor, length, offset)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class FilePieces(AsyncIterator[bytes]):
    """A part of an open file, piece by piece.

    Args:
        file: the open file.
        offset: where the part starts.
        length: how many bytes it has.
    """

    def __init__(self, file: OpenFile, offset: int, length: int) -> None:
        self._file: OpenFile | None = file
        self._offset = offset
        self._end = offset + length

    async def __anext__(self) -> bytes:
        file = self._file
        if file is None or self._offset >= self._end:
            await self.aclose()
            raise StopAsyncIteration
        # The thread holds the file, too: one whose reader is cancelled is closed when the read is over.
        data = await asyncio.to_thread(file.read, self._offset, min(PIECE_BYTES, self._end - self._offset))
        if not data:
            raise EngineCorrupt(
                f"{file.path} ends before byte {self._end}", hint="another program shortened the file; write it again"
            )
        self._offset += len(data)
        return data

    async def aclose(self) -> None:
        """Let go of the file; idempotent."""
        self._file = None
