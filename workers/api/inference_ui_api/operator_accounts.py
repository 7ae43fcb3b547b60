"""Tenants as their operator sees them: the statements here are of all tenants, and need the scope `operator`."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

from pyodide.ffi import JsException

from .accounts import MAX_NAME_CHARACTERS, BadAccount, account_error, add_user_statement
from .event_queries import check_page
from .flow_store import iso
from .identity import SCOPES
from .migrations import ensure_schema
from .secrets_text import PREFIX_CHARACTERS, hash_secret, new_api_key
from .tiers import TIERS

_COLUMNS: Final = "id, name, tier, created_at_ms"
_LIST: Final = f"SELECT {_COLUMNS} FROM tenants ORDER BY created_at_ms, id LIMIT ?1 OFFSET ?2"  # noqa: S608
_ADD: Final = "INSERT INTO tenants (id, name, tier, created_at_ms, updated_at_ms) VALUES (?1, ?2, ?3, ?4, ?4)"
_UPDATE: Final = f"""UPDATE tenants SET name = coalesce(?2, name), tier = coalesce(?3, tier), updated_at_ms = ?4
WHERE id = ?1 RETURNING {_COLUMNS}"""  # noqa: S608
_ADD_KEY: Final = """INSERT INTO api_keys (id, tenant_id, user_id, key_hash, key_prefix, name, scopes, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"""


async def list_tenants(db: Any, *, limit: int, offset: int) -> list[dict[str, Any]]:
    """Return the tenants, the oldest first."""
    check_page(limit, offset)
    await ensure_schema(db)
    found = await db.prepare(_LIST).bind(limit, offset).all()
    return [_tenant(row) for row in found["results"]]


async def create_tenant(
    db: Any, *, name: str, email: str, password: str | None, tier: str, now_ms: int
) -> dict[str, Any]:
    """Make a tenant, its first user and that user's key, which can be read this once only.

    Raises:
        BadAccount: a name, address, password or tier that cannot be.
    """
    _check(name, tier)
    await ensure_schema(db)
    tenant_id, key = str(uuid.uuid4()), new_api_key()
    user_id, (add_user, values) = await add_user_statement(email, password, SCOPES, now_ms=now_ms)
    key_values = (hash_secret(key), key[:PREFIX_CHARACTERS], "first key", json.dumps(SCOPES), now_ms)
    try:
        await db.batch(
            [
                db.prepare(_ADD).bind(tenant_id, name, tier, now_ms),
                db.prepare(add_user).bind(tenant_id, *values),
                db.prepare(_ADD_KEY).bind(str(uuid.uuid4()), tenant_id, user_id, *key_values),
            ]
        )
    except JsException as error:
        raise account_error(error) from error
    tenant = {"id": tenant_id, "name": name, "tier": tier.upper(), "createdAt": iso(now_ms)}
    return {"tenant": tenant, "userId": user_id, "apiKey": key}


async def update_tenant(db: Any, tenant_id: str, *, name: str | None, tier: str | None, now_ms: int) -> dict[str, Any]:
    """Change a tenant's name or tier; its next request has the new one.

    Raises:
        BadAccount: there is no such tenant or tier.
    """
    _check(name, tier)
    await ensure_schema(db)
    row = await db.prepare(_UPDATE).bind(tenant_id, name, tier, now_ms).first()
    if row is None:
        raise BadAccount(f'there is no tenant "{tenant_id}"')
    return _tenant(row)


def _check(name: str | None, tier: str | None) -> None:
    if name is not None and (not name.strip() or len(name) > MAX_NAME_CHARACTERS):
        raise BadAccount(f"name must have 1 to {MAX_NAME_CHARACTERS} characters")
    if tier is not None and tier not in TIERS:
        raise BadAccount(f"tier must be one of {', '.join(TIERS)}")


def _tenant(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "tier": str(row["tier"]).upper(),
        "createdAt": iso(row["created_at_ms"]),
    }
