"""HMAC keys.

Source: workerd, src/workerd/api/crypto/hmac.c++
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from pyworkers.js.crypto import jwk
from pyworkers.js.crypto.arguments import GenerateKeyAlgorithm, ImportKeyAlgorithm, JsonWebKey, SignAlgorithm
from pyworkers.js.crypto.digests import block_bits, digest_name, hashlib_name, required_digest
from pyworkers.js.crypto.keys import (
    Access,
    CryptoKey,
    Material,
    check_usages,
    data_error,
    not_supported,
    operation_error,
)
from pyworkers.js.values import type_error


class HmacMaterial(Material):
    """A secret and the hash it is used with.

    Args:
        length: in bits; at most 7 less than the data has.
    """

    name = "HMAC"

    def __init__(self, data: bytes, digest: str, length: int) -> None:
        self._data = data
        self._digest = digest
        self._length = length

    def algorithm(self) -> dict[str, Any]:
        """Name, hash and length in bits."""
        return {"name": self.name, "hash": {"name": self._digest}, "length": self._length & 0xFFFF}

    def sign(self, _algorithm: SignAlgorithm, data: bytes) -> bytes:
        """Compute the code."""
        return hmac.digest(self._data, data, hashlib_name(self._digest))

    def verify(self, algorithm: SignAlgorithm, signature: bytes, data: bytes) -> bool:
        """Compare with the code."""
        return hmac.compare_digest(self.sign(algorithm, data), signature)

    def export(self, format: str, usages: Sequence[str]) -> bytes | JsonWebKey:
        """``raw`` or ``jwk``."""
        if format == "raw":
            return self._data
        if format != "jwk":
            raise not_supported(f'Unimplemented key export format "{format}".')
        if not self._digest.startswith("SHA-"):
            raise not_supported(f'Unimplemented JWK key export format for key algorithm "{self._digest}".')
        key = JsonWebKey(kty="oct", k=jwk.encode(self._data), alg=f"HS{self._digest[4:]}")
        return jwk.exported(key, list(usages))


def import_key(
    name: str,
    format: str,
    data: bytes | JsonWebKey,
    algorithm: ImportKeyAlgorithm,
    extractable: bool,
    usages: list[str],
) -> CryptoKey:
    """Import ``raw`` or ``jwk``; see `families.ImportKey`."""
    allowed = check_usages(name, "import secret", usages, ("sign", "verify"))
    if algorithm.hash is None:
        raise type_error('Missing field "hash" in "algorithm".')
    if isinstance(data, JsonWebKey):
        data = _jwk_data(data, algorithm.hash.name)
    elif format != "raw":
        raise not_supported(f'Unrecognized key import format "{format}".')
    size = len(data) * 8
    length = size if algorithm.length is None else algorithm.length
    if length <= 0 or not size - 8 < length <= size:
        raise data_error(
            f"Imported HMAC key length ({length}) must be a non-zero value up to 7 bits less than, and no greater "
            f"than, the bit length of the raw key data ({size})."
        )
    digest = digest_name(algorithm.hash.name)
    return CryptoKey(
        HmacMaterial(_without_trailing_bits(data, length), digest, length),
        Access(extractable=extractable, usages=allowed),
    )


def generate(
    name: str, algorithm: GenerateKeyAlgorithm, extractable: bool, usages: list[str]
) -> Callable[[], CryptoKey]:
    """Generate a key as long as the hash's block, or as asked; see `families.Generate`."""
    digest = required_digest(algorithm.hash)
    allowed = check_usages(name, "generate", usages, ("sign", "verify"))
    length = block_bits(digest) if algorithm.length is None else algorithm.length
    if length <= 0:
        raise operation_error(f"HMAC key length must be a non-zero unsigned long integer (requested {length}).")

    def make() -> CryptoKey:
        data = _without_trailing_bits(secrets.token_bytes((length + 7) // 8), length)
        return CryptoKey(HmacMaterial(data, digest, length), Access(extractable=extractable, usages=allowed))

    return make


def _jwk_data(key: JsonWebKey, digest: str) -> bytes:
    if key.kty != "oct":
        raise data_error(
            'HMAC "jwk" key import requires a JSON Web Key with Key Type parameter ("kty") equal to "oct" '
            f'(encountered "{key.kty}").'
        )
    data = jwk.decode(key.k, 'HMAC "jwk" key import requires a base64Url encoding of the key')
    if key.alg is not None:
        if not digest.startswith("SHA-"):
            raise not_supported(f"Unrecognized or unimplemented hash algorithm requested{key.alg}")
        expected = f"HS{digest[4:]}"
        if key.alg != expected:
            raise data_error(
                'HMAC "jwk" key import specifies "alg" that is incompatible with the hash name (encountered '
                f'"{key.alg}", expected "{expected}").'
            )
    return data


def _without_trailing_bits(data: bytes, length: int) -> bytes:
    """Clear the bits of the last byte that are beyond a length in bits."""
    spare = len(data) * 8 - length
    return data[:-1] + bytes([data[-1] & (0xFF << spare) & 0xFF]) if spare else data
