"""What cron does, tenant by tenant: enrich what the queue has missed, summarise, delete what is too old."""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Mapping
from typing import Any, Final

from .enrichment import enrich
from .migrations import ensure_schema
from .periods import DAY_MS, iso
from .summaries import summarise
from .tenancy import TenantData

# Days that events are kept, by tier; see the API worker's tiers.py. Who has no tier is anonymous.
RETENTION_DAYS: Final[Mapping[str, int | None]] = {"free": 7, "developer": 90, "business": 365, "enterprise": None}
ANONYMOUS_DAYS: Final = 7
LOOK_BACK_MS: Final = 2 * DAY_MS
MAX_SWEPT: Final = 1000
MAX_DELETED: Final = 5000  # in one statement; a statement must not take long
MAX_ROUNDS: Final = 20

# The one statement of this worker that is about more than one tenant: whose turn it is.
_TENANTS: Final = """SELECT id, tier FROM tenants UNION ALL
SELECT DISTINCT tenant_id, NULL FROM usage WHERE tenant_id NOT IN (SELECT id FROM tenants)"""
_MISSED: Final = f"""SELECT id FROM events WHERE tenant_id = ?1 AND timestamp_ms >= ?2 AND enriched_at_ms IS NULL
LIMIT {MAX_SWEPT}"""
_DELETE: Final = f"""DELETE FROM events WHERE tenant_id = ?1 AND id IN (SELECT id FROM events
  WHERE tenant_id = ?1 AND timestamp_ms < ?2 ORDER BY timestamp_ms LIMIT {MAX_DELETED})"""
_DELETE_SESSIONS: Final = "DELETE FROM sessions WHERE tenant_id = ?1 AND ended_at_ms < ?2"
_TELL: Final = """UPDATE usage SET grant_id = ?2
WHERE tenant_id = ?1 AND month = (SELECT max(month) FROM usage WHERE tenant_id = ?1)"""


async def maintain(env: Any, *, now_ms: int) -> dict[str, int]:
    """Do all of it; returns `{"tenants", "enriched", "days", "deleted", "failed"}`.

    A tenant whose turn fails does not hold up the next one.
    """
    await ensure_schema(env.DB)
    found = await env.DB.prepare(_TENANTS).all()
    done = {"tenants": 0, "enriched": 0, "days": 0, "deleted": 0, "failed": 0}
    for row in found["results"]:
        done["tenants"] += 1
        try:
            turn = await maintain_tenant(env, TenantData(env, row["id"]), row["tier"], now_ms=now_ms)
        except Exception:
            traceback.print_exc()  # for the worker's log
            done["failed"] += 1
            continue
        for name, count in turn.items():
            done[name] += count
    return done


async def maintain_tenant(env: Any, data: TenantData, tier: str | None, *, now_ms: int) -> dict[str, int]:
    """Do it for one tenant."""
    days = RETENTION_DAYS.get(tier, ANONYMOUS_DAYS) if tier is not None else ANONYMOUS_DAYS
    # Whole days only: a day is in the summaries as a whole, or not touched.
    cut_ms = 0 if days is None else (now_ms // DAY_MS - days) * DAY_MS
    missed = await data.rows(_MISSED, max(cut_ms, now_ms - LOOK_BACK_MS))
    enriched = await enrich(env, data, [row["id"] for row in missed], now_ms=now_ms)
    summarised = await summarise(data, oldest_date=iso(cut_ms)[:10], now_ms=now_ms)
    return {"enriched": enriched, "days": summarised, "deleted": await delete_before(data, cut_ms) if cut_ms else 0}


async def delete_before(data: TenantData, cut_ms: int) -> int:
    """Delete the events and sessions of a tenant that are older; returns how many events."""
    deleted = 0
    for _ in range(MAX_ROUNDS):
        (_, count), _ = await data.transaction([(_DELETE, (cut_ms,)), (_TELL, (str(uuid.uuid4()),))])
        deleted += count
        if count < MAX_DELETED:
            break
    await data.change(_DELETE_SESSIONS, cut_ms)
    return deleted
