"""Bodies on their way to an engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pyworkers.bindings.r2.errors import OBJECT_TOO_LARGE, failure
from pyworkers.bindings.r2.options import MAX_OBJECT_BYTES
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.streams.readers import Chunks
from pyworkers.js.values import type_error

_UNKNOWN_LENGTH = (
    "Provided readable stream must have a known length (request/response body or readable half of FixedLengthStream)"
)
_LOCKED = "The ReadableStream has been locked to a reader."


def body_source(action: str, value: bytes | ReadableStream) -> bytes | Chunks:
    """Return a body's bytes, or the chunks of a stream, which is locked from now on.

    Raises:
        JsException: the stream's length is not known, it is locked, or the body is too large.
    """
    size = value.length if isinstance(value, ReadableStream) else len(value)
    if size is None:
        raise type_error(_UNKNOWN_LENGTH)
    if size > MAX_OBJECT_BYTES:
        raise failure(action, OBJECT_TOO_LARGE)
    if not isinstance(value, ReadableStream):
        return value
    if value.locked:
        raise type_error(_LOCKED)
    return value.chunks()


@asynccontextmanager
async def closing(source: bytes | Chunks) -> AsyncIterator[None]:
    """Cancel what was not read of a stream at the end."""
    try:
        yield
    finally:
        if isinstance(source, Chunks):
            await source.aclose()
