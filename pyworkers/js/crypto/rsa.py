"""RSA keys: RSASSA-PKCS1-v1_5, RSA-PSS and RSA-OAEP.

Source: workerd, src/workerd/api/crypto/rsa.c++ and keys.c++
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from pyworkers.js.buffers import Uint8Array
from pyworkers.js.crypto import jwk
from pyworkers.js.crypto.arguments import (
    EncryptAlgorithm,
    GenerateKeyAlgorithm,
    ImportKeyAlgorithm,
    JsonWebKey,
    SignAlgorithm,
)
from pyworkers.js.crypto.asymmetric import AsymmetricMaterial, import_key_data, private_only, public_only
from pyworkers.js.crypto.digests import cryptography_hash, digest_bytes, required_digest
from pyworkers.js.crypto.keys import (
    Access,
    CryptoKey,
    check_usages,
    data_error,
    invalid_access,
    not_supported,
    operation_error,
    split_usages,
)
from pyworkers.js.realm import current_realm
from pyworkers.js.values import type_error

_GENERATED_EXPONENTS: Final = (3, 65537)
_IMPORTED_EXPONENTS: Final = (3, 17, 37, 65537)
_SIGNING: Final = ("sign", "verify")
_ENCRYPTING: Final = ("encrypt", "decrypt", "wrapKey", "unwrapKey")
_JWK_ALGORITHM: Final = re.compile(r"(?:RS|PS)(1|256|384|512)|RSA-OAEP(?:-(256|384|512))?")
_DIGEST_PREFIX: Final = 32  # what a PKCS #1 signature needs beside the digest


class RsaMaterial(AsymmetricMaterial):
    """A key and the hash it is used with; a base of the three uses.

    Args:
        exponent: the public one, as it was given.
    """

    jwk_prefix = ""

    def __init__(self, name: str, key: Any, digest: str, exponent: bytes, *, is_private: bool) -> None:
        super().__init__(name, key, is_private=is_private)
        self._digest = digest
        self._exponent = exponent

    def algorithm(self) -> dict[str, Any]:
        """Name, modulus length in bits, public exponent and hash."""
        return {
            "name": self.name,
            "modulusLength": _modulus_bits(self.key.key_size),
            "publicExponent": _shown_exponent(self._exponent),
            "hash": {"name": self._digest},
        }

    def export_jwk(self) -> JsonWebKey:
        """The numbers, and the hash as ``alg``."""
        if not self._digest.startswith("SHA"):
            raise not_supported(f'JWK export not supported for hash algorithm "{self._digest}".')
        algorithm = f"{self.jwk_prefix}{self._digest[4:]}"
        if not self.is_private:
            public = self.key.public_numbers()
            return JsonWebKey(kty="RSA", alg=algorithm, n=jwk.encode_integer(public.n), e=jwk.encode_integer(public.e))
        numbers = self.key.private_numbers()
        return JsonWebKey(
            kty="RSA",
            alg=algorithm,
            n=jwk.encode_integer(numbers.public_numbers.n),
            e=jwk.encode_integer(numbers.public_numbers.e),
            d=jwk.encode_integer(numbers.d),
            p=jwk.encode_integer(numbers.p),
            q=jwk.encode_integer(numbers.q),
            dp=jwk.encode_integer(numbers.dmp1),
            dq=jwk.encode_integer(numbers.dmq1),
            qi=jwk.encode_integer(numbers.iqmp),
        )

    @property
    def _key_bytes(self) -> int:
        return int((self.key.key_size + 7) // 8)


class Pkcs1Material(RsaMaterial):
    """RSASSA-PKCS1-v1_5."""

    jwk_prefix = "RS"

    def sign(self, _algorithm: SignAlgorithm, data: bytes) -> bytes:
        """Sign with the key's hash."""
        self.require_private()
        needed = digest_bytes(self._digest) + _DIGEST_PREFIX
        if needed > self._key_bytes:
            raise operation_error(f"key too small for signing with given digest, need at least {8 * needed}bits.")
        return bytes(self.key.sign(data, padding.PKCS1v15(), cryptography_hash(self._digest)))

    def verify(self, _algorithm: SignAlgorithm, signature: bytes, data: bytes) -> bool:
        """Check a signature made with the key's hash."""
        self.require_public()
        return _verifies(self.key, signature, data, padding.PKCS1v15(), self._digest)


class PssMaterial(RsaMaterial):
    """RSA-PSS."""

    jwk_prefix = "PS"

    def sign(self, algorithm: SignAlgorithm, data: bytes) -> bytes:
        """Sign with the key's hash and a salt of the given length."""
        self.require_private()
        if algorithm.saltLength is None:
            raise data_error("Failed to provide salt for RSA-PSS key operation which requires a salt")
        salt = _salt_length(algorithm)
        room = self._key_bytes - digest_bytes(self._digest) - 2
        if room < 0:
            raise operation_error("key too small for signing with given digest")
        if salt > room:
            raise operation_error("key too small for signing with given digest and salt length")
        return bytes(self.key.sign(data, self._padding(salt), cryptography_hash(self._digest)))

    def verify(self, algorithm: SignAlgorithm, signature: bytes, data: bytes) -> bool:
        """Check a signature whose salt has the given length."""
        self.require_public()
        if algorithm.saltLength is None:
            raise type_error("Failed to provide salt for RSA-PSS key operation which requires a salt")
        return _verifies(self.key, signature, data, self._padding(_salt_length(algorithm)), self._digest)

    def _padding(self, salt_bytes: int) -> padding.PSS:
        return padding.PSS(padding.MGF1(cryptography_hash(self._digest)), salt_bytes)


class OaepMaterial(RsaMaterial):
    """RSA-OAEP."""

    jwk_prefix = "RSA-OAEP-"

    def export_jwk(self) -> JsonWebKey:
        """As for the others; with SHA-1 the name of the algorithm is bare."""
        key = super().export_jwk()
        return replace(key, alg="RSA-OAEP") if self._digest == "SHA-1" else key

    def encrypt(self, algorithm: EncryptAlgorithm, data: bytes) -> bytes:
        """Encrypt with the public key."""
        if self.is_private:
            raise invalid_access(f'Encryption/key wrapping only works with public keys, not "{self.type}".')
        try:
            return bytes(self.key.encrypt(data, self._padding(algorithm)))
        except (ValueError, UnsupportedAlgorithm):
            raise operation_error("RSA-OAEP failed encrypt/decrypt.") from None

    def decrypt(self, algorithm: EncryptAlgorithm, data: bytes) -> bytes:
        """Decrypt with the private key."""
        if not self.is_private:
            raise invalid_access(f'Decryption/key unwrapping only works with private keys, not "{self.type}".')
        if len(data) != self._key_bytes:
            # The platform's words for a ciphertext that is not as long as the key.
            raise operation_error("RSA-OAEP failed encrypt/decrypt: Invalid RSA signature..")
        try:
            return bytes(self.key.decrypt(data, self._padding(algorithm)))
        except (ValueError, UnsupportedAlgorithm):
            raise operation_error("RSA-OAEP failed encrypt/decrypt.") from None

    def _padding(self, algorithm: EncryptAlgorithm) -> padding.OAEP:
        digest = cryptography_hash(self._digest)
        return padding.OAEP(padding.MGF1(digest), digest, algorithm.label or None)


_MATERIALS: Final[dict[str, type[RsaMaterial]]] = {
    "RSASSA-PKCS1-v1_5": Pkcs1Material,
    "RSA-PSS": PssMaterial,
    "RSA-OAEP": OaepMaterial,
}


def import_key(
    name: str,
    format: str,
    data: bytes | JsonWebKey,
    algorithm: ImportKeyAlgorithm,
    extractable: bool,
    usages: list[str],
) -> CryptoKey:
    """Import ``spki``, ``pkcs8`` or ``jwk``; see `families.ImportKey`."""
    digest = required_digest(algorithm.hash)
    possible = _usages_of(name)
    key, is_private, allowed = import_key_data(
        name,
        format,
        data,
        usages,
        extractable=extractable,
        public=public_only(possible),
        private=private_only(possible),
        read_jwk=lambda web_key: _read_jwk(web_key, digest),
    )
    if not isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        raise data_error("Input was not an RSA key.")
    public = key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key
    exponent = public.public_numbers().e
    _check_imported(_modulus_bits(key.key_size), exponent)
    shown = exponent.to_bytes((exponent.bit_length() + 7) // 8, "big")
    material = _MATERIALS[name](name, key, digest, shown, is_private=is_private)
    return CryptoKey(material, Access(extractable=extractable, usages=allowed))


def generate(
    name: str, algorithm: GenerateKeyAlgorithm, extractable: bool, usages: list[str]
) -> Callable[[], tuple[CryptoKey, CryptoKey]]:
    """Generate a pair; see `families.Generate`."""
    if algorithm.publicExponent is None:
        raise type_error('Missing field "publicExponent" in "algorithm".')
    if algorithm.hash is None:
        raise type_error('Missing field "hash" in "algorithm".')
    length = algorithm.modulusLength
    if length is None:
        raise type_error('Missing field "modulusLength" in "algorithm".')
    if length <= 0:
        raise operation_error(f"modulusLength must be greater than zero (requested {length}).")
    digest = required_digest(algorithm.hash)
    public_usages, private_usages = split_usages(check_usages(name, "generate", usages, _usages_of(name)))
    exponent = algorithm.publicExponent
    _check_generated(length, exponent)

    def make() -> tuple[CryptoKey, CryptoKey]:
        try:
            private = rsa.generate_private_key(int.from_bytes(exponent, "big"), length)
        except ValueError as error:
            raise operation_error(f"Error generating an RSA key: {error}") from None
        kind = _MATERIALS[name]
        return (
            CryptoKey(
                kind(name, private.public_key(), digest, exponent, is_private=False),
                Access(extractable=True, usages=public_usages),
            ),
            CryptoKey(
                kind(name, private, digest, exponent, is_private=True),
                Access(extractable=extractable, usages=private_usages),
            ),
        )

    return make


def _usages_of(name: str) -> tuple[str, ...]:
    return _ENCRYPTING if name == "RSA-OAEP" else _SIGNING


def _modulus_bits(bits: int) -> int:
    return (bits + 7) // 8 * 8


def _shown_exponent(exponent: bytes) -> Any:
    shown = Uint8Array.of_bytes(exponent)
    return shown if current_realm().compat.enabled("crypto_preserve_public_exponent") else shown.buffer


def _check_generated(length: int, exponent: bytes) -> None:
    if length % 8 or not 256 <= length <= 16384:
        raise _bad_modulus(length)
    number = int.from_bytes(exponent, "big")
    if number >= 1 << 32:
        raise operation_error('The "publicExponent" must be either 3 or 65537, but got a number larger than 2^32.')
    if number not in _GENERATED_EXPONENTS:
        raise operation_error(f'The "publicExponent" must be either 3 or 65537, but got {number}.')
    if length % 128 and current_realm().compat.enabled("strict_crypto_checks"):
        raise operation_error("Can't generate key: RSA key size is required to be a multiple of 128")


def _check_imported(length: int, exponent: int) -> None:
    if not current_realm().compat.enabled("strict_crypto_checks"):
        return
    if not 256 <= length <= 16384:
        raise _bad_modulus(length)
    if exponent >= 1 << 32:
        raise operation_error('The "publicExponent" must be either 3 or 65537, but got a number larger than 2^32.')
    if exponent not in _IMPORTED_EXPONENTS:
        raise operation_error(f"Imported RSA key has invalid publicExponent {exponent}.")


def _bad_modulus(length: int) -> Exception:
    return operation_error(
        f"The modulus length must be a multiple of 8 and between 256 and 16k, but {length} was requested."
    )


def _salt_length(algorithm: SignAlgorithm) -> int:
    salt = algorithm.saltLength
    assert salt is not None
    if salt < 0:
        raise data_error(f"SaltLength for RSA-PSS must be non-negative (provided {salt}).")
    return salt


def _verifies(key: Any, signature: bytes, data: bytes, scheme: Any, digest: str) -> bool:
    try:
        key.verify(signature, data, scheme, cryptography_hash(digest))
    except (InvalidSignature, ValueError):
        return False
    return True


def _read_jwk(key: JsonWebKey, digest: str) -> Any:
    if key.kty != "RSA":
        raise data_error(
            'RSASSA-PKCS1-v1_5 "jwk" key import requires a JSON Web Key with Key Type parameter "kty" '
            f'("{key.kty}") equal to "RSA".'
        )
    if key.alg is not None:
        _check_jwk_algorithm(key.alg, digest)
    wrong = "Invalid RSA key in JSON Web Key; missing or invalid"
    modulus = jwk.decode_integer(key.n, f'{wrong} Modulus parameter ("n").')
    exponent = jwk.decode_integer(key.e, f'{wrong} Exponent parameter ("e").')
    private = None if key.d is None else _private_numbers(key, modulus, exponent)
    _check_imported(_modulus_bits(modulus.bit_length()), exponent)  # what the library would not even make a key of
    public = rsa.RSAPublicNumbers(exponent, modulus)
    try:
        if private is None:
            return public.public_key()
        exponent_d, first, second, dp, dq, qi = private
        return rsa.RSAPrivateNumbers(first, second, exponent_d, dp, dq, qi, public).private_key(
            unsafe_skip_rsa_key_validation=True  # the platform does not check either
        )
    except (ValueError, UnsupportedAlgorithm):
        raise data_error("Invalid RSA key in JSON Web Key.") from None


def _check_jwk_algorithm(name: str, digest: str) -> None:
    """Compare ``alg`` with the hash; the platform takes the names of all three uses for each of them."""
    found = _JWK_ALGORITHM.fullmatch(name)
    if found is None:
        raise not_supported(
            f'Unrecognized or unimplemented algorithm "{name}" listed in JSON Web Key Algorithm parameter.'
        )
    if f"SHA-{found[1] or found[2] or 1}" != digest:
        raise data_error(
            f'JSON Web Key Algorithm parameter "alg" ("{name}") does not match requested hash algorithm "{name}".'
        )


def _private_numbers(key: JsonWebKey, modulus: int, exponent: int) -> tuple[int, int, int, int, int, int]:
    """Return d, p, q, dp, dq and qi; the last five are found where a key has none of them."""
    wrong = "Invalid RSA key in JSON Web Key;"
    private = jwk.decode_integer(key.d, f'{wrong} missing or invalid Private Exponent parameter ("d").')
    factors = (key.p, key.q, key.dp, key.dq, key.qi)
    if all(factor is None for factor in factors):
        try:
            first, second = rsa.rsa_recover_prime_factors(modulus, exponent, private)
        except ValueError:
            raise data_error("Invalid RSA key in JSON Web Key.") from None
        return (
            private,
            first,
            second,
            rsa.rsa_crt_dmp1(private, first),
            rsa.rsa_crt_dmq1(private, second),
            rsa.rsa_crt_iqmp(first, second),
        )
    if any(factor is None for factor in factors):
        raise data_error(
            "Invalid RSA private key in JSON Web Key; if one Prime Factor or CRT Exponent/Coefficient parameter is "
            'present, then they must all be present ("p", "q", "dp", "dq", "qi").'
        )
    return (
        private,
        jwk.decode_integer(key.p, f'{wrong} invalid First Prime Factor parameter ("p").'),
        jwk.decode_integer(key.q, f'{wrong} invalid Second Prime Factor parameter ("q").'),
        jwk.decode_integer(key.dp, f'{wrong} invalid First Factor CRT Exponent parameter ("dp").'),
        jwk.decode_integer(key.dq, f'{wrong} invalid Second Factor CRT Exponent parameter ("dq").'),
        jwk.decode_integer(key.qi, f'{wrong} invalid First CRT Coefficient parameter ("qi").'),
    )
