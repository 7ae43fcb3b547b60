"""What an engine of caches does.

An engine holds the caches of one worker: each has a name and maps keys to responses. It knows nothing of HTTP: what
may be stored, and for how long, is decided before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """A response without its body.

    Attributes:
        headers: names in lower case, each once.
        expires_at_ms: milliseconds since the Unix epoch from which on it is no longer returned.
    """

    status: int
    headers: Headers
    expires_at_ms: int


class CacheReading(Protocol):
    """A stored response whose body is open; it stays readable when it is replaced or deleted meanwhile."""

    @property
    def response(self) -> CachedResponse:
        """The response."""
        ...

    @property
    def size(self) -> int:
        """The body's size in bytes."""
        ...

    def chunks(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """Return an iterator over a part of the body."""
        ...


class CacheEngine(Protocol):
    """The caches of one worker.

    Laws:
        - `match` returns what was put last under the same cache and key, byte for byte.
        - An expired response is never returned, and deleting it deletes nothing.
        - A put is whole or did not happen: a body that fails in the middle leaves what was there before.
        - Caches of different names share nothing.
        - What was put survives the death of this process.
        - A body that is being read is not disturbed by a put or a delete.
        - `close` is idempotent; afterwards every call raises `EngineClosed`.
    """

    async def match(self, cache: str, key: str) -> CacheReading | None:
        """Return the response under a key, None where there is none that is fresh.

        Raises:
            EngineError: the storage failed.
        """
        ...

    async def put(self, cache: str, key: str, response: CachedResponse, body: bytes | AsyncIterator[bytes]) -> None:
        """Store a response in place of the one before; durable on return.

        Raises:
            EngineError: the storage failed.
            Exception: whatever the body raises.
        """
        ...

    async def delete(self, cache: str, key: str) -> bool:
        """Remove the response under a key; tell whether there was one that is fresh."""
        ...

    async def close(self) -> None:
        """Give the files back; idempotent."""
        ...
