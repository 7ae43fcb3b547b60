"""Galois/Counter mode for initialization vectors of any length.

The package `cryptography` takes those of 8 to 128 bytes; the platform takes all but the empty one. The others are rare,
and made here of AES itself.

Source: NIST SP 800-38D
"""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK: Final = 16
_TAKEN: Final = range(8, 129)
_REDUCTION: Final = 0xE1 << 120


class Gcm:
    """AES in GCM with one key and one initialization vector.

    Args:
        key: 16, 24 or 32 bytes.
        iv: at least 1 byte.
    """

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._key = algorithms.AES(key)
        self._iv = iv

    def encrypt(self, data: bytes, additional: bytes) -> tuple[bytes, bytes]:
        """Return the ciphertext and the tag of 16 bytes."""
        if len(self._iv) not in _TAKEN:
            return self._encrypt_unusual(data, additional)
        encryptor = Cipher(self._key, modes.GCM(self._iv)).encryptor()
        encryptor.authenticate_additional_data(additional)
        encrypted = encryptor.update(data) + encryptor.finalize()
        return encrypted, encryptor.tag

    def decrypt(self, data: bytes, tag: bytes, additional: bytes) -> bytes | None:
        """Return the plaintext, or None where the tag is wrong.

        Args:
            tag: the tag, or its first 4 to 15 bytes.
        """
        if len(self._iv) not in _TAKEN:
            return self._decrypt_unusual(data, tag, additional)
        decryptor = Cipher(self._key, modes.GCM(self._iv, tag, min_tag_length=4)).decryptor()
        decryptor.authenticate_additional_data(additional)
        try:
            return decryptor.update(data) + decryptor.finalize()
        except InvalidTag:
            return None

    def _encrypt_unusual(self, data: bytes, additional: bytes) -> tuple[bytes, bytes]:
        encrypted = self._counted(data)
        return encrypted, self._tag(encrypted, additional)

    def _decrypt_unusual(self, data: bytes, tag: bytes, additional: bytes) -> bytes | None:
        if not hmac.compare_digest(self._tag(data, additional)[: len(tag)], tag):
            return None
        return self._counted(data)

    def _first_counter(self) -> bytes:
        return _hash(self._hash_key(), _padded(self._iv) + bytes(8) + (len(self._iv) * 8).to_bytes(8, "big"))

    def _counted(self, data: bytes) -> bytes:
        """Encrypt with the counter after the first; only its last 32 bits count."""
        block = self._first_counter()
        prefix, counter = block[:12], int.from_bytes(block[12:], "big")
        stream = b"".join(
            self._block(prefix + ((counter + 1 + index) & 0xFFFFFFFF).to_bytes(4, "big"))
            for index in range(-(-len(data) // _BLOCK))
        )
        return _xor(data, stream[: len(data)])

    def _tag(self, encrypted: bytes, additional: bytes) -> bytes:
        sizes = (len(additional) * 8).to_bytes(8, "big") + (len(encrypted) * 8).to_bytes(8, "big")
        hashed = _hash(self._hash_key(), _padded(additional) + _padded(encrypted) + sizes)
        return _xor(hashed, self._block(self._first_counter()))

    def _hash_key(self) -> int:
        return int.from_bytes(self._block(bytes(_BLOCK)), "big")

    def _block(self, block: bytes) -> bytes:
        encryptor = Cipher(self._key, modes.ECB()).encryptor()  # noqa: S305  # one block: AES itself
        return encryptor.update(block) + encryptor.finalize()


def _hash(key: int, data: bytes) -> bytes:
    """GHASH of whole blocks."""
    value = 0
    for start in range(0, len(data), _BLOCK):
        value = _multiply(value ^ int.from_bytes(data[start : start + _BLOCK], "big"), key)
    return value.to_bytes(_BLOCK, "big")


def _multiply(left: int, right: int) -> int:
    """Multiply in GF(2^128), with GCM's order of bits."""
    product = 0
    for bit in range(127, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ (_REDUCTION if right & 1 else 0)
    return product


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")
