"""``CryptoKey``, and what every kind of key can be asked.

Source: w3c.github.io/webcrypto, section 13; workerd, src/workerd/api/crypto/impl.h
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pyworkers.js.objects import JsArray
from pyworkers.js.values import JsException, JsObject, JsProxy, dom_exception, type_error

if TYPE_CHECKING:
    from pyworkers.js.crypto.arguments import DeriveKeyAlgorithm, EncryptAlgorithm, JsonWebKey, SignAlgorithm

USAGES: Final = ("encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey")
PUBLIC_USAGES: Final = frozenset(("encrypt", "verify", "wrapKey"))
DERIVATION: Final = ("deriveKey", "deriveBits")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What may be done with a key.

    Attributes:
        extractable: ``exportKey`` gives it.
        usages: in the platform's order.
    """

    extractable: bool
    usages: tuple[str, ...]


class Material:
    """What a key is made of and what it does; a base that can do nothing.

    Attributes:
        name: the algorithm's, in the platform's spelling.
        type: ``secret``, ``public`` or ``private``.
    """

    name: str
    type: str = "secret"

    def algorithm(self) -> dict[str, Any]:
        """Return the properties of ``key.algorithm``."""
        return {"name": self.name}

    def encrypt(self, _algorithm: EncryptAlgorithm, _data: bytes) -> bytes:
        """Encrypt."""
        raise not_supported(f'The encrypt operation is not implemented for "{self.name}".')

    def decrypt(self, _algorithm: EncryptAlgorithm, _data: bytes) -> bytes:
        """Decrypt."""
        raise not_supported(f'The decrypt operation is not implemented for "{self.name}".')

    def sign(self, _algorithm: SignAlgorithm, _data: bytes) -> bytes:
        """Sign."""
        raise not_supported(f'The sign operation is not implemented for "{self.name}".')

    def verify(self, _algorithm: SignAlgorithm, _signature: bytes, _data: bytes) -> bool:
        """Tell whether a signature is right."""
        raise not_supported(f'The verify operation is not implemented for "{self.name}".')

    def derive_bits(self, _algorithm: DeriveKeyAlgorithm, _length: int | None) -> bytes:
        """Derive ``length`` bits, or as many as there are."""
        raise not_supported(f'The deriveKey and deriveBits operations are not implemented for "{self.name}".')

    def wrap(self, algorithm: EncryptAlgorithm, data: bytes) -> bytes:
        """Encrypt another key."""
        return self.encrypt(algorithm, data)

    def unwrap(self, algorithm: EncryptAlgorithm, data: bytes) -> bytes:
        """Decrypt another key."""
        return self.decrypt(algorithm, data)

    def export(self, _format: str, _usages: Sequence[str]) -> bytes | JsonWebKey:
        """Return the key in a format."""
        raise not_supported(f'Unrecognized or unsupported export of "{self.name}" requested.')


class CryptoKey(JsProxy):
    """A key.

    Its four properties are read-only; ``algorithm`` and ``usages`` are new objects at every look.
    """

    def __init__(self, material: Material, access: Access) -> None:
        self.__dict__.update(material=material, access=access)

    @property
    def type(self) -> str:
        """``secret``, ``public`` or ``private``."""
        return str(self.material.type)

    @property
    def extractable(self) -> bool:
        """Tell whether the key can be exported."""
        return bool(self.access.extractable)

    @property
    def algorithm(self) -> JsObject:
        """What the key is for: its name, and what belongs to it."""
        return _as_object(self.material.algorithm())

    @property
    def usages(self) -> JsArray:
        """What may be done with the key."""
        return JsArray(self.access.usages)

    def own_properties(self) -> dict[str, object]:
        """The four properties, in the platform's order."""
        return {name: getattr(self, name) for name in ("usages", "algorithm", "extractable", "type")}

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("type", "extractable", "algorithm", "usages"):
            raise type_error(f"Cannot assign to read only property '{name}' of object '#<CryptoKey>'")
        super().__setattr__(name, value)

    def require(self, algorithm: str, usage: str) -> None:
        """Check that the key is of an algorithm and may be used so.

        Raises:
            JsException: InvalidAccessError.
        """
        if algorithm.lower() != self.material.name.lower():
            raise invalid_access(
                f'Requested algorithm "{algorithm}" does not match this CryptoKey\'s algorithm "{self.material.name}".'
            )
        if usage not in self.access.usages:
            raise invalid_access(f'Requested key usage "{usage}" does not match any usage listed in this CryptoKey.')

    def export(self, format: str) -> bytes | JsonWebKey:
        """Return the key in a format.

        Raises:
            JsException: InvalidAccessError or NotSupportedError.
        """
        if not self.access.extractable:
            raise invalid_access(f"Attempt to export non-extractable {self.material.name} key.")
        exported: bytes | JsonWebKey = self.material.export(format, self.access.usages)
        return exported


def check_usages(name: str, operation: str, usages: Iterable[str], allowed: Iterable[str]) -> tuple[str, ...]:
    """Return usages in the platform's order, each once.

    Args:
        operation: ``generate``, ``import secret``, ``import public`` or ``import private``.

    Raises:
        JsException: SyntaxError, for one that is not allowed.
    """
    permitted, given = frozenset(allowed), list(usages)
    for usage in given:
        if usage not in permitted:
            raise dom_exception("SyntaxError", f'Attempt to {operation} {name} key with invalid usage "{usage}".')
    return tuple(usage for usage in USAGES if usage in given)


def split_usages(usages: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which usages a pair's public and which its private key has."""
    given = tuple(usages)
    return (
        tuple(usage for usage in given if usage in PUBLIC_USAGES),
        tuple(usage for usage in given if usage not in PUBLIC_USAGES),
    )


def not_supported(message: str) -> JsException:
    """Make a NotSupportedError."""
    return dom_exception("NotSupportedError", message)


def invalid_access(message: str) -> JsException:
    """Make an InvalidAccessError."""
    return dom_exception("InvalidAccessError", message)


def data_error(message: str) -> JsException:
    """Make a DataError."""
    return dom_exception("DataError", message)


def operation_error(message: str) -> JsException:
    """Make an OperationError."""
    return dom_exception("OperationError", message)


def _as_object(properties: dict[str, Any]) -> JsObject:
    return JsObject(
        {name: _as_object(value) if isinstance(value, dict) else value for name, value in properties.items()}
    )
