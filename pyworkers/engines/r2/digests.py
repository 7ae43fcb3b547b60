"""Digests of bodies: hashlib's, and the cyclic redundancy checks that clients of the S3 API send."""

from __future__ import annotations

import hashlib
from typing import Protocol

from pyworkers.crc import CRC_BYTES, Crc


class Digest(Protocol):
    """What is fed a body, as hashlib's objects are."""

    def update(self, data: bytes, /) -> None:
        """Take the next piece."""
        ...

    def digest(self) -> bytes:
        """Return the digest of what was taken."""
        ...


def new_digest(name: str) -> Digest:
    """Return a digest of nothing yet; ``name`` is hashlib's, or one of `CRC_BYTES`."""
    return Crc(name) if name in CRC_BYTES else hashlib.new(name, usedforsecurity=False)
