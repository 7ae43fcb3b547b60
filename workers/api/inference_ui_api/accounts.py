"""A tenant's API keys and users."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from typing import Any, Final

from pyodide.ffi import JsException

from .flow_store import iso
from .identity import OPERATOR, SCOPES, Identity
from .passwords import MAX_CHARACTERS, MIN_CHARACTERS, hash_password
from .secrets_text import PREFIX_CHARACTERS, hash_secret, new_api_key
from .tenancy import Row, Statement, TenantData

MAX_NAME_CHARACTERS: Final = 256
MAX_KEYS: Final = 100
MAX_DAYS: Final = 3650
DAY_MS: Final = 86_400_000
# What a key may do where its maker does not say; managing keys is not among it.
DEFAULT_SCOPES: Final = ("read", "write", "events", "stream", "assets")
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")

_KEYS: Final = """SELECT id, key_prefix, name, scopes, last_used_at_ms, expires_at_ms, revoked_at_ms, created_at_ms
FROM api_keys WHERE tenant_id = ?1 ORDER BY created_at_ms DESC, id"""
_ADD_KEY: Final = """INSERT INTO api_keys (tenant_id, id, user_id, key_hash, key_prefix, name, scopes, expires_at_ms,
  created_at_ms)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
WHERE (SELECT count(*) FROM api_keys WHERE tenant_id = ?1 AND revoked_at_ms IS NULL) < ?10"""
_REVOKE: Final = """UPDATE api_keys SET revoked_at_ms = ?3
WHERE tenant_id = ?1 AND (key_prefix = ?2 OR id = ?2) AND revoked_at_ms IS NULL"""
_ME: Final = """SELECT id, email, scopes, created_at_ms FROM users WHERE tenant_id = ?1 AND id = ?2"""
_USERS: Final = "SELECT id, email, scopes, created_at_ms FROM users WHERE tenant_id = ?1 ORDER BY created_at_ms, id"
_ADD_USER: Final = """INSERT INTO users (tenant_id, id, email, password_hash, scopes, created_at_ms, updated_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)"""
_DELETE_USER: Final = "DELETE FROM users WHERE tenant_id = ?1 AND id = ?2"
_END_SESSION: Final = """UPDATE auth_sessions SET revoked_at_ms = ?3
WHERE tenant_id = ?1 AND id = ?2 AND revoked_at_ms IS NULL"""


class BadAccount(ValueError):
    """A key or user cannot be made; the text is for the client."""


async def list_keys(data: TenantData) -> list[dict[str, Any]]:
    """Return the tenant's keys as GraphQL's type `ApiKey` has them, the newest first, revoked ones too."""
    return [_key(row) for row in await data.rows(_KEYS)]


async def create_key(
    data: TenantData,
    identity: Identity,
    *,
    name: str,
    expires_in_days: int | None,
    scopes: Sequence[str] | None,
    is_test: bool,
    now_ms: int,
) -> dict[str, Any]:
    """Make a key and return it: the only time that it can be read.

    Raises:
        BadAccount: a wrong name, time or scope; a scope that the caller does not have; or too many keys.
    """
    _check_name(name)
    if expires_in_days is not None and not 1 <= expires_in_days <= MAX_DAYS:
        raise BadAccount(f"expiresInDays must be from 1 to {MAX_DAYS}")
    granted = _scopes(scopes, identity)
    key = new_api_key(is_test=is_test)
    key_id, prefix = str(uuid.uuid4()), key[:PREFIX_CHARACTERS]
    expires_at_ms = None if expires_in_days is None else now_ms + expires_in_days * DAY_MS
    scope_text = json.dumps(granted)
    values = (key_id, identity.user_id, hash_secret(key), prefix, name, scope_text, expires_at_ms, now_ms, MAX_KEYS)
    if not await data.change(_ADD_KEY, *values):
        raise BadAccount(f"there are {MAX_KEYS} keys; revoke one first")
    return {
        "id": key_id,
        "apiKey": key,
        "keyPrefix": prefix,
        "name": name,
        "scopes": granted,
        "createdAt": iso(now_ms),
        "expiresAt": _iso(expires_at_ms),
    }


async def revoke_key(data: TenantData, name: str, *, now_ms: int) -> bool:
    """Revoke the key of this prefix or id, from the next request on; tells whether there was one to revoke."""
    return await data.change(_REVOKE, name, now_ms) > 0


async def read_me(data: TenantData, identity: Identity) -> dict[str, Any] | None:
    """Return GraphQL's `User` of the caller, without its usage."""
    row = await data.row(_ME, identity.user_id)
    return None if row is None else {**_user(row), "tier": identity.tier.name.upper()}


async def list_users(data: TenantData, identity: Identity) -> list[dict[str, Any]]:
    """Return the tenant's users."""
    return [{**_user(row), "tier": identity.tier.name.upper()} for row in await data.rows(_USERS)]


async def add_user_statement(
    email: str, password: str | None, scopes: Sequence[str], *, now_ms: int
) -> tuple[str, Statement]:
    """Return a new user's id, and the statement that stores it.

    Raises:
        BadAccount: the address or password is not one.
    """
    if not _EMAIL.fullmatch(email):
        raise BadAccount("email must be an address such as ada@example.com")
    if password is not None and not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise BadAccount(f"password must have {MIN_CHARACTERS} to {MAX_CHARACTERS} characters")
    user_id = str(uuid.uuid4())
    hashed = None if password is None else await hash_password(password)
    return user_id, (_ADD_USER, (user_id, email.lower(), hashed, json.dumps(list(scopes)), now_ms))


async def create_user(
    data: TenantData, identity: Identity, *, email: str, password: str, scopes: Sequence[str] | None, now_ms: int
) -> dict[str, Any]:
    """Make a user who can sign in.

    Raises:
        BadAccount: as `add_user_statement`; or the address has an account.
    """
    granted = _scopes(scopes, identity)
    user_id, (sql, values) = await add_user_statement(email, password, granted, now_ms=now_ms)
    try:
        await data.change(sql, *values)
    except JsException as error:
        raise account_error(error) from error
    user = {"id": user_id, "email": email.lower(), "scopes": granted, "createdAt": iso(now_ms)}
    return {**user, "tier": identity.tier.name.upper()}


async def delete_user(data: TenantData, identity: Identity, user_id: str) -> bool:
    """Delete a user, with its keys and sessions; tells whether the tenant had it.

    Raises:
        BadAccount: it is the caller itself, who would lock the tenant out.
    """
    if user_id == identity.user_id:
        raise BadAccount("you cannot delete yourself")
    return await data.change(_DELETE_USER, user_id) > 0


async def end_session(data: TenantData, session_id: str, *, now_ms: int) -> bool:
    """End a session: its tokens are of no use from the next request on."""
    return await data.change(_END_SESSION, session_id, now_ms) > 0


def account_error(error: JsException) -> Exception:
    """Return what to raise for a statement that failed."""
    if "UNIQUE constraint failed: users.email" in error.message:
        return BadAccount("this email cannot be used")
    known: Exception = error
    return known


def _scopes(scopes: Sequence[str] | None, identity: Identity) -> list[str]:
    """Return the scopes that a caller may give; nobody gives what he does not have."""
    if scopes is None:
        return [scope for scope in DEFAULT_SCOPES if scope in identity.scopes]
    for scope in scopes:
        if scope not in SCOPES and scope != OPERATOR:
            raise BadAccount(f'unknown scope "{scope[:50]}"; known are {", ".join(SCOPES)}')
        if scope not in identity.scopes:
            raise BadAccount(f'you do not have the scope "{scope}" yourself')
    return list(dict.fromkeys(scopes))


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME_CHARACTERS:
        raise BadAccount(f"name must have 1 to {MAX_NAME_CHARACTERS} characters")


def _key(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "keyPrefix": row["key_prefix"],
        "name": row["name"],
        "scopes": json.loads(row["scopes"]),
        "lastUsedAt": _iso(row["last_used_at_ms"]),
        "expiresAt": _iso(row["expires_at_ms"]),
        "revokedAt": _iso(row["revoked_at_ms"]),
        "createdAt": iso(row["created_at_ms"]),
    }


def _user(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "email": row["email"],
        "scopes": json.loads(row["scopes"]),
        "createdAt": iso(row["created_at_ms"]),
    }


def _iso(time_ms: int | None) -> str | None:
    return None if time_ms is None else iso(time_ms)
