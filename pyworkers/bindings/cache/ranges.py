"""The parts of a cached body that a ``Range`` header asks for.

Source: recorded, contracts/cache, cache.range.*; miniflare src/workers/shared/range.ts
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import uuid4

from pyworkers.engines.cache import CacheReading

_UNIT: Final = re.compile(" *bytes *=", re.IGNORECASE)
_RANGE: Final = re.compile(r" *([0-9]{1,4000})? *- *([0-9]{1,4000})? *")  # int() reads no more digits

# First and last byte.
Range = tuple[int, int]


def parse_ranges(header: str, size: int) -> list[Range] | None:
    """Return the ranges, cut to the body; [] is all of it, None: they cannot be satisfied.

    Args:
        size: the body's, in bytes.
    """
    unit = _UNIT.match(header)
    if unit is None:
        return None
    text = header[unit.end() :]
    if not text.lstrip():
        return []
    ranges: list[Range] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            return None
        first, last = match.groups()
        if first is not None:
            if int(first) >= size or (last is not None and int(first) > int(last)):
                return None
            ranges.append((int(first), size - 1 if last is None else min(int(last), size - 1)))
        elif last is None:
            return None
        elif int(last) >= size:
            return []
        elif int(last):
            ranges.append((size - int(last), size - 1))
    return ranges


def new_boundary() -> str:
    """Return a text that separates the parts of a multipart body."""
    return f"miniflare-boundary-{uuid4()}"


async def multipart(
    reading: CacheReading, ranges: Sequence[Range], boundary: str, content_type: str | None
) -> AsyncIterator[bytes]:
    """Yield a ``multipart/byteranges`` body."""
    kind = "" if content_type is None else f"Content-Type: {content_type}\r\n"
    for index, (first, last) in enumerate(ranges):
        head = f"--{boundary}\r\n{kind}Content-Range: bytes {first}-{last}/{reading.size}\r\n\r\n"
        yield ("\r\n" * bool(index) + head).encode()
        async for chunk in reading.chunks(first, last - first + 1):
            yield chunk
    yield f"\r\n--{boundary}--".encode()
