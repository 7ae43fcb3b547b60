"""Bodies on their way to and from threads, a piece at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeVar

from pyworkers.engines.work_thread import outlast

R = TypeVar("R")

# How much of a body is read, and how much is gathered to be written, in one trip to a thread.
PIECE_BYTES: Final = 1024 * 1024


async def in_thread(work: Callable[[], R]) -> R:
    """Run work on the loop's pool of threads; even a caller that is cancelled goes on only when it is over.

    What a thread still writes to must not be closed, nor its number given to another file.
    """
    return await outlast(asyncio.ensure_future(asyncio.to_thread(work)))


async def gather(body: bytes | AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes] | None]:
    """Return the first piece of a body, and what follows it, or None where that is all."""
    if isinstance(body, bytes):
        return body, None
    pieces, size = [], 0
    async for chunk in body:
        pieces.append(chunk)
        size += len(chunk)
        if size > PIECE_BYTES:
            return b"".join(pieces), body
    return b"".join(pieces), None
