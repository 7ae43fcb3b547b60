"""JSON Web Keys: base64url, and the checks that all asymmetric algorithms share.

Source: RFC 7517; workerd, src/workerd/api/crypto/keys.c++, importAsymmetricForWebCrypto
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import fields, replace
from typing import Final

from pyworkers.js.crypto.arguments import JsonWebKey
from pyworkers.js.crypto.keys import data_error
from pyworkers.js.objects import JsArray
from pyworkers.js.values import JsObject

_TO_STANDARD: Final = str.maketrans("-_", "+/")
_ENCRYPTS: Final = ("enc", "encrypt", "wrapKey")
_DERIVES: Final = ("enc", "unused", "unused")
_SIGNS: Final = ("sig", "sign", "verify")


def encode(data: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encode_integer(value: int, size_bytes: int | None = None) -> str:
    """Encode a number, of its own size or of a fixed one."""
    return encode(value.to_bytes(size_bytes or (value.bit_length() + 7) // 8, "big"))


def decode(text: str | None, message: str) -> bytes:
    """Decode base64url or base64, padded or not.

    Raises:
        JsException: DataError with the message, when it is neither, or absent.
    """
    if text is None:
        raise data_error(message)
    standard = "".join(text.translate(_TO_STANDARD).split()).rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise data_error(message) from None


def decode_integer(text: str | None, message: str) -> int:
    """Decode a number.

    Raises:
        JsException: as `decode`.
    """
    return int.from_bytes(decode(text, message), "big")


def as_object(key: JsonWebKey) -> JsObject:
    """Return a key as scripts get it: every member is there, those without a value undefined."""
    values = ((each.name, getattr(key, each.name)) for each in fields(key))
    return JsObject({name: JsArray(value) if isinstance(value, list) else value for name, value in values})


def exported(key: JsonWebKey, usages: tuple[str, ...] | list[str]) -> JsonWebKey:
    """Complete an exported key with what may be done with it."""
    return replace(key, key_ops=list(usages), ext=True)


def check_asymmetric(key: JsonWebKey, name: str, usages: list[str], *, extractable: bool) -> None:
    """Check ``use``, ``key_ops`` and ``ext`` of a public or private key.

    Raises:
        JsException: DataError.
    """
    expected_use, *operations = _ENCRYPTS if name == "RSA-OAEP" else _DERIVES if name in ("ECDH", "X25519") else _SIGNS
    if usages and key.use is not None and key.use != expected_use:
        raise data_error(
            'Asymmetric "jwk" key import with usages requires a JSON Web Key with Public Key Use parameter "use" '
            f'("{key.use}") equal to "sig".'
        )
    if key.key_ops is not None:
        _check_operations(key, key.key_ops, name, usages, expected_use, operations)
    if extractable and key.ext is False:
        raise data_error("Cannot create an extractable CryptoKey from an unextractable JSON Web Key.")


def _check_operations(
    key: JsonWebKey, listed: list[str], name: str, usages: list[str], expected_use: str, operations: list[str]
) -> None:
    if len(set(listed)) != len(listed):
        raise data_error('A JSON Web Key\'s Key Operations parameter ("key_ops") must not contain duplicates.')
    if key.use is not None:
        if key.use != expected_use:
            raise data_error(
                f'Asymmetric "jwk" import requires a JSON Web Key with Public Key Use "use" ("{key.use}") equal to '
                f'"{expected_use}".'
            )
        for operation in sorted(listed):
            _check_operation(operation, name, operations)
    if not set(usages) <= set(listed):
        raise data_error(
            'All specified key usages must be present in the JSON Web Key\'s Key Operations parameter ("key_ops").'
        )


def _check_operation(operation: str, name: str, operations: list[str]) -> None:
    rule = (
        'A JSON Web Key should have either a Public Key Use parameter ("use") or a Key Operations parameter '
        '("key_ops"); otherwise, the parameters must be consistent with each other. '
    )
    if name in ("ECDH", "X25519"):
        raise data_error(
            f'{rule}For public {name} keys, there are no valid usages,so keys with a non-empty "key_ops" parameter '
            "are not allowed."
        )
    if operation not in operations:
        first, second = operations
        raise data_error(
            f'{rule}A Public Key Use for {name} would allow a Key Operations array with only "{first}" and/or '
            f'"{second}" values (not "{operation}").'
        )
