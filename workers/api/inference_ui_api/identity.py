"""Who calls: an API key, the session of a signed-in user, or nobody in particular.

Credentials are looked up for every request, in the batch that counts it: a key that is revoked, a session that is
ended and a tier that is changed are so at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import SplitResult, parse_qs

from workers import Request

from .d1 import run_batch
from .limits import (
    COUNT_ON_CONFLICT,
    GUESSES,
    Policy,
    address_bucket,
    anonymous_policies,
    count_failure,
    count_requests,
)
from .migrations import ensure_schema
from .secrets_text import KEY_PATTERN, hash_secret, is_same
from .tiers import ANONYMOUS, ORDER, TIERS, Tier
from .tokens import BadToken, decode_token, signing_secret
from .web import HttpError, header

ANONYMOUS_TENANT: Final = "anonymous"
SCOPES: Final = ("read", "write", "events", "stream", "assets", "admin")
# Not among those that a tenant can give: it manages all tenants.
OPERATOR: Final = "operator"
ANONYMOUS_SCOPES: Final = frozenset({"events", "stream"})
DOCS: Final = "https://inference-ui.dev/docs/authentication"
NOTE_USE_EVERY_MS: Final = 60_000

# One row, also where the credential is unknown: how many wrong ones the address has sent, and what was found.
_GUESSES: Final = "(SELECT count FROM rate_limits WHERE bucket = ?2 AND window_start_ms = ?3) AS guesses"
_KEY: Final = f"""SELECT {_GUESSES}, k.id, k.key_hash, k.tenant_id, k.user_id, k.scopes, k.last_used_at_ms,
  k.expires_at_ms, k.revoked_at_ms, t.tier
FROM (SELECT 1) LEFT JOIN api_keys AS k ON k.key_hash = ?1 LEFT JOIN tenants AS t ON t.id = k.tenant_id"""  # noqa: S608
_COUNT_KEY: Final = f"""INSERT INTO rate_limits (bucket, window_start_ms, count)
SELECT 'key:' || id, ?2, 1 FROM api_keys WHERE key_hash = ?1 {COUNT_ON_CONFLICT}"""  # noqa: S608  # of constants
_SESSION: Final = f"""SELECT {_GUESSES}, s.id, s.tenant_id, s.user_id, u.scopes, s.expires_at_ms, s.revoked_at_ms,
  t.tier
FROM (SELECT 1) LEFT JOIN auth_sessions AS s ON s.id = ?1
  LEFT JOIN users AS u ON u.id = s.user_id AND u.tenant_id = s.tenant_id
  LEFT JOIN tenants AS t ON t.id = s.tenant_id"""  # noqa: S608  # of constants
_COUNT_SESSION: Final = f"""INSERT INTO rate_limits (bucket, window_start_ms, count)
SELECT 'session:' || id, ?2, 1 FROM auth_sessions WHERE id = ?1 {COUNT_ON_CONFLICT}"""  # noqa: S608  # of constants
_NOTE_USE: Final = "UPDATE api_keys SET last_used_at_ms = ?2 WHERE id = ?1"


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller.

    Attributes:
        tenant_id: whose data it reads and writes.
        user_id: who owns the key or has signed in; None for anonymous callers.
        subject_id: of the key or the session.
    """

    kind: Literal["anonymous", "key", "session"]
    tenant_id: str
    tier: Tier
    scopes: frozenset[str]
    user_id: str | None = None
    subject_id: str | None = None

    @property
    def is_anonymous(self) -> bool:
        """Whether no credentials were sent."""
        return self.kind == "anonymous"

    def require(self, scope: str) -> None:
        """Check a scope.

        Raises:
            HttpError: 401 without credentials, 403 with credentials that do not have it.
        """
        if scope in self.scopes:
            return
        if self.is_anonymous:
            raise unauthorized("Valid API key required.")
        what = "API key" if self.kind == "key" else "user"
        raise HttpError(403, f'Forbidden: this {what} does not have the scope "{scope}"', code="FORBIDDEN")

    def require_feature(self, feature: str) -> None:
        """Check what the tenant's tier includes.

        Raises:
            HttpError: 403, it does not.
        """
        if feature in self.tier.features:
            return
        required = next(name for name in ORDER if feature in TIERS[name].features)
        raise HttpError(
            403,
            f"This feature requires {required} tier or higher. Current tier: {self.tier.name}",
            code="FORBIDDEN",
            details={"currentTier": self.tier.name, "requiredTier": required, "upgradeUrl": "/upgrade"},
        )


NOBODY: Final = Identity("anonymous", ANONYMOUS_TENANT, ANONYMOUS, ANONYMOUS_SCOPES)


def unauthorized(why: str) -> HttpError:
    """Return the 401."""
    how = 'Include your API key in the Authorization header: "Bearer sk_xxx"'
    return HttpError(
        401,
        "Unauthorized",
        code="UNAUTHENTICATED",
        details={"message": f"{why} {how}", "docs": DOCS},
        headers={"www-authenticate": 'Bearer realm="Inference UI API"'},
    )


def find_credential(request: Request, url: SplitResult) -> str | None:
    """Return the key or token that was sent: in Authorization, X-API-Key, x-inference-key or `?api_key=`."""
    authorization = header(request, "authorization")
    if authorization is not None:
        scheme, _, credential = authorization.strip().partition(" ")
        if scheme.lower() == "bearer" and credential.strip():
            return credential.strip()
    for name in ("x-api-key", "x-inference-key"):
        value = header(request, name)
        if value:
            return value.strip()
    if "api_key=" not in url.query:
        return None
    return next(iter(parse_qs(url.query).get("api_key", ())), None)


async def identify(
    request: Request, url: SplitResult, env: Any, ctx: Any, *, route: str, now_ms: int
) -> tuple[Identity, dict[str, str]]:
    """Return who calls, and the headers that say how often it may.

    Args:
        route: the kind of route, which has limits of its own for anonymous callers.

    Raises:
        HttpError: 401 wrong credentials; 429 too many requests, or too many wrong credentials.
    """
    credential = find_credential(request, url)
    address = address_bucket(header(request, "cf-connecting-ip"))
    if credential is None:
        policies = anonymous_policies(env, route)
        headers = await count_requests(env.DB, f"{address}:{route}", policies, now_ms=now_ms)
        return NOBODY, headers
    lookup = _lookup(credential, env, now_ms)
    if lookup is None:
        await count_requests(env.DB, address, (GUESSES,), now_ms=now_ms)
        raise unauthorized("The API key or token is not valid.")
    select, count, subject = lookup
    await ensure_schema(env.DB)
    minute_ms = GUESSES.window_start_ms(now_ms)
    ([row], _), (counts, _) = await run_batch(
        env.DB,
        [(select, (subject, f"{address}:{GUESSES.name}", minute_ms)), (count, (subject, minute_ms))],
    )
    GUESSES.check(1 + int(row["guesses"] or 0), now_ms)
    if not _is_valid(row, subject, now_ms):
        await count_failure(env.DB, address, GUESSES, now_ms=now_ms)
        raise unauthorized("The API key or token is not valid.")
    identity = _identity(row)
    policy = Policy("default", identity.tier.requests_per_minute)
    requests = int(counts[0]["count"])
    policy.check(requests, now_ms)
    if identity.kind == "key" and now_ms - (row["last_used_at_ms"] or 0) >= NOTE_USE_EVERY_MS:
        ctx.waitUntil(env.DB.prepare(_NOTE_USE).bind(row["id"], now_ms).run())
    return identity, policy.headers(requests, now_ms)


def _lookup(credential: str, env: Any, now_ms: int) -> tuple[str, str, str] | None:
    """Return the statements that look a credential up and count it, and what they are bound to."""
    if KEY_PATTERN.fullmatch(credential):
        return _KEY, _COUNT_KEY, hash_secret(credential)
    if credential.count(".") != 2:
        return None
    try:
        claims = decode_token(credential, signing_secret(env), now_s=now_ms / 1000)
    except BadToken:
        return None
    return _SESSION, _COUNT_SESSION, str(claims["sid"])


def _is_valid(row: Mapping[str, Any], subject: str, now_ms: int) -> bool:
    """Tell whether a key or session was found, with its user and tenant, and is still good."""
    if row["id"] is None or row["scopes"] is None or row["tier"] is None:
        return False
    if "key_hash" in row and not is_same(row["key_hash"], subject):
        return False
    is_expired = row["expires_at_ms"] is not None and row["expires_at_ms"] <= now_ms
    return row["revoked_at_ms"] is None and not is_expired


def _identity(row: Mapping[str, Any]) -> Identity:
    kind: Literal["key", "session"] = "key" if "key_hash" in row else "session"
    scopes = frozenset(json.loads(row["scopes"]))
    return Identity(kind, row["tenant_id"], TIERS[row["tier"]], scopes, row["user_id"], row["id"])
