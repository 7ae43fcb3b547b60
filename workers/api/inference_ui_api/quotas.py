"""Monthly quotas, atomic: what is asked for is reserved where it fits, and is given back where it was not used.

A reservation is one UPDATE whose condition is the limit, so that two requests at once cannot both take the last place.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from .identity import Identity
from .limits import DAY_MS
from .tenancy import Statement, TenantData
from .web import HttpError

_ADD_MONTH: Final = "INSERT OR IGNORE INTO usage (tenant_id, month, updated_at_ms) VALUES (?1, ?2, ?3)"
_RESERVE_AI: Final = """UPDATE usage SET ai_requests_count = ai_requests_count + 1, updated_at_ms = ?3
WHERE tenant_id = ?1 AND month = ?2 AND (?4 < 0 OR ai_requests_count < ?4)"""
_GIVE_BACK_AI: Final = """UPDATE usage SET ai_requests_count = max(0, ai_requests_count - 1)
WHERE tenant_id = ?1 AND month = ?2"""
_READ_AI: Final = "SELECT ai_requests_count AS current FROM usage WHERE tenant_id = ?1 AND month = ?2"


def month(now_ms: int) -> str:
    """Return the month (UTC) that a time lies in, as `YYYY-MM`."""
    return _month_of_day(now_ms // DAY_MS)


@lru_cache(maxsize=8)
def _month_of_day(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).strftime("%Y-%m")


def quota_exceeded(kind: str, current: int, limit: int, *, now_ms: int) -> HttpError:
    """Return the 429 for a quota that is used up; it ends with the month."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    next_month = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    return HttpError(
        429,
        f"{kind} limit exceeded. Current: {current}, Limit: {limit}. Please upgrade your plan.",
        code="USAGE_LIMIT_EXCEEDED",
        details={
            "type": kind,
            "current": current,
            "limit": limit,
            "tier": "upgrade_required",
            "upgradeUrl": "/upgrade",
        },
        headers={"retry-after": str(max(1, round(next_month.timestamp() - now_ms / 1000)))},
    )


def month_statement(now_ms: int) -> Statement:
    """Return the statement that makes the month's row where there is none."""
    return _ADD_MONTH, (month(now_ms), now_ms)


async def reserve_ai_request(data: TenantData, identity: Identity, *, now_ms: int) -> None:
    """Take one generation of the month's.

    Raises:
        HttpError: 429, there is none left.
    """
    limit = identity.tier.ai_requests_per_month
    _, (_, changed), (rows, _) = await data.transaction(
        [
            month_statement(now_ms),
            (_RESERVE_AI, (month(now_ms), now_ms, limit)),
            (_READ_AI, (month(now_ms),)),
        ]
    )
    if not changed:
        raise quota_exceeded("ai_requests", int(rows[0]["current"]), limit, now_ms=now_ms)


async def give_back_ai_request(data: TenantData, *, now_ms: int) -> None:
    """Give a generation back that never began.

    Args:
        now_ms: when it was reserved.
    """
    await data.change(_GIVE_BACK_AI, month(now_ms))
