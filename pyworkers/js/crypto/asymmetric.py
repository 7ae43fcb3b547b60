"""What RSA, elliptic and Edwards keys share: DER, and the order in which an import is checked.

Source: workerd, src/workerd/api/crypto/keys.c++
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from pyworkers.js.crypto import jwk
from pyworkers.js.crypto.arguments import JsonWebKey
from pyworkers.js.crypto.keys import PUBLIC_USAGES, Material, check_usages, data_error, invalid_access, not_supported
from pyworkers.js.values import JsException

Loaded = TypeVar("Loaded")

# What the platform's library reads; the rest is an invalid key to it.
_KINDS: Final = (
    rsa.RSAPublicKey,
    rsa.RSAPrivateKey,
    dsa.DSAPublicKey,
    dsa.DSAPrivateKey,
    ec.EllipticCurvePublicKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PublicKey,
    ed25519.Ed25519PrivateKey,
    x25519.X25519PublicKey,
    x25519.X25519PrivateKey,
)
_CURVES: Final = ("secp224r1", "secp256r1", "secp384r1", "secp521r1")


class AsymmetricMaterial(Material):
    """A public or a private key.

    Args:
        key: of the package `cryptography`.
    """

    def __init__(self, name: str, key: Any, *, is_private: bool) -> None:
        self.name = name
        self.type = "private" if is_private else "public"
        self.key = key

    @property
    def is_private(self) -> bool:
        """Tell whether this is the private key of a pair."""
        return self.type == "private"

    def export(self, format: str, usages: Sequence[str]) -> bytes | JsonWebKey:
        """``pkcs8``, ``spki``, ``jwk`` or ``raw``."""
        if format == "pkcs8":
            if not self.is_private:
                raise invalid_access(f'Asymmetric pkcs8 export requires private key (not "{self.type}").')
            return bytes(self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
        if format == "spki":
            if self.is_private:
                raise invalid_access(f'Asymmetric spki export requires public key (not "{self.type}").')
            return bytes(self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        if format == "jwk":
            return jwk.exported(self.export_jwk(), list(usages))
        if format == "raw":
            return self.export_raw()
        raise invalid_access(f'Cannot export "{self.name}" in "{format}" format.')

    def export_jwk(self) -> JsonWebKey:
        """Return the key as JSON, without what may be done with it."""
        raise not_supported(f'Unrecognized or unsupported export of "{self.name}" requested.')

    def export_raw(self) -> bytes:
        """Return the public key's bytes."""
        raise invalid_access(f'Cannot export "{self.name}" in "raw" format.')

    def require_private(self) -> None:
        """Check that the key signs.

        Raises:
            JsException: InvalidAccessError.
        """
        if not self.is_private:
            raise invalid_access("Asymmetric signing requires a private key.")

    def require_public(self) -> None:
        """Check that the key verifies.

        Raises:
            JsException: InvalidAccessError.
        """
        if self.is_private:
            raise invalid_access("Asymmetric verification requires a public key.")


def import_key_data(
    name: str,
    format: str,
    data: bytes | JsonWebKey,
    usages: list[str],
    *,
    extractable: bool,
    public: Iterable[str],
    private: Iterable[str],
    read_jwk: Callable[[JsonWebKey], Any],
) -> tuple[Any, bool, tuple[str, ...]]:
    """Read ``jwk``, ``spki`` or ``pkcs8``; return the key, whether it is private, and its usages.

    Args:
        public: usages that a public key may have.
        private: usages that a private key may have.
        read_jwk: makes the key of a JSON Web Key.

    Raises:
        JsException: SyntaxError, DataError or NotSupportedError.
    """
    if isinstance(data, JsonWebKey):
        is_private = data.d is not None
        allowed = check_usages(name, _importing(is_private), usages, private if is_private else public)
        if is_private and data.oth is not None:
            raise not_supported("Multi-prime private keys not supported.")
        jwk.check_asymmetric(data, name, usages, extractable=extractable)
        return read_jwk(data), is_private, allowed
    if format not in ("spki", "pkcs8"):
        raise not_supported(f'Unrecognized key import format "{format}".')
    is_private = format == "pkcs8"
    key = _load(
        data, format.upper(), (lambda der: load_der_private_key(der, None)) if is_private else load_der_public_key
    )
    return key, is_private, check_usages(name, _importing(is_private), usages, private if is_private else public)


def public_only(usages: Iterable[str]) -> tuple[str, ...]:
    """Return those usages that a public key can have."""
    return tuple(usage for usage in usages if usage in PUBLIC_USAGES)


def private_only(usages: Iterable[str]) -> tuple[str, ...]:
    """Return those usages that a private key can have."""
    return tuple(usage for usage in usages if usage not in PUBLIC_USAGES)


def internal_error() -> JsException:
    """Make the error that hides what went wrong inside of the platform."""
    return JsException("Error", f"internal error; reference = {secrets.token_hex(12)}")


def _importing(is_private: bool) -> str:
    return "import private" if is_private else "import public"


def _load(data: bytes, what: str, load: Callable[[bytes], Loaded]) -> Loaded:
    size = _element_size(data)
    try:
        key = load(data[:size])
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise data_error(f"Invalid {what} input.") from None
    if not isinstance(key, _KINDS) or getattr(getattr(key, "curve", None), "name", _CURVES[0]) not in _CURVES:
        raise data_error(f"Invalid {what} input.")
    if size < len(data):
        raise data_error(f"Invalid {len(data) - size} trailing bytes after {what} input.")
    return key


def _element_size(data: bytes) -> int:
    """Return the size of the DER element that the data begins with; of all the data where there is none."""
    if len(data) < 2 or data[1] < 0x80:
        size = 2 + data[1] if len(data) > 1 else len(data)
    else:
        digits = data[1] & 0x7F
        size = 2 + digits + int.from_bytes(data[2 : 2 + digits], "big")
    return min(size, len(data))
