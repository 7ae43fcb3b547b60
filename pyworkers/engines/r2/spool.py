"""A body in a temporary file, with its digests."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

from pyworkers.engines.r2.digests import new_digest
from pyworkers.engines.r2.protocol import DigestMismatch, R2Digest
from pyworkers.engines.r2.store import os_errors
from pyworkers.engines.r2.transfer import PIECE_BYTES, gather, in_thread

# Smaller bodies stay in memory.
_IN_MEMORY_BYTES: Final = 2 * PIECE_BYTES


class Spooled:
    """A body that is whole.

    Attributes:
        checksums: ``md5``, and the digest that was asked for.
    """

    def __init__(self, digest: R2Digest | None) -> None:
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - see spool()
        self.size = 0
        self._digests = {name: new_digest(name) for name in ("md5", *([digest.algorithm] if digest else ()))}

    @property
    def checksums(self) -> dict[str, bytes]:
        """The digests by hashlib's names."""
        return {name: digest.digest() for name, digest in self._digests.items()}

    def write(self, data: bytes) -> None:
        """Take the next piece; blocks."""
        for digest in self._digests.values():
            digest.update(data)
        self.size += len(data)
        self.file.write(data)

    def rewind(self) -> None:
        """Have the body read from its beginning."""
        self.file.seek(0)


@asynccontextmanager
async def spool(body: bytes | AsyncIterator[bytes], digest: R2Digest | None) -> AsyncIterator[Spooled]:
    """Take a whole body in; it is gone at the end.

    Raises:
        DigestMismatch: the body has another digest.
        EngineError: the disk is full.
        Exception: whatever the body raised.
    """
    with os_errors(Path(tempfile.gettempdir())):
        spooled = Spooled(digest)
    try:
        piece, rest = await gather(body)
        await _write(spooled, piece)
        while rest is not None:
            piece, rest = await gather(rest)
            await _write(spooled, piece)
        if digest is not None and spooled.checksums[digest.algorithm] != digest.value:
            raise DigestMismatch(digest.algorithm, digest.value, spooled.checksums[digest.algorithm])
        spooled.rewind()
        yield spooled
    finally:
        spooled.file.close()


async def _write(spooled: Spooled, data: bytes) -> None:
    with os_errors(Path(tempfile.gettempdir())):
        if spooled.size + len(data) <= _IN_MEMORY_BYTES:
            spooled.write(data)
        else:
            await in_thread(lambda: spooled.write(data))
