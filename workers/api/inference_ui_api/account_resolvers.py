"""The GraphQL fields of accounts: users, keys, tenants, and what a tenant may use and has used."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

from . import accounts, operator_accounts
from .call import Call, now_ms
from .tiers import FEATURES
from .usage_queries import read_usage, read_usage_metrics

if TYPE_CHECKING:
    from graphql import GraphQLResolveInfo

    Info: TypeAlias = GraphQLResolveInfo[Any]


async def me(_root: Any, info: Info) -> dict[str, Any] | None:
    """`Query.me`."""
    call = _call(info)
    return await accounts.read_me(call.data, call.identity)


async def usage(_user: Any, info: Info) -> dict[str, int]:
    """`User.usage`: the tenant's, so that it is read once a request, however many users there are."""
    call = _call(info)
    if "usage" not in call.shared:
        call.shared["usage"] = asyncio.ensure_future(read_usage(call.data, now_ms=now_ms()))
    found: dict[str, int] = await call.shared["usage"]
    return found


async def users(_root: Any, info: Info) -> list[dict[str, Any]]:
    """`Query.users`."""
    call = _call(info)
    return await accounts.list_users(call.data, call.identity)


async def api_keys(_root: Any, info: Info) -> list[dict[str, Any]]:
    """`Query.apiKeys`."""
    return await accounts.list_keys(_call(info).data)


async def usage_metrics(_root: Any, info: Info) -> dict[str, Any]:
    """`Query.usageMetrics`."""
    call = _call(info)
    return await read_usage_metrics(call.data, call.identity, now_ms=now_ms())


async def tier_limits(_root: Any, info: Info) -> dict[str, Any]:
    """`Query.tierLimits`."""
    tier = _call(info).identity.tier
    return {
        "tier": tier.name.upper(),
        "limits": tier.limits(),
        "features": {feature: feature in tier.features for feature in FEATURES},
        "dataRetentionDays": tier.retention_days,
    }


async def tenants(_root: Any, info: Info, *, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
    """`Query.tenants`."""
    return await operator_accounts.list_tenants(_call(info).env.DB, limit=limit, offset=offset)


async def create_api_key(_root: Any, info: Info, *, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    """`Mutation.createApiKey`."""
    call = _call(info)
    return await accounts.create_key(
        call.data,
        call.identity,
        name=input["name"],
        expires_in_days=input.get("expiresInDays"),
        scopes=input.get("scopes"),
        is_test=bool(input.get("test")),
        now_ms=now_ms(),
    )


async def revoke_api_key(_root: Any, info: Info, *, keyPrefix: str) -> dict[str, bool]:
    """`Mutation.revokeApiKey`."""
    return {"success": await accounts.revoke_key(_call(info).data, keyPrefix, now_ms=now_ms())}


async def create_user(_root: Any, info: Info, *, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    """`Mutation.createUser`."""
    call = _call(info)
    return await accounts.create_user(
        call.data,
        call.identity,
        email=input["email"],
        password=input["password"],
        scopes=input.get("scopes"),
        now_ms=now_ms(),
    )


async def delete_user(_root: Any, info: Info, *, id: str) -> dict[str, bool]:  # noqa: A002
    """`Mutation.deleteUser`."""
    call = _call(info)
    return {"success": await accounts.delete_user(call.data, call.identity, id)}


async def create_tenant(_root: Any, info: Info, *, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    """`Mutation.createTenant`."""
    return await operator_accounts.create_tenant(
        _call(info).env.DB,
        name=input["name"],
        email=input["email"],
        password=input.get("password"),
        tier=(input.get("tier") or "FREE").lower(),
        now_ms=now_ms(),
    )


async def update_tenant(_root: Any, info: Info, *, id: str, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    """`Mutation.updateTenant`."""
    tier = input.get("tier")
    return await operator_accounts.update_tenant(
        _call(info).env.DB,
        id,
        name=input.get("name"),
        tier=None if tier is None else tier.lower(),
        now_ms=now_ms(),
    )


def _call(info: Info) -> Call:
    call = info.context
    assert isinstance(call, Call)
    return call
