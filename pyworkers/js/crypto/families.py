"""Which module makes the keys of which algorithm.

A family's ``import_key`` and ``generate`` have the shapes of `ImportKey` and `Generate`. The modules are imported when
the first key of theirs is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from pyworkers.js.crypto.arguments import GenerateKeyAlgorithm, ImportKeyAlgorithm, JsonWebKey
from pyworkers.js.crypto.keys import CryptoKey

# name, format, data, algorithm, extractable, usages
ImportKey = Callable[[str, str, bytes | JsonWebKey, ImportKeyAlgorithm, bool, list[str]], CryptoKey]
Made = CryptoKey | tuple[CryptoKey, CryptoKey]  # the public key, the private key
# name, algorithm, extractable, usages; checks its arguments, and returns what makes the key
Generate = Callable[[str, GenerateKeyAlgorithm, bool, list[str]], Callable[[], Made]]

_MODULES: Final = {
    "aes": "AES-CTR AES-CBC AES-GCM AES-KW",
    "hmac": "HMAC",
    "derivation": "PBKDF2 HKDF",
    "rsa": "RSASSA-PKCS1-v1_5 RSA-PSS RSA-OAEP",
    "elliptic": "ECDSA ECDH",
    "edwards": "NODE-ED25519 Ed25519 X25519",
}
_ALGORITHMS: Final = {name.lower(): (name, module) for module, names in _MODULES.items() for name in names.split()}


@dataclass(frozen=True, slots=True)
class Family:
    """An algorithm.

    Attributes:
        name: in the platform's spelling.
        generate: None where keys cannot be generated.
    """

    name: str
    import_key: ImportKey
    generate: Generate | None


def find_family(name: str) -> Family | None:
    """Return the algorithm of a name, in any case of letters."""
    found = _ALGORITHMS.get(name.lower())
    if found is None:
        return None
    module: Any = import_module(f"pyworkers.js.crypto.{found[1]}")
    return Family(found[0], module.import_key, getattr(module, "generate", None))
