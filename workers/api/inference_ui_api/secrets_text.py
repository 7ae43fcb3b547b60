"""Secrets as text: API keys and their hashes, and texts with the secrets taken out of them."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from typing import Final

KEY_PATTERN: Final = re.compile(r"sk_(?:live|test)_[A-Za-z0-9]{32}")
PREFIX_CHARACTERS: Final = 16
_KEY_CHARACTERS: Final = 32
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

_SECRETS: Final = (
    (re.compile(r"sk_(live|test)_[A-Za-z0-9]+"), r"sk_\1_[redacted]"),
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*"), "[redacted token]"),
    (re.compile(r"rt_[A-Za-z0-9]{16,}"), "[redacted token]"),
    (re.compile(r"(?i)(bearer|basic)\s+[^\s\"',]+"), r"\1 [redacted]"),
    (
        re.compile(r"(?i)((?:api_key|signature|password|token|secret)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,}]+"),
        r"\1[redacted]",
    ),
)


def new_api_key(*, is_test: bool = False) -> str:
    """Return a fresh API key: 32 characters of 62 kinds, 190 bits."""
    return ("sk_test_" if is_test else "sk_live_") + _random_text(_KEY_CHARACTERS)


def new_refresh_token() -> str:
    """Return a fresh refresh token."""
    return "rt_" + _random_text(48)


def hash_secret(secret: str) -> str:
    """Return the SHA-256 of a secret in hexadecimal. A key has 190 random bits: nothing is gained by a slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_same(left: str, right: str) -> bool:
    """Compare two texts in a time that does not depend on where they differ."""
    return hmac.compare_digest(left.encode(), right.encode())


def redact(text: str) -> str:
    """Return a text for the log: keys, tokens and passwords are taken out."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _random_text(length: int) -> str:
    """Return random characters; bytes that would make some of them likelier are thrown away."""
    characters: list[str] = []
    while len(characters) < length:
        characters += [_ALPHABET[byte % 62] for byte in os.urandom(length) if byte < 248]
    return "".join(characters[:length])
