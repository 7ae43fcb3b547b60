"""Passwords: PBKDF2 by the platform's own cryptography, because Pyodide's hashlib has no slow hash."""

from __future__ import annotations

import base64
import hmac
import os
from typing import Final

import js
from pyodide.ffi import to_js

ITERATIONS: Final = 100_000  # the most that Workers allow
MIN_CHARACTERS, MAX_CHARACTERS = 10, 256
# What a password is compared with where there is no such user: the answer takes as long as for one.
NOBODY: Final = f"pbkdf2-sha256${ITERATIONS}$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


async def hash_password(password: str) -> str:
    """Return `pbkdf2-sha256$<iterations>$<salt>$<hash>`, the last two in base64."""
    salt = os.urandom(16)
    derived = await _derive(password, salt, ITERATIONS)
    return f"pbkdf2-sha256${ITERATIONS}${_text(salt)}${_text(derived)}"


async def is_password(password: str, stored: str | None) -> bool:
    """Tell whether a password is the one that was hashed; as slow for a user that has none."""
    _, iterations, salt, expected = (stored or NOBODY).split("$")
    derived = await _derive(password, base64.b64decode(salt), int(iterations))
    return hmac.compare_digest(derived, base64.b64decode(expected)) and stored is not None


async def _derive(password: str, salt: bytes, iterations: int) -> bytes:
    subtle, usages = js.crypto.subtle, to_js(["deriveBits"])
    key = await subtle.importKey("raw", to_js(password.encode()), "PBKDF2", False, usages)  # noqa: FBT003
    algorithm = to_js(
        {"name": "PBKDF2", "hash": "SHA-256", "salt": to_js(salt), "iterations": iterations},
        dict_converter=js.Object.fromEntries,
    )
    bits = await subtle.deriveBits(algorithm, key, 256)
    return bytes(js.Uint8Array.new(bits).to_bytes())


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
