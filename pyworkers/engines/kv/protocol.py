"""What a KV engine does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol


class KVEntry(NamedTuple):
    """What is stored under a key.

    Attributes:
        metadata: JSON text, or None where none was stored.
        expires_at_s: seconds since the Unix epoch, or None for never.
    """

    value: bytes
    metadata: str | None = None
    expires_at_s: int | None = None


@dataclass(frozen=True, slots=True)
class KVWrite:
    """One entry to store."""

    key: str
    value: bytes
    metadata: str | None = None
    expires_at_s: int | None = None


class KVKey(NamedTuple):
    """A key in a listing."""

    name: str
    metadata: str | None = None
    expires_at_s: int | None = None


@dataclass(frozen=True, slots=True)
class KVPage:
    """A page of a listing; ``is_complete`` tells that no key follows it."""

    keys: list[KVKey]
    is_complete: bool


class KVEngine(Protocol):
    """One namespace of keys and values.

    Laws, each with a test of the same words in tests/contract/engines/test_kv_engine.py:

    - a put value comes back whole
    - a put replaces value, metadata and expiry together
    - a deleted key is gone, and deleting an absent key is no error
    - an expired key is never returned, never listed, and can be put anew
    - get_many answers in the order asked, None for an absent key
    - writes of one key happen in the order in which they were made
    - put_many is atomic
    - a listing is in the order of the keys' UTF-8 bytes
    - a listing holds the keys that start with the prefix, after ``after``, at most ``limit`` of them
    - a listing is complete when no key follows it
    - what was acknowledged is there after the engine is opened again
    - close is idempotent, and every use after it raises EngineClosed

    Keys are text without lone surrogates, of any length. Any failure of the storage is an `EngineError`.
    """

    async def get(self, key: str) -> KVEntry | None:
        """Return what is stored under a key."""
        ...

    async def get_many(self, keys: Sequence[str]) -> list[KVEntry | None]:
        """Return what is stored under each key, of one moment."""
        ...

    async def put(
        self, key: str, value: bytes, *, metadata: str | None = None, expires_at_s: int | None = None
    ) -> None:
        """Store a value; it is durable on return."""
        ...

    async def put_many(self, writes: Iterable[KVWrite]) -> None:
        """Store all or nothing."""
        ...

    async def delete(self, key: str) -> None:
        """Remove a key."""
        ...

    async def delete_many(self, keys: Iterable[str]) -> None:
        """Remove several keys, all or nothing."""
        ...

    async def list_keys(self, *, prefix: str = "", after: str | None = None, limit: int = 1000) -> KVPage:
        """Return keys in order.

        Args:
            prefix: keys that start with it.
            after: keys strictly after this one, in UTF-8 order; it need not exist.
            limit: 1 or more.
        """
        ...

    async def close(self) -> None:
        """Give everything back; what was acknowledged stays."""
        ...

    async def __aenter__(self) -> KVEngine: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
