"""Cached results, and how they become invalid.

A result bears the version of its tenant's data. Whoever stores or deletes events writes a new grant into `usage` in
the same transaction (the API worker and the events worker do), and a conversion raises `analytics_versions`: with
either of them the next call computes anew. What depends on a definition has the definition in its key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from .arguments import Arguments
from .attribution import RAISE_VERSION
from .tenancy import TenantData

# How long results are kept at most, in seconds.
TTLS_S: Final[Mapping[str, int]] = {
    "events": 300,
    "flow": 600,
    "sessions": 600,
    "component": 900,
    "trend": 900,
    "funnel": 600,
    "cohort": 3600,
    "attribution": 1800,
    "conversions": 1800,
    "paths": 1800,
    "streaming": 60,
}
_VERSION: Final = "SELECT version FROM analytics_versions WHERE tenant_id = ?1"
_GRANTS: Final = "SELECT month, grant_id FROM usage WHERE tenant_id = ?1 ORDER BY month DESC LIMIT 2"


async def data_version(data: TenantData) -> list[Any]:
    """Return a JSON value that changes whenever the tenant's events or conversions do."""
    (versions, _), (grants, _) = await data.transaction([(_VERSION, ()), (_GRANTS, ())])
    return [versions[0]["version"] if versions else 0, *([row["month"], row["grant_id"]] for row in grants)]


async def invalidate(data: TenantData) -> None:
    """Let nothing that is cached for the tenant be used again."""
    await data.change(RAISE_VERSION)


async def through_cache(
    data: TenantData,
    name: str,
    arguments: Arguments,
    compute: Callable[[], Awaitable[Any]],
    *,
    material: Any = None,
) -> tuple[Any, bool]:
    """Return a result, and whether it came from the cache. A cache that fails costs time only.

    Args:
        name: one of TTLS_S.
        material: what the result depends on beside the arguments and the data, as a JSON value.
    """
    key = [await data_version(data), arguments.as_json(), material]
    try:
        kept = await data.cached(name, key)
    except Exception as error:
        print(f"cache: not read: {error}")  # for the worker's log
        kept = None
    if kept is not None:
        return kept, True
    result = await compute()
    try:
        await data.cache(name, key, result, ttl_s=TTLS_S[name])
    except Exception as error:
        print(f"cache: not written: {error}")
    return result, False
