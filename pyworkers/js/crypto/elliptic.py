"""ECDSA and ECDH keys on P-256, P-384 and P-521.

Source: workerd, src/workerd/api/crypto/ec.c++
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pyworkers.js.crypto import jwk
from pyworkers.js.crypto.arguments import (
    DeriveKeyAlgorithm,
    GenerateKeyAlgorithm,
    HashAlgorithm,
    ImportKeyAlgorithm,
    JsonWebKey,
    SignAlgorithm,
)
from pyworkers.js.crypto.asymmetric import AsymmetricMaterial, import_key_data, internal_error
from pyworkers.js.crypto.derived import first_bits, peer_of
from pyworkers.js.crypto.digests import cryptography_hash, digest_name
from pyworkers.js.crypto.keys import (
    DERIVATION,
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

_CURVES: Final[dict[str, type[ec.EllipticCurve]]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}
_JWK_ALGORITHMS: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_NO_HASH: Final = (
    'Missing "hash" in AlgorithmIdentifier. (ECDSA requires that the hash algorithm be specified at call time rather '
    "than on the key. This differs from other WebCrypto algorithms for historical reasons.)"
)
_BAD_RAW: Final = "Failed to import raw EC key data"


class EllipticMaterial(AsymmetricMaterial):
    """A key on a curve.

    Args:
        curve: in the platform's spelling.
    """

    def __init__(self, name: str, key: Any, curve: str, *, is_private: bool) -> None:
        super().__init__(name, key, is_private=is_private)
        self.curve = curve
        self._size = (key.curve.key_size + 7) // 8

    def algorithm(self) -> dict[str, Any]:
        """Name and curve."""
        return {"name": self.name, "namedCurve": self.curve}

    def sign(self, algorithm: SignAlgorithm, data: bytes) -> bytes:
        """Sign; r and s follow one another, each as long as the curve's numbers."""
        self.require_private()
        digest = self._chosen_hash(algorithm.hash)
        r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(cryptography_hash(digest))))
        return r.to_bytes(self._size, "big") + s.to_bytes(self._size, "big")

    def verify(self, algorithm: SignAlgorithm, signature: bytes, data: bytes) -> bool:
        """Check such a signature; one of another length is wrong."""
        self.require_public()
        digest = self._chosen_hash(algorithm.hash)
        if len(signature) != 2 * self._size:
            return False
        r, s = (int.from_bytes(half, "big") for half in (signature[: self._size], signature[self._size :]))
        try:
            self.key.verify(encode_dss_signature(r, s), data, ec.ECDSA(cryptography_hash(digest)))
        except InvalidSignature:
            return False
        return True

    def derive_bits(self, algorithm: DeriveKeyAlgorithm, length: int | None) -> bytes:
        """Return the first bits of the secret shared with another key on the curve."""
        if self.name != "ECDH":
            raise not_supported(f'The deriveBits operation is not implemented for "{self.name}".')
        peer = peer_of(self, algorithm, EllipticMaterial)
        if peer.curve != self.curve:
            raise invalid_access(
                f'Private key for derivation is using curve "{self.curve}" while public key is using "{peer.curve}".'
            )
        return first_bits(self.key.exchange(ec.ECDH(), peer.key), length)

    def export_jwk(self) -> JsonWebKey:
        """The point, and the private number."""
        public = (self.key.public_key() if self.is_private else self.key).public_numbers()
        private = self.key.private_numbers().private_value if self.is_private else None
        return JsonWebKey(
            kty="EC",
            crv=self.curve,
            x=jwk.encode_integer(public.x, self._size),
            y=jwk.encode_integer(public.y, self._size),
            d=None if private is None else jwk.encode_integer(private, self._size),
        )

    def export_raw(self) -> bytes:
        """The uncompressed point."""
        if self.is_private:
            raise invalid_access("Raw export of elliptic curve keys is only allowed for public keys.")
        return bytes(self.key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def _chosen_hash(self, given: HashAlgorithm | None) -> str:
        if self.name != "ECDSA":
            raise not_supported(f'The sign and verify operations are not implemented for "{self.name}".')
        if given is None:
            raise type_error(_NO_HASH)
        digest = digest_name(given.name)
        if digest == "MD5":
            raise internal_error()  # what the platform answers
        return digest


def import_key(
    name: str,
    format: str,
    data: bytes | JsonWebKey,
    algorithm: ImportKeyAlgorithm,
    extractable: bool,
    usages: list[str],
) -> CryptoKey:
    """Import ``raw``, ``spki``, ``pkcs8`` or ``jwk``; see `families.ImportKey`."""
    curve = _named_curve(algorithm.namedCurve)
    derives = name == "ECDH"
    # Before strict_crypto_checks a public key of ECDH could have usages that it has no use for.
    lax = derives and format != "spki" and not current_realm().compat.enabled("strict_crypto_checks")
    public = DERIVATION if lax else () if derives else ("verify",)
    if format == "raw" and not isinstance(data, JsonWebKey):
        allowed = check_usages(name, "import public", usages, public)
        key, is_private = _read_raw(data, curve), False
    else:
        key, is_private, allowed = import_key_data(
            name,
            format,
            data,
            usages,
            extractable=extractable,
            public=public,
            private=DERIVATION if derives else ("sign",),
            read_jwk=lambda web_key: _read_jwk(web_key, name, curve),
        )
    _check_curve(key, name, algorithm.namedCurve, curve)
    material = EllipticMaterial(name, key, curve, is_private=is_private)
    return CryptoKey(material, Access(extractable=extractable, usages=allowed))


def generate(
    name: str, algorithm: GenerateKeyAlgorithm, extractable: bool, usages: list[str]
) -> Callable[[], tuple[CryptoKey, CryptoKey]]:
    """Generate a pair; see `families.Generate`."""
    allowed = check_usages(name, "generate", usages, DERIVATION if name == "ECDH" else ("sign", "verify"))
    public_usages, private_usages = split_usages(allowed)
    curve = _named_curve(algorithm.namedCurve)

    def make() -> tuple[CryptoKey, CryptoKey]:
        private = ec.generate_private_key(_CURVES[curve]())
        return (
            CryptoKey(
                EllipticMaterial(name, private.public_key(), curve, is_private=False),
                Access(extractable=True, usages=public_usages),
            ),
            CryptoKey(
                EllipticMaterial(name, private, curve, is_private=True),
                Access(extractable=extractable, usages=private_usages),
            ),
        )

    return make


def _named_curve(name: str | None) -> str:
    if name is None:
        raise type_error('Missing field "namedCurve" in "algorithm".')
    if name.upper() not in _CURVES:
        raise not_supported(f'Unrecognized or unimplemented EC curve "{name}" requested.')
    return name.upper()


def _check_curve(key: Any, name: str, asked: str | None, curve: str) -> None:
    if not isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        raise data_error(
            "Input was not an EC public key nor a DH key." if name == "ECDH" else "Input was not an EC key."
        )
    if not isinstance(key.curve, _CURVES[curve]):
        comma = "," if name == "ECDH" else ""  # the platform's own inconsistency
        raise data_error(
            f'"algorithm.namedCurve" "{asked}"{comma} does not match the curve specified by the input key data.'
        )


def _read_raw(data: bytes, curve: str) -> Any:
    made = _CURVES[curve]()
    size = (made.key_size + 7) // 8
    if not data:
        raise data_error(f"{_BAD_RAW}.")
    expected = {2: size + 1, 3: size + 1, 4: 2 * size + 1}.get(data[0])
    if len(data) != expected:
        raise data_error(f"{_BAD_RAW}: Invalid point encoding..")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(made, data)
    except ValueError:
        problem = "Point is not on curve." if data[0] == 4 else "Invalid compressed point."
        raise data_error(f"{_BAD_RAW}: {problem}.") from None


def _read_jwk(key: JsonWebKey, name: str, curve: str) -> Any:
    if key.kty != "EC":
        raise data_error(
            'Elliptic curve "jwk" key import requires a JSON Web Key with Key Type parameter "kty" '
            f'("{key.kty}") equal to "EC".'
        )
    if name == "ECDSA" and key.alg is not None:
        if key.alg not in _JWK_ALGORITHMS:
            raise not_supported(
                f'Unrecognized or unimplemented algorithm "{key.alg}" listed in JSON Web Key Algorithm parameter.'
            )
        if _JWK_ALGORITHMS[key.alg] != curve:
            raise data_error(f'JSON Web Key Algorithm parameter "alg" ("{key.alg}") does not match requested curve.')
    wrong = "Invalid EC key in JSON Web Key;"
    x = jwk.decode_integer(key.x, f'{wrong} missing "x".')
    y = jwk.decode_integer(key.y, f'{wrong} missing "y".')
    numbers = ec.EllipticCurvePublicNumbers(x, y, _CURVES[curve]())
    try:
        public = numbers.public_key()
    except ValueError:
        raise operation_error(
            'Invalid EC key; public key coordinates "x" and "y" are invalid: Point is not on curve..'
        ) from None
    if key.d is None:
        return public
    private = jwk.decode_integer(key.d, f'{wrong} missing or invalid private key component ("d").')
    if not 0 < private < _CURVES[curve]().group_order:
        raise operation_error('Invalid EC key; private key component "d" is invalid.')
    try:
        return ec.EllipticCurvePrivateNumbers(private, numbers).private_key()
    except ValueError:
        raise data_error("Invalid EC key in JSON Web Key.") from None
