"""Cyclic redundancy checks: zlib's, and two that only ``crcmod`` (PyPI: ``crcmod-plus``) knows.

Source: the parameters, reveng.sourceforge.io/crc-catalogue, CRC-32/ISO-HDLC, CRC-32/ISCSI and CRC-64/NVME
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final

# Name → bytes of the result.
CRC_BYTES: Final = {"crc32": 4, "crc32c": 4, "crc64nvme": 8}
# Name → the polynomial, its highest bit first. All three are reflected, begin with ones and end inverted.
_POLYNOMIALS: Final = {"crc32": 0x04C11DB7, "crc32c": 0x1EDC6F41, "crc64nvme": 0xAD93D23594C93659}


class Crc:
    """A check that is fed a body in pieces, as hashlib's objects are.

    Args:
        name: a key of `CRC_BYTES`.
    """

    def __init__(self, name: str) -> None:
        self._compute = _function(name)
        self._bytes = CRC_BYTES[name]
        self._value = 0

    def update(self, data: bytes, /) -> None:
        """Take the next piece."""
        self._value = self._compute(data, self._value)

    def digest(self) -> bytes:
        """Return the check of what was taken, its highest byte first."""
        return self._value.to_bytes(self._bytes, "big")


def combined_crc(name: str, parts: Iterable[tuple[bytes, int]]) -> bytes:
    """Return the check of a body from its parts' checks and sizes in bytes, without reading it.

    A part that is appended multiplies what stood before by x to the number of its bits, modulo the polynomial.
    """
    width = CRC_BYTES[name] * 8
    value = 0
    for crc, size in parts:
        value = _times(name, _power(name, size * 8), value) ^ int.from_bytes(crc, "big")
    return value.to_bytes(width // 8, "big")


@cache
def _function(name: str) -> Callable[[bytes, int], int]:
    if name == "crc32":
        return zlib.crc32
    import crcmod  # read by the first who needs it

    width = CRC_BYTES[name] * 8
    made: Callable[[bytes, int], int] = crcmod.mkCrcFun(
        1 << width | _POLYNOMIALS[name], initCrc=0, rev=True, xorOut=(1 << width) - 1
    )
    return made


@cache
def _reflected(name: str) -> int:
    width = CRC_BYTES[name] * 8
    return int(f"{_POLYNOMIALS[name]:0{width}b}"[::-1], 2)


def _times(name: str, a: int, b: int) -> int:
    """Multiply two polynomials modulo the check's own; the highest bit of a number is its constant term."""
    polynomial, bit, product = _reflected(name), 1 << (CRC_BYTES[name] * 8 - 1), 0
    while a:
        if a & bit:
            product ^= b
            a ^= bit
        bit >>= 1
        b = b >> 1 ^ (polynomial if b & 1 else 0)
    return product


def _power(name: str, exponent: int) -> int:
    """Return x to the power of ``exponent`` modulo the check's polynomial."""
    width = CRC_BYTES[name] * 8
    result, square = 1 << (width - 1), 1 << (width - 2)
    while exponent:
        if exponent & 1:
            result = _times(name, square, result)
        square = _times(name, square, square)
        exponent >>= 1
    return result
