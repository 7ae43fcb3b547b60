"""Hash algorithms by the names that the platform knows.

Source: workerd, src/workerd/api/crypto/impl.c++, lookupDigestAlgorithm
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pyworkers.js.values import dom_exception, type_error

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm as Hash

    from pyworkers.js.crypto.arguments import HashAlgorithm

# name: hashlib's name, block size in bytes
_DIGESTS: Final = {
    "SHA-1": ("sha1", 64),
    "SHA-256": ("sha256", 64),
    "SHA-384": ("sha384", 128),
    "SHA-512": ("sha512", 128),
    "MD5": ("md5", 64),
}


def digest_name(name: str) -> str:
    """Return a hash's name in the spelling that keys show.

    Raises:
        JsException: NotSupportedError.
    """
    upper = name.upper()
    if upper not in _DIGESTS:
        raise dom_exception("NotSupportedError", "Unrecognized or unimplemented digest algorithm requested.")
    return upper


def required_digest(algorithm: HashAlgorithm | None, place: str = "algorithm") -> str:
    """Return the name of an algorithm's ``hash``.

    Raises:
        JsException: TypeError, when it has none; NotSupportedError.
    """
    if algorithm is None:
        raise type_error(f'Missing field "hash" in "{place}".')
    return digest_name(algorithm.name)


def hashlib_name(name: str) -> str:
    """Return the standard library's name of a hash."""
    return _DIGESTS[name][0]


def block_bits(name: str) -> int:
    """Return a hash's block size."""
    return _DIGESTS[name][1] * 8


def digest_bytes(name: str) -> int:
    """Return the size of a hash's digest."""
    import hashlib

    return hashlib.new(hashlib_name(name), usedforsecurity=False).digest_size


def cryptography_hash(name: str) -> Hash:
    """Return a hash as the package `cryptography` names it."""
    from cryptography.hazmat.primitives import hashes

    table: dict[str, type[Any]] = {
        "SHA-1": hashes.SHA1,
        "SHA-256": hashes.SHA256,
        "SHA-384": hashes.SHA384,
        "SHA-512": hashes.SHA512,
        "MD5": hashes.MD5,
    }
    made: Hash = table[name]()
    return made
