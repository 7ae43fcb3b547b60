"""The arguments of ``crypto.subtle``: checked and coerced, with the platform's texts.

An algorithm argument is a name or an object; an object is read field by field, in the platform's order, as one of the
dataclasses below. A field that is absent is None.

Source: workerd, src/workerd/api/crypto/crypto.h
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeVar, get_type_hints

from pyworkers.js.buffers import JsBuffer, bytes_of
from pyworkers.js.crypto.keys import CryptoKey
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, to_boolean, to_string
from pyworkers.js.realm import current_realm
from pyworkers.js.values import JsProxy, get_property, type_error
from pyworkers.js.webidl import MISSING, argument_error, field_error, is_object, to_int

_CLASS: Final = "SubtleCrypto"


@dataclass(frozen=True, slots=True, kw_only=True)
class HashAlgorithm:
    """Of ``digest``, and of every ``hash`` field."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptAlgorithm:
    """Of ``encrypt``, ``decrypt``, ``wrapKey`` and ``unwrapKey``; lengths are in bits."""

    name: str
    iv: bytes | None = None
    additionalData: bytes | None = None
    tagLength: int | None = None
    counter: bytes | None = None
    length: int | None = None
    label: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignAlgorithm:
    """Of ``sign`` and ``verify``; the salt's length is in bytes."""

    name: str
    hash: HashAlgorithm | None = None
    saltLength: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateKeyAlgorithm:
    """Of ``generateKey``; lengths are in bits."""

    name: str
    hash: HashAlgorithm | None = None
    modulusLength: int | None = None
    publicExponent: bytes | None = None
    length: int | None = None
    namedCurve: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportKeyAlgorithm:
    """Of ``importKey``, and of a key that is derived or unwrapped."""

    name: str
    hash: HashAlgorithm | None = None
    length: int | None = None
    namedCurve: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeriveKeyAlgorithm:
    """Of ``deriveKey`` and ``deriveBits``."""

    name: str
    salt: bytes | None = None
    iterations: int | None = None
    hash: HashAlgorithm | None = None
    public: CryptoKey | None = None
    info: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonWebKey:
    """A key as JSON; what is no part of a key's kind is None.

    Source: RFC 7517, RFC 7518
    """

    kty: str = field(default="undefined")
    use: str | None = None
    key_ops: list[str] | None = None
    alg: str | None = None
    ext: bool | None = None
    crv: str | None = None
    x: str | None = None
    y: str | None = None
    d: str | None = None
    n: str | None = None
    e: str | None = None
    p: str | None = None
    q: str | None = None
    dp: str | None = None
    dq: str | None = None
    qi: str | None = None
    oth: list[Any] | None = None
    k: str | None = None


Dictionary = TypeVar(
    "Dictionary",
    HashAlgorithm,
    EncryptAlgorithm,
    SignAlgorithm,
    GenerateKeyAlgorithm,
    ImportKeyAlgorithm,
    DeriveKeyAlgorithm,
)


def algorithm_argument(value: Any, kind: type[Dictionary], method: str, position: int) -> Dictionary:
    """Read an algorithm argument.

    Args:
        kind: the dictionary that the method takes.
        position: of the argument, from 1.

    Raises:
        JsException: TypeError.
    """
    if value is MISSING:
        raise argument_error(_CLASS, method, position, f"string or {kind.__name__}")
    return read_algorithm(value, kind)


def read_algorithm(value: Any, kind: type[Dictionary]) -> Dictionary:
    """Read a name or an object as an algorithm.

    Raises:
        JsException: TypeError.
    """
    if is_nullish(value):
        raise _nothing_to_read(kind)
    if not is_object(value):
        return kind(name=to_string(value))
    return _read(value, kind)


def key_argument(value: Any, method: str, position: int) -> CryptoKey:
    """Return an argument that is a CryptoKey."""
    if not isinstance(value, CryptoKey):
        raise argument_error(_CLASS, method, position, "CryptoKey")
    return value


def bytes_argument(value: Any, method: str, position: int, expected: str = "Array") -> bytes:
    """Copy an argument that is an ArrayBuffer or a view of one."""
    if not isinstance(value, JsBuffer):
        _warn_of_python_bytes(value)
        raise argument_error(_CLASS, method, position, expected)
    return bytes_of(value)


def string_argument(value: Any, method: str, position: int) -> str:
    """Return an argument as a string."""
    if value is MISSING:
        raise argument_error(_CLASS, method, position, "string")
    return to_string(value)


def boolean_argument(value: Any, method: str, position: int) -> bool:
    """Return an argument as a boolean."""
    if value is MISSING:
        raise argument_error(_CLASS, method, position, "boolean")
    return to_boolean(value)


def usages_argument(value: Any, method: str, position: int) -> list[str]:
    """Return an argument that is an array, as strings."""
    if not isinstance(value, JsArray):
        raise argument_error(_CLASS, method, position, "Array")
    return [to_string(item) for item in value.items_]


def key_data_argument(value: Any, method: str, position: int) -> bytes | JsonWebKey:
    """Read the key data of ``importKey``: bytes, or an object as a JSON Web Key."""
    if isinstance(value, JsBuffer):
        return bytes_of(value)
    if value is not MISSING and is_nullish(value):
        raise _nothing_to_read(JsonWebKey)
    if value is MISSING or not is_object(value):
        raise argument_error(_CLASS, method, position, "ArrayBuffer or ArrayBufferView or JsonWebKey")
    _warn_of_python_bytes(value)
    return read_json_web_key(value)


def read_json_web_key(value: Any) -> JsonWebKey:
    """Read an object as a JSON Web Key.

    Raises:
        JsException: TypeError, when ``key_ops`` or ``oth`` is no array.
    """
    return _read(value, JsonWebKey)


def _read(value: Any, kind: type[Any]) -> Any:
    types = _types_of(kind)
    found = {}
    for name, type_ in types.items():
        item = get_property(value, name)
        if item is not None or name == "name":
            found[name] = _convert(item, type_, kind, name)
    return kind(**found)


def _convert(item: Any, type_: Any, kind: type[Any], name: str) -> Any:
    if type_ is str:
        return to_string(item)
    if type_ is int:
        return to_int(item)
    if type_ is bool:
        return to_boolean(item)
    if type_ is HashAlgorithm:
        return read_algorithm(item, HashAlgorithm)
    if type_ is CryptoKey:
        if not isinstance(item, CryptoKey):
            raise field_error(kind.__name__, name, "CryptoKey")
        return item
    if type_ is bytes:
        if not isinstance(item, JsBuffer):
            _warn_of_python_bytes(item)
            raise field_error(kind.__name__, name, "JsBufferSource")
        return bytes_of(item)
    if not isinstance(item, JsArray):
        raise field_error(kind.__name__, name, "Array")
    return [to_string(each) for each in item.items_]


def _types_of(kind: type[Any]) -> dict[str, Any]:
    """Return a dictionary's fields in order, each with the type that it has where it is there."""
    if kind not in _field_types:
        hints = get_type_hints(kind)
        _field_types[kind] = {
            each.name: next((t for t in getattr(hints[each.name], "__args__", ()) if t is not type(None)), str)
            for each in fields(kind)
        }
    return _field_types[kind]


_field_types: dict[type[Any], dict[str, Any]] = {}


def _nothing_to_read(kind: type[Any]) -> Exception:
    # The platform prints the C++ name of its own type here.
    name = kind.__name__
    return type_error(
        f"Cannot initialize N7workerd3api12SubtleCrypto{len(name)}{name}E with required members from an undefined or "
        "null value."
    )


def _warn_of_python_bytes(value: Any) -> None:
    if isinstance(value, bytes | bytearray | memoryview) and not isinstance(value, JsProxy):
        current_realm().console(
            "warn",
            ("Python bytes were passed to crypto.subtle, which cannot see into them. Pass to_js(data).",),
        )
