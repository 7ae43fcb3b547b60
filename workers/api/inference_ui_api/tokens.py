"""Signed texts: the access tokens of sessions (JWT, HS256) and the signatures of download addresses.

Only the standard library is used, and of it only what Pyodide has.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from .web import HttpError

ISSUER: Final = "inference-ui"
MIN_SECRET_CHARACTERS: Final = 32
_HEADER: Final = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()


class BadToken(Exception):
    """A token that is not ours, not valid any more, or no token."""


def signing_secret(env: Any) -> str:
    """Return the secret that tokens are signed with.

    Raises:
        HttpError: 503, it is not configured or too short to be safe.
    """
    secret = getattr(env, "JWT_SECRET", None)
    if not isinstance(secret, str) or len(secret) < MIN_SECRET_CHARACTERS:
        print(f"JWT_SECRET is missing or has less than {MIN_SECRET_CHARACTERS} characters: set it as a secret")
        raise HttpError(503, "Signing in is not configured", code="NOT_CONFIGURED")
    return secret


def encode_token(claims: Mapping[str, Any], secret: str) -> str:
    """Return a JWT of these claims; ``iss`` is added."""
    payload = _encode(json.dumps({"iss": ISSUER, **claims}, separators=(",", ":")).encode())
    return f"{_HEADER}.{payload}.{_sign(f'{_HEADER}.{payload}', secret)}"


def decode_token(token: str, secret: str, *, now_s: float) -> dict[str, Any]:
    """Return a JWT's claims.

    The header is compared whole, so that no other algorithm, such as `none`, is ever taken.

    Raises:
        BadToken: it was not signed here, or is past its time.
    """
    header, _, rest = token.partition(".")
    payload, _, signature = rest.partition(".")
    if header != _HEADER or not hmac.compare_digest(signature.encode(), _sign(f"{header}.{payload}", secret).encode()):
        raise BadToken("the token was not signed here")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if claims["iss"] != ISSUER or claims["exp"] <= now_s:
        raise BadToken("the token has expired")
    return dict(claims)


def sign_text(text: str, secret: str, *, purpose: str) -> str:
    """Return a signature that holds for one purpose only."""
    return _sign(text, f"{purpose}:{secret}")


def _sign(text: str, secret: str) -> str:
    return _encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
