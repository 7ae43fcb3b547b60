"""Tenants are kept apart here: the only place of this worker that makes statements and keys of a tenant's data.

What computes gets a `TenantData` and never the database, the KV namespace or the bucket itself, so it cannot name
another tenant: the tenant's id is bound as `?1` of every statement, and stands in every key.

This file is the same in the workers that are called by RPC.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from pyodide.ffi import JsException

from .d1 import run_batch
from .failures import BadArgument, NotReady
from .migrations import ensure_schema

Row = dict[str, Any]
Statement = tuple[str, Sequence[Any]]

MAX_TENANT_CHARACTERS: Final = 256
# A condition on the tenant, or a row's tenant in an INSERT.
_SCOPED: Final = re.compile(r"\btenant_id = \?1\b|\(tenant_id, [^)]*\)\s*(VALUES \(|SELECT )\?1\b", re.DOTALL)


class UnscopedStatement(Exception):
    """A statement that does not say whose data it means: a mistake in this worker."""


def check_tenant(tenant_id: object) -> str:
    """Return a tenant's id.

    Raises:
        BadArgument: it is no text, or too long.
    """
    if not isinstance(tenant_id, str) or not 0 < len(tenant_id) <= MAX_TENANT_CHARACTERS:
        raise BadArgument("tenantId", f"must be a string of 1 to {MAX_TENANT_CHARACTERS} characters")
    return tenant_id


class TenantData:
    """One tenant's rows, cached results and objects.

    Args:
        env: the worker's bindings.
        tenant_id: from the caller's credentials, never from what it asks for.

    Raises:
        BadArgument: the id is no text.
    """

    def __init__(self, env: Any, tenant_id: object) -> None:
        self._env = env
        self.tenant_id: Final = check_tenant(tenant_id)

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
        """Run statements, all or none; returns the rows and the number of changed rows of each.

        Raises:
            NotReady: a table is missing that another worker's migrations make.
        """
        scoped = [self._scoped(sql, values) for sql, values in statements]
        try:
            await ensure_schema(self._env.DB)
            return await run_batch(self._env.DB, scoped)
        except JsException as error:
            if "no such table" in error.message or "no such column" in error.message:
                raise NotReady(f"The database is not ready, apply the migrations of every worker: {error}") from error
            raise

    async def cached(self, name: str, key: Sequence[Any]) -> Any:
        """Return what was kept under a name and a key of JSON values, or None."""
        return await self._env.KV.get(self._cache_key(name, key), type="json")

    async def cache(self, name: str, key: Sequence[Any], value: Any, *, ttl_s: int) -> None:
        """Keep a JSON value; at least 60 seconds, which is the platform's shortest."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        await self._env.KV.put(self._cache_key(name, key), text, expirationTtl=ttl_s)

    async def put_object(self, name: str, body: str, content_type: str) -> None:
        """Store text in the bucket."""
        await self._env.STORAGE.put(self._object_key(name), body, httpMetadata={"contentType": content_type})

    async def get_object(self, name: str) -> Any:
        """Return an object of the bucket, or None."""
        return await self._env.STORAGE.get(self._object_key(name))

    async def delete_object(self, name: str) -> None:
        """Delete an object; nothing where there is none."""
        await self._env.STORAGE.delete(self._object_key(name))

    def _scoped(self, sql: str, values: Sequence[Any]) -> Statement:
        if not _is_scoped(sql):
            raise UnscopedStatement(f"no tenant_id = ?1 in: {sql}")
        return sql, (self.tenant_id, *values)

    def _cache_key(self, name: str, key: Sequence[Any]) -> str:
        # A digest, because a key of KV has at most 512 bytes.
        text = json.dumps([self.tenant_id, name, *key], sort_keys=True, default=str)
        return f"analytics:{name}:{hashlib.sha256(text.encode()).hexdigest()}"

    def _object_key(self, name: str) -> str:
        return f"tenants/{self.tenant_id}/reports/{name}"


@lru_cache(maxsize=256)
def _is_scoped(sql: str) -> bool:
    return _SCOPED.search(sql) is not None
