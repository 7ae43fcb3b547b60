"""Ed25519 and X25519 keys, and the older name NODE-ED25519.

Source: workerd, src/workerd/api/crypto/ec.c++, EdDsaKey
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pyworkers.js.crypto import jwk
from pyworkers.js.crypto.arguments import (
    DeriveKeyAlgorithm,
    GenerateKeyAlgorithm,
    ImportKeyAlgorithm,
    JsonWebKey,
    SignAlgorithm,
)
from pyworkers.js.crypto.asymmetric import AsymmetricMaterial, import_key_data, internal_error
from pyworkers.js.crypto.derived import first_bits, peer_of
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
from pyworkers.js.values import type_error

_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_CLASSES: Final[dict[str, tuple[Any, Any]]] = {
    "Ed25519": (Ed25519PublicKey, Ed25519PrivateKey),
    "X25519": (X25519PublicKey, X25519PrivateKey),
}


class EdwardsMaterial(AsymmetricMaterial):
    """A key of 32 bytes.

    The platform imports any other kind of key in its place, and fails when that is used.
    """

    def algorithm(self) -> dict[str, Any]:
        """The name; the older one is also the curve's."""
        if self.name == "NODE-ED25519":
            return {"name": self.name, "namedCurve": self.name}
        return {"name": self.name}

    def sign(self, _algorithm: SignAlgorithm, data: bytes) -> bytes:
        """Sign."""
        self.require_private()
        if self.name == "X25519":
            raise operation_error(f'Not implemented for algorithm "{self.name}".')
        return bytes(self._own_key.sign(data))

    def verify(self, _algorithm: SignAlgorithm, signature: bytes, data: bytes) -> bool:
        """Check a signature of 64 bytes."""
        self.require_public()
        if self.name == "X25519":
            raise operation_error(f"Not implemented for this algorithm{self.name}")
        if len(signature) != _SIGNATURE_BYTES:
            raise operation_error(f"Invalid {self.name} signature length {len(signature)}")
        try:
            self._own_key.verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def derive_bits(self, algorithm: DeriveKeyAlgorithm, length: int | None) -> bytes:
        """Return the first bits of the shared secret."""
        if self.name != "X25519":
            raise not_supported(f'The deriveBits operation is not implemented for "{self.name}".')
        peer = peer_of(self, algorithm, EdwardsMaterial)
        first_bits(bytes(_KEY_BYTES), length)  # the length is checked before anything is computed
        try:
            secret = self._own_key.exchange(peer._own_key)
        except ValueError:
            raise operation_error("Failed to derive EDDH key: public key routines INVALID_PEER_KEY.") from None
        return first_bits(secret, length)

    def export_jwk(self) -> JsonWebKey:
        """The bytes of the public and of the private key."""
        key = self._raw_key
        public = key.public_key() if self.is_private else key
        private = None
        if self.is_private:
            private = jwk.encode(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
        return JsonWebKey(
            kty="OKP",
            crv=_curve(self.name),
            alg="EdDSA" if self.name == "Ed25519" else None,
            x=jwk.encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)),
            d=private,
        )

    def export_raw(self) -> bytes:
        """The public key's bytes."""
        if self.is_private:
            raise invalid_access(f"Raw export of {self.name} keys is only allowed for public keys.")
        return bytes(self._raw_key.public_bytes(Encoding.Raw, PublicFormat.Raw))

    @property
    def _own_key(self) -> Any:
        if not isinstance(self.key, _CLASSES[_curve(self.name)]):
            raise internal_error()
        return self.key

    @property
    def _raw_key(self) -> Any:
        if not isinstance(self.key, (*_CLASSES["Ed25519"], *_CLASSES["X25519"])):
            raise internal_error()
        return self.key


def import_key(
    name: str,
    format: str,
    data: bytes | JsonWebKey,
    algorithm: ImportKeyAlgorithm,
    extractable: bool,
    usages: list[str],
) -> CryptoKey:
    """Import ``raw``, ``spki``, ``pkcs8`` or ``jwk``; see `families.ImportKey`."""
    _check_named_curve(name, algorithm.namedCurve)
    public: tuple[str, ...] = () if name == "X25519" else ("verify",)
    if format == "raw" and not isinstance(data, JsonWebKey):
        allowed = check_usages(name, "import public", usages, public)
        if len(data) != _KEY_BYTES:
            raise data_error(f"{_curve(name)} raw keys must be exactly 32-bytes (provided {len(data)}).")
        key, is_private = _CLASSES[_curve(name)][0].from_public_bytes(data), False
    else:
        key, is_private, allowed = import_key_data(
            name,
            format,
            data,
            usages,
            extractable=extractable,
            public=public,
            private=DERIVATION if name == "X25519" else ("sign",),
            read_jwk=lambda web_key: _read_jwk(web_key, _curve(name)),
        )
    return CryptoKey(
        EdwardsMaterial(name, key, is_private=is_private),
        Access(extractable=extractable, usages=allowed),
    )


def generate(
    name: str, algorithm: GenerateKeyAlgorithm, extractable: bool, usages: list[str]
) -> Callable[[], tuple[CryptoKey, CryptoKey]]:
    """Generate a pair; see `families.Generate`."""
    allowed = check_usages(name, "generate", usages, DERIVATION if name == "X25519" else ("sign", "verify"))
    public_usages, private_usages = split_usages(allowed)
    _check_named_curve(name, algorithm.namedCurve)

    def make() -> tuple[CryptoKey, CryptoKey]:
        private = _CLASSES[_curve(name)][1].generate()
        return (
            CryptoKey(
                EdwardsMaterial(name, private.public_key(), is_private=False),
                Access(extractable=True, usages=public_usages),
            ),
            CryptoKey(
                EdwardsMaterial(name, private, is_private=True),
                Access(extractable=extractable, usages=private_usages),
            ),
        )

    return make


def _curve(name: str) -> str:
    return "X25519" if name == "X25519" else "Ed25519"


def _check_named_curve(name: str, curve: str | None) -> None:
    if name != "NODE-ED25519":
        return
    if curve is None:
        raise type_error('Missing field "namedCurve" in "algorithm".')
    if curve != name:
        raise not_supported(f'EDDSA curve "{curve}" isn\'t supported.')


def _read_jwk(key: JsonWebKey, curve: str) -> Any:
    if key.kty != "OKP":
        raise data_error(
            f'{curve} "jwk" key imports requires a JSON Web Key with Key Type parameter "kty" ("{key.kty}") equal to '
            '"OKP".'
        )
    if key.crv is None:
        raise data_error(f'Missing field "crv" for {curve} key.')
    if key.crv != curve:
        raise not_supported(f'Only {curve} is supported but "{key.crv}" was requested.')
    if key.alg is not None and key.alg != "EdDSA" and curve == "Ed25519":
        raise data_error(
            f'JSON Web Key Algorithm parameter "alg" ("{key.alg}") does not match requested Ed25519 curve.'
        )
    public = jwk.decode(key.x, f'Invalid {curve} key in JSON WebKey; missing or invalid public key component ("x").')
    if len(public) != _KEY_BYTES:
        raise data_error(f"Invalid length {len(public)} for public key")
    public_class, private_class = _CLASSES[curve]
    if key.d is None:
        return public_class.from_public_bytes(public)
    private = jwk.decode(key.d, f'Invalid {curve} key in JSON Web Key; missing or invalid private key component ("d").')
    if len(private) != _KEY_BYTES:
        raise data_error(f"Invalid length {len(private)} for private key")
    return private_class.from_private_bytes(private)
