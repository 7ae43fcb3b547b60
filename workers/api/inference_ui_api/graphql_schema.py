"""The GraphQL schema: its text, and the resolvers put to it. Built once an isolate, when it is first asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType, GraphQLSchema, build_schema

from . import account_resolvers, resolvers
from .graphql_analytics_sdl import ANALYTICS_SDL
from .graphql_sdl import SDL
from .json_literal import use_json_literal
from .long_int import use_long_int
from .remote_resolvers import REMOTE_FIELDS, remote

if TYPE_CHECKING:
    from graphql import GraphQLField, GraphQLResolveInfo

Resolver = Callable[..., Any]

# The resolver of every field, and the scope that a caller needs for it; None: everybody may ask.
_QUERIES: Mapping[str, tuple[Resolver, str | None]] = {
    "version": (resolvers.version, None),
    "health": (resolvers.health, None),
    "events": (resolvers.events, "read"),
    "event": (resolvers.event, "read"),
    "userEvents": (resolvers.user_events, "read"),
    "componentEvents": (resolvers.component_events, "read"),
    "eventCount": (resolvers.event_count, "read"),
    "analytics": (resolvers.analytics, "read"),
    "aiUsage": (resolvers.ai_usage, "read"),
    "flows": (resolvers.flows, "read"),
    "flow": (resolvers.flow, "read"),
    "me": (account_resolvers.me, "read"),
    "usageMetrics": (account_resolvers.usage_metrics, "read"),
    "tierLimits": (account_resolvers.tier_limits, "read"),
    "users": (account_resolvers.users, "admin"),
    "apiKeys": (account_resolvers.api_keys, "admin"),
    "tenants": (account_resolvers.tenants, "operator"),
}
_MUTATIONS: Mapping[str, tuple[Resolver, str | None]] = {
    "trackEvent": (resolvers.track_event, "events"),
    "recordEvents": (resolvers.record_events, "events"),
    "createFlow": (resolvers.create_flow, "write"),
    "updateFlow": (resolvers.update_flow, "write"),
    "deleteFlow": (resolvers.delete_flow, "write"),
    "createApiKey": (account_resolvers.create_api_key, "admin"),
    "revokeApiKey": (account_resolvers.revoke_api_key, "admin"),
    "createUser": (account_resolvers.create_user, "admin"),
    "deleteUser": (account_resolvers.delete_user, "admin"),
    "createTenant": (account_resolvers.create_tenant, "operator"),
    "updateTenant": (account_resolvers.update_tenant, "operator"),
}
# Fields that need no key, besides introspection.
PUBLIC_FIELDS = frozenset(name for name, (_, scope) in _QUERIES.items() if scope is None)


@cache
def api_schema() -> GraphQLSchema:
    """Return the schema."""
    schema = build_schema(SDL + ANALYTICS_SDL)
    use_long_int(schema)
    use_json_literal(schema)
    for type_name, fields in (("Query", _QUERIES), ("Mutation", _MUTATIONS)):
        owner = _object(schema, type_name)
        for field_name, (resolver, scope) in fields.items():
            _set_resolver(owner.fields[field_name], resolver, scope)
    for field_name, remote_field in REMOTE_FIELDS.items():
        owner = _object(schema, "Mutation" if remote_field.scope == "write" else "Query")
        _set_resolver(owner.fields[field_name], remote(field_name, remote_field), remote_field.scope)
    _object(schema, "User").fields["usage"].resolve = account_resolvers.usage
    return schema


def _object(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    found = schema.type_map[name]
    assert isinstance(found, GraphQLObjectType)
    return found


def _set_resolver(field: GraphQLField, resolver: Resolver, scope: str | None) -> None:
    """Let a resolver answer a field, for callers with the scope. An argument that is null is left out: what it is then
    stands in the resolver's signature, for graphql-core puts defaults only where nothing was given.
    """

    async def resolve(root: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        if scope is not None:
            info.context.identity.require(scope)
        given = {name: value for name, value in arguments.items() if value is not None}
        returned = resolver(root, info, **given)
        return await returned if isinstance(returned, Awaitable) else returned

    field.resolve = resolve
