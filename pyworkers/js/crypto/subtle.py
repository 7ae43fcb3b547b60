"""``crypto.subtle``.

Every method gives a promise; whatever is wrong, an argument too, rejects it. What takes long (RSA keys, many rounds of
PBKDF2) runs in a thread, so that the loop goes on.

Source: w3c.github.io/webcrypto, section 14; workerd, src/workerd/api/crypto/crypto.c++
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

from pyworkers.js.buffers import ArrayBuffer, JsBuffer
from pyworkers.js.crypto import jwk
from pyworkers.js.crypto.arguments import (
    DeriveKeyAlgorithm,
    EncryptAlgorithm,
    GenerateKeyAlgorithm,
    HashAlgorithm,
    ImportKeyAlgorithm,
    JsonWebKey,
    SignAlgorithm,
    algorithm_argument,
    boolean_argument,
    bytes_argument,
    key_argument,
    key_data_argument,
    read_json_web_key,
    string_argument,
    usages_argument,
)
from pyworkers.js.crypto.derivation import SLOW_ITERATIONS
from pyworkers.js.crypto.digests import block_bits, digest_name, hashlib_name
from pyworkers.js.crypto.families import find_family
from pyworkers.js.crypto.keys import CryptoKey, not_supported, operation_error
from pyworkers.js.json import parse, stringify
from pyworkers.js.primitives import is_nullish
from pyworkers.js.promise import JsPromise
from pyworkers.js.values import JsObject, JsProxy, dom_exception, js_arguments, js_method, type_error
from pyworkers.js.webidl import MISSING, argument_error, is_object, text_of, to_int, utf8

T = TypeVar("T")

_BUFFER_FORMATS: Final = ("raw", "pkcs8", "spki")
_SLOW_FAMILIES: Final = ("RSASSA-PKCS1-v1_5", "RSA-PSS", "RSA-OAEP")
_NO_USAGE: Final = "Secret/private CryptoKeys must have at least one usage."


def _promised(function: Callable[..., Any]) -> Callable[..., JsPromise]:
    """Make an ``async def`` a method that promises its result; extra arguments are dropped."""
    limit = function.__code__.co_argcount - 1

    @wraps(function)
    def method(self: Any, *args: Any, **kwargs: Any) -> JsPromise:
        return JsPromise.run(function(self, *js_arguments(args, kwargs)[:limit]))

    return method


class SubtleCrypto(JsProxy):
    """``crypto.subtle``; there is one."""

    @_promised
    async def digest(self, algorithm: Any = MISSING, data: Any = MISSING) -> ArrayBuffer:
        """``digest(algorithm, data)``."""
        kind = algorithm_argument(algorithm, HashAlgorithm, "digest", 1)
        content = bytes_argument(data, "digest", 2)
        name = hashlib_name(digest_name(kind.name))
        return ArrayBuffer(hashlib.new(name, content, usedforsecurity=False).digest())

    @_promised
    async def encrypt(self, algorithm: Any = MISSING, key: Any = MISSING, data: Any = MISSING) -> ArrayBuffer:
        """``encrypt(algorithm, key, data)``."""
        how = algorithm_argument(algorithm, EncryptAlgorithm, "encrypt", 1)
        used, content = key_argument(key, "encrypt", 2), bytes_argument(data, "encrypt", 3)
        used.require(how.name, "encrypt")
        return ArrayBuffer(used.material.encrypt(how, content))

    @_promised
    async def decrypt(self, algorithm: Any = MISSING, key: Any = MISSING, data: Any = MISSING) -> ArrayBuffer:
        """``decrypt(algorithm, key, data)``."""
        how = algorithm_argument(algorithm, EncryptAlgorithm, "decrypt", 1)
        used, content = key_argument(key, "decrypt", 2), bytes_argument(data, "decrypt", 3)
        used.require(how.name, "decrypt")
        return ArrayBuffer(used.material.decrypt(how, content))

    @_promised
    async def sign(self, algorithm: Any = MISSING, key: Any = MISSING, data: Any = MISSING) -> ArrayBuffer:
        """``sign(algorithm, key, data)``."""
        how = algorithm_argument(algorithm, SignAlgorithm, "sign", 1)
        used, content = key_argument(key, "sign", 2), bytes_argument(data, "sign", 3)
        used.require(how.name, "sign")
        return ArrayBuffer(used.material.sign(how, content))

    @_promised
    async def verify(
        self, algorithm: Any = MISSING, key: Any = MISSING, signature: Any = MISSING, data: Any = MISSING
    ) -> bool:
        """``verify(algorithm, key, signature, data)``."""
        how = algorithm_argument(algorithm, SignAlgorithm, "verify", 1)
        used = key_argument(key, "verify", 2)
        given, content = bytes_argument(signature, "verify", 3), bytes_argument(data, "verify", 4)
        used.require(how.name, "verify")
        return bool(used.material.verify(how, given, content))

    @_promised
    async def generateKey(self, algorithm: Any = MISSING, extractable: Any = MISSING, usages: Any = MISSING) -> JsProxy:
        """``generateKey(algorithm, extractable, keyUsages)``: a key, or ``{publicKey, privateKey}``."""
        how = algorithm_argument(algorithm, GenerateKeyAlgorithm, "generateKey", 1)
        is_extractable = boolean_argument(extractable, "generateKey", 2)
        wanted = usages_argument(usages, "generateKey", 3)
        family = find_family(how.name)
        if family is None or family.generate is None:
            raise not_supported(f'Unrecognized key generation algorithm "{how.name}" requested.')
        make = family.generate(family.name, how, is_extractable, wanted)
        # A pair that nothing could be done with is refused before it is made, which takes long.
        if family.name in _SLOW_FAMILIES and set(wanted) <= {"verify", "encrypt", "wrapKey"}:
            raise _no_private_usage()
        made = await _run(make, is_slow=family.name in _SLOW_FAMILIES)
        if isinstance(made, CryptoKey):
            if not made.access.usages:
                raise dom_exception("SyntaxError", _NO_USAGE)
            return made
        public, private = made
        if not private.access.usages:
            raise _no_private_usage()
        return JsObject({"publicKey": public, "privateKey": private})

    @_promised
    async def deriveKey(
        self,
        algorithm: Any = MISSING,
        base_key: Any = MISSING,
        derived_key_algorithm: Any = MISSING,
        extractable: Any = MISSING,
        usages: Any = MISSING,
    ) -> CryptoKey:
        """``deriveKey(algorithm, baseKey, derivedKeyAlgorithm, extractable, keyUsages)``."""
        how = algorithm_argument(algorithm, DeriveKeyAlgorithm, "deriveKey", 1)
        base = key_argument(base_key, "deriveKey", 2)
        derived = algorithm_argument(derived_key_algorithm, ImportKeyAlgorithm, "deriveKey", 3)
        is_extractable = boolean_argument(extractable, "deriveKey", 4)
        wanted = usages_argument(usages, "deriveKey", 5)
        base.require(how.name, "deriveKey")
        secret = await _derive(base, how, _key_length(derived))
        return _import("raw", secret, derived, is_extractable, wanted)

    @_promised
    async def deriveBits(self, algorithm: Any = MISSING, base_key: Any = MISSING, length: Any = None) -> ArrayBuffer:
        """``deriveBits(algorithm, baseKey, length)``; without a length all bits of ECDH and X25519."""
        how = algorithm_argument(algorithm, DeriveKeyAlgorithm, "deriveBits", 1)
        base = key_argument(base_key, "deriveBits", 2)
        bits = None if is_nullish(length) else to_int(length)
        if bits is not None and bits < 0:
            raise type_error("deriveBits length must be an unsigned long integer.")
        base.require(how.name, "deriveBits")
        return ArrayBuffer(await _derive(base, how, bits))

    @_promised
    async def importKey(
        self,
        format: Any = MISSING,
        key_data: Any = MISSING,
        algorithm: Any = MISSING,
        extractable: Any = MISSING,
        usages: Any = MISSING,
    ) -> CryptoKey:
        """``importKey(format, keyData, algorithm, extractable, keyUsages)``."""
        form = string_argument(format, "importKey", 1)
        data = key_data_argument(key_data, "importKey", 2)
        how = algorithm_argument(algorithm, ImportKeyAlgorithm, "importKey", 3)
        is_extractable = boolean_argument(extractable, "importKey", 4)
        return _import(form, data, how, is_extractable, usages_argument(usages, "importKey", 5))

    @_promised
    async def exportKey(self, format: Any = MISSING, key: Any = MISSING) -> JsProxy:
        """``exportKey(format, key)``: an ArrayBuffer, or an object for ``jwk``."""
        form = string_argument(format, "exportKey", 1)
        exported = key_argument(key, "exportKey", 2).export(form)
        return jwk.as_object(exported) if isinstance(exported, JsonWebKey) else ArrayBuffer(exported)

    @_promised
    async def wrapKey(
        self, format: Any = MISSING, key: Any = MISSING, wrapping_key: Any = MISSING, wrap_algorithm: Any = MISSING
    ) -> ArrayBuffer:
        """``wrapKey(format, key, wrappingKey, wrapAlgorithm)``."""
        form = string_argument(format, "wrapKey", 1)
        wrapped, wrapping = key_argument(key, "wrapKey", 2), key_argument(wrapping_key, "wrapKey", 3)
        how = algorithm_argument(wrap_algorithm, EncryptAlgorithm, "wrapKey", 4)
        wrapping.require(how.name, "wrapKey")
        exported = wrapped.export(form)
        if isinstance(exported, JsonWebKey):
            exported = utf8(stringify(jwk.as_object(exported)) or "")
        return ArrayBuffer(wrapping.material.wrap(how, exported))

    @_promised
    async def unwrapKey(
        self,
        format: Any = MISSING,
        wrapped_key: Any = MISSING,
        unwrapping_key: Any = MISSING,
        unwrap_algorithm: Any = MISSING,
        unwrapped_key_algorithm: Any = MISSING,
        extractable: Any = MISSING,
        usages: Any = MISSING,
    ) -> CryptoKey:
        """``unwrapKey(format, wrappedKey, unwrappingKey, unwrapAlgorithm, unwrappedKeyAlgorithm, …)``."""
        form = string_argument(format, "unwrapKey", 1)
        wrapped = bytes_argument(wrapped_key, "unwrapKey", 2)
        unwrapping = key_argument(unwrapping_key, "unwrapKey", 3)
        how = algorithm_argument(unwrap_algorithm, EncryptAlgorithm, "unwrapKey", 4)
        kind = algorithm_argument(unwrapped_key_algorithm, ImportKeyAlgorithm, "unwrapKey", 5)
        is_extractable = boolean_argument(extractable, "unwrapKey", 6)
        wanted = usages_argument(usages, "unwrapKey", 7)
        unwrapping.require(how.name, "unwrapKey")
        data: bytes | JsonWebKey = unwrapping.material.unwrap(how, wrapped)
        if form == "jwk" and isinstance(data, bytes):
            data = _parse_jwk(data)
        return _import(form, data, kind, is_extractable, wanted)

    @js_method
    def timingSafeEqual(self, a: Any = MISSING, b: Any = MISSING) -> bool:
        """``timingSafeEqual(a, b)``: compare buffers of one length in a time that does not tell where they differ.

        Raises:
            JsException: TypeError, at once.
        """
        for position, each in ((1, a), (2, b)):
            if not isinstance(each, JsBuffer):
                raise argument_error("SubtleCrypto", "timingSafeEqual", position, "JsBufferSource")
        if len(a.view) != len(b.view):
            raise type_error("Input buffers must have the same byte length.")
        return hmac.compare_digest(bytes(a.view), bytes(b.view))


def _import(
    format: str, data: bytes | JsonWebKey, algorithm: ImportKeyAlgorithm, extractable: bool, usages: list[str]
) -> CryptoKey:
    if format in _BUFFER_FORMATS:
        if isinstance(data, JsonWebKey):
            raise type_error(
                'Import data provided for "raw", "pkcs8", or "spki" import formats must be a buffer source.'
            )
    elif format == "jwk":
        if not isinstance(data, JsonWebKey):
            raise type_error('Import data provided for "jwk" import format must be a JsonWebKey.')
        if data.ext is False and extractable:
            raise dom_exception(
                "DataError", f'JWK ext field for "{algorithm.name}" is set to false but extractable is true'
            )
    else:
        raise not_supported(f'Unrecognized key import format "{format}".')
    family = find_family(algorithm.name)
    if family is None:
        raise not_supported(f'Unrecognized key import algorithm "{algorithm.name}" requested.')
    key = family.import_key(family.name, format, data, algorithm, extractable, usages)
    if key.material.type != "public" and not key.access.usages:
        raise dom_exception("SyntaxError", _NO_USAGE)
    return key


async def _derive(base: CryptoKey, algorithm: DeriveKeyAlgorithm, length: int | None) -> bytes:
    material = base.material
    is_slow = (algorithm.iterations or 0) > SLOW_ITERATIONS and material.name == "PBKDF2"
    derived: bytes = await _run(lambda: material.derive_bits(algorithm, length), is_slow=is_slow)
    return derived


async def _run(function: Callable[[], T], *, is_slow: bool) -> T:
    return await asyncio.to_thread(function) if is_slow else function()


def _key_length(derived: ImportKeyAlgorithm) -> int | None:
    """Return how many bits a derived key needs; None takes all there are."""
    name = derived.name.upper()
    if name in ("AES-CTR", "AES-CBC", "AES-GCM", "AES-KW"):
        if derived.length is None:
            raise type_error('Missing field "length" in "derivedKeyParams".')
        if derived.length not in (128, 192, 256):
            raise operation_error(
                f"Derived AES key must be 128, 192, or 256 bits in length but provided {derived.length}."
            )
        return derived.length
    if name == "HMAC":
        return _hmac_length(derived)
    if name not in ("HKDF", "PBKDF2"):
        raise not_supported(f'Unrecognized derived key type "{derived.name}" requested.')
    return None


def _hmac_length(derived: ImportKeyAlgorithm) -> int:
    if derived.length is not None:
        if derived.length <= 0:
            raise type_error("HMAC key length must be a non-zero unsigned long integer.")
        return derived.length
    if derived.hash is None:
        raise type_error('Missing field "hash" in "derivedKeyParams".')
    return block_bits(digest_name(derived.hash.name))


def _parse_jwk(data: bytes) -> JsonWebKey:
    value = parse(text_of(data))
    if not is_object(value):
        raise dom_exception("DataError", 'Missing "kty" field or corrupt JSON unwrapping key?')
    return read_json_web_key(value)


def _no_private_usage() -> Exception:
    return dom_exception("SyntaxError", "Attempt to generate asymmetric keys with no valid private key usages.")
