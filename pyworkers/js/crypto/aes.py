"""AES keys: GCM, CBC, CTR and KW.

Source: workerd, src/workerd/api/crypto/aes.c++
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final

from pyworkers.js.crypto import jwk
from pyworkers.js.crypto.arguments import EncryptAlgorithm, GenerateKeyAlgorithm, ImportKeyAlgorithm, JsonWebKey
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

_BLOCK: Final = 16
_TAG_LENGTHS: Final = (32, 64, 96, 104, 112, 120, 128)
_LENGTHS: Final = (128, 192, 256)
_MAX_SIZE: Final = 2**64 - 9


class AesMaterial(Material):
    """A secret of 16, 24 or 32 bytes; a base of the modes."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def algorithm(self) -> dict[str, Any]:
        """Name, and length in bits."""
        return {"name": self.name, "length": len(self.data) * 8}

    def export(self, format: str, usages: Sequence[str]) -> bytes | JsonWebKey:
        """``raw`` or ``jwk``."""
        if format == "raw":
            return self.data
        if format != "jwk":
            raise not_supported(f'{self.name} key only supports exporting "raw" & "jwk", not "{format}".')
        algorithm = f"A{len(self.data) * 8}{self.name[4:]}"
        return jwk.exported(JsonWebKey(kty="oct", k=jwk.encode(self.data), alg=algorithm), list(usages))


class GcmMaterial(AesMaterial):
    """AES-GCM; the tag follows the ciphertext."""

    name = "AES-GCM"

    def encrypt(self, algorithm: EncryptAlgorithm, data: bytes) -> bytes:
        """Encrypt, and append the tag."""
        iv, tag_length = _gcm_parameters(algorithm)
        encrypted, tag = _gcm(self.data, iv).encrypt(data, algorithm.additionalData or b"")
        return encrypted + tag[: tag_length // 8]

    def decrypt(self, algorithm: EncryptAlgorithm, data: bytes) -> bytes:
        """Check the tag, and decrypt."""
        iv, tag_length = _gcm_parameters(algorithm)
        if len(data) < tag_length // 8:
            raise operation_error(
                f"Ciphertext length of {len(data) * 8} bits must be greater than or equal to the size of the AES-GCM "
                f"tag length of {tag_length} bits."
            )
        end = len(data) - tag_length // 8
        decrypted = _gcm(self.data, iv).decrypt(data[:end], data[end:], algorithm.additionalData or b"")
        if decrypted is None:
            raise _failed(end, end, self.name)
        return decrypted


class CbcMaterial(AesMaterial):
    """AES-CBC with PKCS #7 padding."""

    name = "AES-CBC"

    def encrypt(self, algorithm: EncryptAlgorithm, data: bytes) -> bytes:
        """Pad and encrypt."""
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        iv = _cbc_iv(algorithm, " bytes")
        padding = _BLOCK - len(data) % _BLOCK
        encryptor = Cipher(algorithms.AES(self.data), modes.CBC(iv)).encryptor()
        return encryptor.update(data + bytes([padding]) * padding) + encryptor.finalize()

    def decrypt(self, algorithm: EncryptAlgorithm, data: bytes) -> bytes:
        """Decrypt, and take the padding off."""
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        iv = _cbc_iv(algorithm, "")
        size, rest = len(data), len(data) % _BLOCK
        failure = _failed(size, size - rest if rest else max(0, size - _BLOCK), self.name)
        if not data or rest:
            raise failure
        decryptor = Cipher(algorithms.AES(self.data), modes.CBC(iv)).decryptor()
        decrypted = decryptor.update(data) + decryptor.finalize()
        padding = decrypted[-1]
        if not 1 <= padding <= _BLOCK or decrypted[-padding:] != bytes([padding]) * padding:
            raise failure
        return decrypted[:-padding]


class CtrMaterial(AesMaterial):
    """AES-CTR; the counter is the low ``length`` bits of the block, and wraps around within them."""

    name = "AES-CTR"

    def encrypt(self, algorithm: EncryptAlgorithm, data: bytes) -> bytes:
        """Encrypt; the same decrypts."""
        if algorithm.counter is None:
            raise type_error('Missing "counter" member in "algorithm".')
        if len(algorithm.counter) != _BLOCK:
            raise operation_error(f"Counter must have length of 16 bytes (provided {len(algorithm.counter)}).")
        if algorithm.length is None:
            raise type_error('Missing "length" member in "algorithm".')
        if not 0 < algorithm.length <= 128:
            raise operation_error(f"Invalid counter of {algorithm.length} bits length provided.")
        block = int.from_bytes(algorithm.counter, "big")
        values = 1 << algorithm.length
        counter = block % values
        if -(-len(data) // _BLOCK) > values:
            raise operation_error("Counter block values will repeat.")
        until_wrap = (values - counter) * _BLOCK
        first = self._apply(algorithm.counter, data[:until_wrap])
        if len(data) <= until_wrap:
            return first
        return first + self._apply((block - counter).to_bytes(_BLOCK, "big"), data[until_wrap:])

    def decrypt(self, algorithm: EncryptAlgorithm, data: bytes) -> bytes:
        """Decrypt."""
        return self.encrypt(algorithm, data)

    def _apply(self, counter: bytes, data: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        encryptor = Cipher(algorithms.AES(self.data), modes.CTR(counter)).encryptor()
        return encryptor.update(data) + encryptor.finalize()


class KwMaterial(AesMaterial):
    """AES-KW.

    Source: RFC 3394
    """

    name = "AES-KW"

    def wrap(self, _algorithm: EncryptAlgorithm, data: bytes) -> bytes:
        """Wrap a key of at least 16 bytes, a multiple of 8."""
        from cryptography.hazmat.primitives.keywrap import aes_key_wrap

        if len(data) % 8:
            raise operation_error(
                "Unwrapped key bit length must be a multiple of 64 bits but unwrapped key has a length of "
                f"{len(data) * 8} bits."
            )
        if len(data) < 16:
            raise operation_error(
                f"Unwrapped key has length {len(data)} bytes but it should be greater than or equal to 16 and less "
                f"than or equal to {_MAX_SIZE}"
            )
        return aes_key_wrap(self.data, data)

    def unwrap(self, _algorithm: EncryptAlgorithm, data: bytes) -> bytes:
        """Unwrap a key."""
        from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

        bits = len(data) * 8
        if bits % 64:
            raise operation_error(
                f"Provided a wrapped key to unwrap that is {bits} bits which isn't a multiple of 64 bits."
            )
        if bits < 192:
            raise operation_error(
                f"Provided a wrapped key to unwrap this is {bits} bits that is less than the minimal length of 192 "
                "bits."
            )
        try:
            return aes_key_unwrap(self.data, data)
        except InvalidUnwrap:
            raise operation_error("AES-KW key unwrapping failed.") from None


_MATERIALS: Final = {each.name: each for each in (GcmMaterial, CbcMaterial, CtrMaterial, KwMaterial)}


def import_key(
    name: str,
    format: str,
    data: bytes | JsonWebKey,
    _algorithm: ImportKeyAlgorithm,
    extractable: bool,
    usages: list[str],
) -> CryptoKey:
    """Import ``raw`` or ``jwk``; see `families.ImportKey`."""
    allowed = check_usages(name, "import secret", usages, _usages_of(name))
    if isinstance(data, JsonWebKey):
        secret = _jwk_data(data, name, usages)
    elif format == "raw":
        secret = _checked(data)
    else:
        raise not_supported(f'Unrecognized key import format "{format}".')
    return CryptoKey(_MATERIALS[name](secret), Access(extractable=extractable, usages=allowed))


def generate(
    name: str, algorithm: GenerateKeyAlgorithm, extractable: bool, usages: list[str]
) -> Callable[[], CryptoKey]:
    """Generate a key; see `families.Generate`."""
    allowed = check_usages(name, "generate", usages, _usages_of(name))
    length = algorithm.length
    if length is None:
        raise type_error('Missing field "length" in "algorithm".')
    if length not in _LENGTHS:
        raise operation_error(f"Generated AES key length must be 128, 192, or 256 bits but requested {length}.")

    def make() -> CryptoKey:
        material = _MATERIALS[name](secrets.token_bytes(length // 8))
        return CryptoKey(material, Access(extractable=extractable, usages=allowed))

    return make


def _usages_of(name: str) -> tuple[str, ...]:
    return ("wrapKey", "unwrapKey") if name == "AES-KW" else ("encrypt", "decrypt", "wrapKey", "unwrapKey")


def _checked(data: bytes) -> bytes:
    if len(data) * 8 not in _LENGTHS:
        raise data_error(f"Imported AES key length must be 128, 192, or 256 bits but provided {len(data) * 8}.")
    return data


def _jwk_data(key: JsonWebKey, name: str, usages: list[str]) -> bytes:
    if key.kty != "oct":
        raise data_error(
            'Symmetric "jwk" key import requires a JSON Web Key with Key Type parameter "kty" equal to "oct" '
            f'(encountered "{key.kty}").'
        )
    data = _checked(jwk.decode(key.k, 'Symmetric "jwk" key import requires a base64Url encoding of the key.'))
    expected = f"A{len(data) * 8}{name[4:]}"
    if key.alg is not None and key.alg != expected:
        raise data_error(f'Symmetric "jwk" key contains invalid "alg" value "{key.alg}", expected "{expected}".')
    if usages and key.use is not None and key.use != "enc":
        raise data_error(f'Symmetric "jwk" key must have a "use" of "enc", not "{key.use}".')
    if key.key_ops is not None:
        listed = sorted(key.key_ops)
        twice = next((one for one, other in pairwise(listed) if one == other), None)
        if twice is not None:
            raise data_error(f'Symmetric "jwk" key contains duplicate value "{twice}", in "key_op".')
        for usage in usages:
            if usage not in listed:
                raise data_error(f'"jwk" key missing usage "{usage}", in "key_ops".')
    return data


def _gcm_parameters(algorithm: EncryptAlgorithm) -> tuple[bytes, int]:
    if algorithm.iv is None:
        raise type_error('Missing field "iv" in "algorithm".')
    if not algorithm.iv:
        raise operation_error("AES-GCM IV must not be empty.")
    tag_length = 128 if algorithm.tagLength is None else algorithm.tagLength
    if tag_length not in _TAG_LENGTHS:
        raise operation_error(f"Invalid AES-GCM tag length {tag_length}.")
    return algorithm.iv, tag_length


def _gcm(key: bytes, iv: bytes) -> Any:
    from pyworkers.js.crypto.gcm import Gcm

    return Gcm(key, iv)


def _cbc_iv(algorithm: EncryptAlgorithm, unit: str) -> bytes:
    if algorithm.iv is None:
        raise type_error('Missing field "iv" in "algorithm".')
    if len(algorithm.iv) != _BLOCK:
        raise operation_error(f"AES-CBC IV must be 16 bytes long (provided {len(algorithm.iv)}{unit}).")
    return algorithm.iv


def _failed(size: int, output_size: int, name: str) -> Exception:
    return operation_error(
        "Decryption failed. This could be due to a ciphertext authentication failure, bad padding, incorrect "
        f"CryptoKey, or another algorithm-specific reason. Input length was {size}, output length expected to be "
        f"{output_size} for {name}"
    )
