"""Tenants are kept apart here: the only place that makes statements and keys of a tenant's data.

A handler gets a `TenantData` and never the database, the KV namespace or the bucket itself (a test holds that), so it
cannot name another tenant: the tenant's id is bound as `?1` of every statement, and stands in front of every key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from .d1 import run_batch
from .migrations import ensure_schema

Row = dict[str, Any]
Statement = tuple[str, Sequence[Any]]

# A condition on the tenant, or a row's tenant in an INSERT.
_SCOPED: Final = re.compile(r"\btenant_id = \?1\b|\(tenant_id, [^)]*\)\s*(VALUES \(|SELECT )\?1\b", re.DOTALL)


class UnscopedStatement(Exception):
    """A statement that does not say whose data it means: a mistake in this worker."""


class TenantData:
    """One tenant's rows and objects.

    Args:
        env: the worker's bindings.
        tenant_id: from the caller's credentials, never from what it asks for.
    """

    def __init__(self, env: Any, tenant_id: str) -> None:
        self._env = env
        self.tenant_id = tenant_id

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        """Return a statement's rows. ``?1`` is the tenant; ``values`` are bound from ``?2`` on."""
        [(rows, _)] = await self.transaction([(sql, values)])
        return rows

    async def row(self, sql: str, *values: Any) -> Row | None:
        """Return a statement's first row, or None."""
        found = await self.rows(sql, *values)
        return found[0] if found else None

    async def change(self, sql: str, *values: Any) -> int:
        """Run a statement; returns how many rows it changed."""
        [(_, changed)] = await self.transaction([(sql, values)])
        return changed

    async def transaction(self, statements: Sequence[Statement]) -> list[tuple[list[Row], int]]:
        """Run statements, all or none; returns the rows and the number of changed rows of each."""
        scoped = [self._scoped(sql, values) for sql, values in statements]
        await ensure_schema(self._env.DB)
        return await run_batch(self._env.DB, scoped)

    def object_key(self, name: str) -> str:
        """Return the key of an object in the bucket."""
        return f"tenants/{self.tenant_id}/assets/{name}"

    @property
    def bucket(self) -> TenantBucket:
        """The tenant's objects."""
        return TenantBucket(self._env.STORAGE, self.object_key(""))

    def _scoped(self, sql: str, values: Sequence[Any]) -> Statement:
        if not _is_scoped(sql):
            raise UnscopedStatement(f"no tenant_id = ?1 in: {sql}")
        return sql, (self.tenant_id, *values)


@lru_cache(maxsize=256)
def _is_scoped(sql: str) -> bool:
    return _SCOPED.search(sql) is not None


class TenantBucket:
    """One tenant's objects in R2, by the names that the tenant gave them."""

    def __init__(self, bucket: Any, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix

    async def get(self, name: str, **options: Any) -> Any:
        """Return an object with its body, without one where a condition failed, or None."""
        return await self._bucket.get(self._prefix + name, **options)

    async def head(self, name: str) -> Any:
        """Return an object without its body, or None."""
        return await self._bucket.head(self._prefix + name)

    async def put(self, name: str, body: Any, **options: Any) -> Any:
        """Store an object."""
        return await self._bucket.put(self._prefix + name, body, **options)

    async def delete(self, name: str) -> None:
        """Delete an object; nothing where there is none."""
        await self._bucket.delete(self._prefix + name)

    async def list(self, prefix: str, *, limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
        """Return objects in the order of their names, and where the next page begins."""
        options: dict[str, Any] = {"prefix": self._prefix + prefix, "limit": limit}
        if cursor is not None:
            options["cursor"] = cursor
        found = await self._bucket.list(**options)
        return list(found.objects), found.cursor if found.truncated else None

    def name(self, key: str) -> str:
        """Return the tenant's name of an object."""
        return key.removeprefix(self._prefix)
