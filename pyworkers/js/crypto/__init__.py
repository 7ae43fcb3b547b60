"""``crypto``: random values, digests and ``crypto.subtle``.

One module an algorithm family; each holds what its keys do (`keys.Material`) and how they are made. `subtle` reads
arguments (`arguments`) and finds the family by name. The package `cryptography` is imported with the first key that
needs it; digests, HMAC and PBKDF2 are the standard library's.

Source: w3c.github.io/webcrypto; texts: workerd, src/workerd/api/crypto; recorded, tests/contract/recordings/own/crypto
"""

from pyworkers.js.crypto.crypto import Crypto

__all__ = ["Crypto"]
