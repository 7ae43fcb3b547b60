"""Digests of bodies: hashlib's, and the cyclic redundancy checks that clients of the S3 API send.

``anycrc`` computes the checks that Python does not know; it is imported with the first.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from typing import Any, Final, Protocol

# Name -> bytes of the result.
CRC_BYTES: Final = {"crc32": 4, "crc32c": 4, "crc64nvme": 8}
_MODELS: Final = {"crc32": "CRC32", "crc32c": "CRC32-ISCSI", "crc64nvme": "CRC64-NVME"}


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
    if name in CRC_BYTES:
        return _CrcDigest(name)
    return hashlib.new(name, usedforsecurity=False)


def combined_crc(name: str, parts: Iterable[tuple[bytes, int]]) -> bytes:
    """Return the check of a body from its parts' checks and sizes, without reading it."""
    model = _model(name)
    value = 0
    for crc, size in parts:
        value = model.combine(value, int.from_bytes(crc, "big"), size)
    return value.to_bytes(CRC_BYTES[name], "big")


class _CrcDigest:
    def __init__(self, name: str) -> None:
        self._compute = zlib.crc32 if name == "crc32" else _model(name).calc
        self._size = CRC_BYTES[name]
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._compute(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


def _model(name: str) -> Any:
    import anycrc

    return anycrc.Model(_MODELS[name])
