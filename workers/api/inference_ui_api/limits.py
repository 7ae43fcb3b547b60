"""How often a caller may call: requests in fixed windows, counted in D1, where counting is atomic.

KV cannot count (two writers overwrite each other), and the platform's own rate limiter does not say what is left, which
the `RateLimit` header has to. A request's count is one statement of the batch that looks up its credentials.

Source: draft-ietf-httpapi-ratelimit-headers-10
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from .d1 import run_batch
from .migrations import ensure_schema
from .web import HttpError

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
# Wrong keys that an address may send in a minute; then it is not listened to until the minute is over.
MAX_GUESSES: Final = 20
ADDRESSES_KEPT: Final = 1024
MAX_LOGINS: Final = 10  # wrong passwords for one account in a minute

COUNT_ON_CONFLICT: Final = """ON CONFLICT (bucket) DO UPDATE SET
  count = iif(window_start_ms = excluded.window_start_ms, count + 1, 1), window_start_ms = excluded.window_start_ms
RETURNING count"""
_COUNT: Final = "INSERT INTO rate_limits (bucket, window_start_ms, count) VALUES (?1, ?2, 1) " + COUNT_ON_CONFLICT  # noqa: S608
READ_COUNT: Final = "SELECT count FROM rate_limits WHERE bucket = ?1 AND window_start_ms = ?2"
_DELETE_OLD: Final = "DELETE FROM rate_limits WHERE window_start_ms < ?1"


@dataclass(frozen=True, slots=True)
class Policy:
    """So many requests in so much time.

    Attributes:
        name: in headers and in the counter's key.
    """

    name: str
    limit: int
    window_ms: int = MINUTE_MS

    def window_start_ms(self, now_ms: int) -> int:
        """Return when the current window began."""
        return now_ms - now_ms % self.window_ms

    def headers(self, count: int, now_ms: int) -> dict[str, str]:
        """Return the headers that say what is left after ``count`` requests."""
        return {
            "ratelimit-policy": f'"{self.name}";q={self.limit};w={self.window_ms // 1000}',
            "ratelimit": f'"{self.name}";r={max(0, self.limit - count)};t={self.left_s(now_ms)}',
        }

    def left_s(self, now_ms: int) -> int:
        """Return how long the window goes on, in whole seconds, at least 1."""
        return max(1, -(-(self.window_start_ms(now_ms) + self.window_ms - now_ms) // 1000))

    def check(self, count: int, now_ms: int) -> None:
        """Refuse a request that is one too many.

        Raises:
            HttpError: 429.
        """
        if count > self.limit:
            wait_s = self.left_s(now_ms)
            raise HttpError(
                429,
                f"Too many requests: at most {self.limit} in {self.window_ms // 1000} s. Try again in {wait_s} s.",
                code="RATE_LIMITED",
                details={"retryAfter": wait_s},
                headers={**self.headers(count, now_ms), "retry-after": str(wait_s)},
            )


# For callers without credentials, each address and kind of route.
ANONYMOUS: Final[Mapping[str, tuple[Policy, ...]]] = {
    "graphql": (Policy("anonymous", 120),),
    "events": (Policy("anonymous", 600),),
    "stream": (Policy("anonymous", 30), Policy("anonymous-day", 500, DAY_MS)),
    "assets": (Policy("anonymous", 60),),
    "downloads": (Policy("anonymous", 600),),
    "auth": (Policy("anonymous", 30),),
}
GUESSES: Final = Policy("guesses", MAX_GUESSES)
LOGINS: Final = Policy("logins", MAX_LOGINS)


def anonymous_policies(env: Any, route: str) -> tuple[Policy, ...]:
    """Return the limits for an address; the variable ANONYMOUS_LIMIT_FACTOR multiplies them."""
    factor = int(getattr(env, "ANONYMOUS_LIMIT_FACTOR", 1))
    return tuple(Policy(policy.name, policy.limit * factor, policy.window_ms) for policy in ANONYMOUS[route])


@lru_cache(maxsize=ADDRESSES_KEPT)
def address_bucket(address: str | None) -> str:
    """Return whom an address stands for: of IPv6 its network of 64 bits, which one customer has for himself."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "ip:unknown"
    if ip.version == 4:
        return f"ip:{ip}"
    return f"ip:{ipaddress.ip_network((int(ip), 64), strict=False).network_address}"


async def count_requests(db: Any, bucket: str, policies: tuple[Policy, ...], *, now_ms: int) -> dict[str, str]:
    """Count a request and return its headers, those of the first limit.

    Raises:
        HttpError: 429, it is over one of the limits.
    """
    await ensure_schema(db)
    counting = [(_COUNT, (f"{bucket}:{policy.name}", policy.window_start_ms(now_ms))) for policy in policies]
    counts = [int(rows[0]["count"]) for rows, _ in await run_batch(db, counting)]
    for policy, count in zip(policies, counts, strict=True):
        policy.check(count, now_ms)
    return policies[0].headers(counts[0], now_ms)


async def count_failure(db: Any, bucket: str, policy: Policy, *, now_ms: int) -> None:
    """Count a wrong secret."""
    await ensure_schema(db)
    await db.prepare(_COUNT).bind(f"{bucket}:{policy.name}", policy.window_start_ms(now_ms)).run()


async def check_failures(db: Any, bucket: str, policy: Policy, *, now_ms: int) -> None:
    """Refuse who has sent too many wrong secrets.

    Raises:
        HttpError: 429.
    """
    await ensure_schema(db)
    row = await db.prepare(READ_COUNT).bind(f"{bucket}:{policy.name}", policy.window_start_ms(now_ms)).first()
    policy.check(1 + (0 if row is None else int(row["count"])), now_ms)


async def delete_old_counts(db: Any, *, now_ms: int) -> None:
    """Forget the windows that are over."""
    await ensure_schema(db)
    await db.prepare(_DELETE_OLD).bind(now_ms - DAY_MS).run()
