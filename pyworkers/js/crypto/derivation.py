"""HKDF and PBKDF2: secrets that other keys are derived from.

Source: workerd, src/workerd/api/crypto/hkdf.c++ and pbkdf2.c++
"""

from __future__ import annotations

import hashlib
from typing import Final

from pyworkers.js.crypto.arguments import DeriveKeyAlgorithm, ImportKeyAlgorithm, JsonWebKey
from pyworkers.js.crypto.digests import cryptography_hash, digest_bytes, hashlib_name, required_digest
from pyworkers.js.crypto.keys import (
    DERIVATION,
    Access,
    CryptoKey,
    Material,
    check_usages,
    not_supported,
    operation_error,
)
from pyworkers.js.values import dom_exception, type_error

SLOW_ITERATIONS: Final = 1_000  # more of them are counted in a thread


class HkdfMaterial(Material):
    """A secret of HKDF."""

    name = "HKDF"

    def __init__(self, data: bytes) -> None:
        self._data = data

    def derive_bits(self, algorithm: DeriveKeyAlgorithm, length: int | None) -> bytes:
        """Derive a whole number of bytes."""
        digest = required_digest(algorithm.hash)
        salt, info = _required(algorithm.salt, "salt"), _required(algorithm.info, "info")
        size = _checked_bytes(self.name, length)
        if size > 255 * digest_bytes(digest):
            raise operation_error("HKDF deriveBits failed.")
        if not size:
            return b""
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(cryptography_hash(digest), size, salt, info).derive(self._data)


class Pbkdf2Material(Material):
    """A password."""

    name = "PBKDF2"

    def __init__(self, data: bytes) -> None:
        self._data = data

    def derive_bits(self, algorithm: DeriveKeyAlgorithm, length: int | None) -> bytes:
        """Derive a whole number of bytes."""
        digest = required_digest(algorithm.hash)
        salt = _required(algorithm.salt, "salt")
        if algorithm.iterations is None:
            raise type_error('Missing field "iterations" in "algorithm".')
        size = _checked_bytes(self.name, length)
        if algorithm.iterations <= 0:
            raise operation_error(f"PBKDF2 requires a positive iteration count (requested {algorithm.iterations}).")
        if not size:
            return b""
        return hashlib.pbkdf2_hmac(hashlib_name(digest), self._data, salt, algorithm.iterations, size)


def import_key(
    name: str,
    format: str,
    data: bytes | JsonWebKey,
    _algorithm: ImportKeyAlgorithm,
    extractable: bool,
    usages: list[str],
) -> CryptoKey:
    """Import ``raw``; see `families.ImportKey`."""
    allowed = check_usages(name, "import secret", usages, DERIVATION)
    if extractable:
        raise dom_exception("SyntaxError", f"{name} key cannot be extractable.")
    if format != "raw" or isinstance(data, JsonWebKey):
        end = "." if name == "PBKDF2" else ""  # the platform's own inconsistency
        raise not_supported(f'{name} key must be imported in "raw" format (requested "{format}"){end}')
    material = HkdfMaterial(data) if name == "HKDF" else Pbkdf2Material(data)
    return CryptoKey(material, Access(extractable=False, usages=allowed))


def _required(value: bytes | None, name: str) -> bytes:
    if value is None:
        raise type_error(f'Missing field "{name}" in "algorithm".')
    return value


def _checked_bytes(name: str, length: int | None) -> int:
    if length is None:
        raise operation_error(f"{name} cannot derive a key with null length.")
    if length % 8:
        raise operation_error(f"{name} requires a derived key length that is a multiple of eight (requested {length}).")
    return length // 8
