"""What the fields of Query and Mutation do. ``info.context`` is the request's Call, whose tenant is all they see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from . import event_queries, flow_store
from .call import Call, now_ms
from .event_queries import BadArgument, EventQuery, period_start_ms
from .health import check_health
from .index import api_version
from .ingestion import ingest
from .usage_queries import list_model_usage
from .web import header

if TYPE_CHECKING:
    from graphql import GraphQLResolveInfo

    Info: TypeAlias = GraphQLResolveInfo[Any]


def version(_root: Any, info: Info) -> str:
    """`Query.version`."""
    return api_version(_call(info))


async def health(_root: Any, info: Info) -> dict[str, Any]:
    """`Query.health`."""
    found = await check_health(_call(info).env)
    checks = [{"binding": name, **check} for name, check in found["checks"].items()]
    return {"status": found["status"], "timestamp": found["timestamp"], "checks": checks}


async def events(_root: Any, info: Info, *, limit: int = 50, offset: int = 0, **narrowing: Any) -> list[Any]:
    """`Query.events`."""
    call = _call(info)
    query = _query(**narrowing)
    return await event_queries.list_events(call.data, query, limit=limit, offset=offset)


async def event(_root: Any, info: Info, *, id: str) -> Any:  # noqa: A002  # the field's argument
    """`Query.event`."""
    call = _call(info)
    found = await event_queries.list_events(call.data, EventQuery(id=id), limit=1)
    return found[0] if found else None


async def user_events(_root: Any, info: Info, *, userId: str, limit: int = 50) -> list[Any]:
    """`Query.userEvents`."""
    call = _call(info)
    return await event_queries.list_events(call.data, EventQuery(user_id=userId), limit=limit)


async def component_events(_root: Any, info: Info, *, componentId: str, limit: int = 50) -> list[Any]:
    """`Query.componentEvents`."""
    call = _call(info)
    query = EventQuery(component=componentId)
    return await event_queries.list_events(call.data, query, limit=limit)


async def event_count(_root: Any, info: Info, **narrowing: Any) -> int:
    """`Query.eventCount`."""
    call = _call(info)
    return await event_queries.count_events(call.data, _query(**narrowing))


async def analytics(
    _root: Any,
    info: Info,
    *,
    startDate: int,
    endDate: int,
    userId: str | None = None,
    metrics: list[str] | None = None,
    groupBy: str | None = None,
) -> dict[str, Any]:
    """`Query.analytics`."""
    if endDate < startDate:
        raise BadArgument("endDate must not be before startDate")
    call = _call(info)
    query = EventQuery(user_id=userId, from_ms=startDate, to_ms=endDate)
    return await event_queries.measure_events(call.data, query, metrics=metrics, group_by=groupBy)


async def ai_usage(_root: Any, info: Info, *, period: str | None = None) -> list[dict[str, Any]]:
    """`Query.aiUsage`."""
    call = _call(info)
    return await list_model_usage(call.data, from_ms=period_start_ms(period, now_ms()))


async def flows(_root: Any, info: Info, *, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
    """`Query.flows`."""
    call = _call(info)
    return await flow_store.list_flows(call.data, limit=limit, offset=offset)


async def flow(_root: Any, info: Info, *, id: str) -> dict[str, Any] | None:  # noqa: A002
    """`Query.flow`."""
    call = _call(info)
    return await flow_store.get_flow(call.data, id)


async def track_event(_root: Any, info: Info, *, input: dict[str, Any]) -> bool:  # noqa: A002
    """`Mutation.trackEvent`."""
    call = _call(info)
    session = header(call.request, "x-session-id")
    stored = await ingest(call, [input if session is None else {"sessionId": session, **input}])
    if stored["failures"]:
        raise BadArgument(stored["failures"][0]["message"])
    return True


async def record_events(_root: Any, info: Info, *, events: list[dict[str, Any]]) -> dict[str, Any]:
    """`Mutation.recordEvents`."""
    return await ingest(_call(info), events)


async def create_flow(_root: Any, info: Info, *, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    """`Mutation.createFlow`."""
    call = _call(info)
    return await flow_store.create_flow(
        call.data,
        input,
        user_id=call.identity.user_id or call.tenant_id,
        limit=call.identity.tier.max_flows,
        now_ms=now_ms(),
    )


async def update_flow(_root: Any, info: Info, *, id: str, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    """`Mutation.updateFlow`."""
    return await flow_store.update_flow(_call(info).data, id, input, now_ms=now_ms())


async def delete_flow(_root: Any, info: Info, *, id: str) -> dict[str, bool]:  # noqa: A002
    """`Mutation.deleteFlow`."""
    call = _call(info)
    return {"success": await flow_store.delete_flow(call.data, id)}


def _call(info: Info) -> Call:
    call = info.context
    assert isinstance(call, Call)
    return call


def _query(
    *,
    type: str | None = None,  # noqa: A002
    component: str | None = None,
    userId: str | None = None,
    sessionId: str | None = None,
    period: str | None = None,
    filter: dict[str, Any] | None = None,  # noqa: A002
) -> EventQuery:
    """Return the events that the arguments mean; those beside `filter` win over those in it."""
    narrowed = filter or {}
    return EventQuery(
        event=type or narrowed.get("type"),
        component=component or narrowed.get("component"),
        user_id=userId or narrowed.get("userId"),
        session_id=sessionId or narrowed.get("sessionId"),
        from_ms=narrowed.get("from") if period is None else period_start_ms(period, now_ms()),
        to_ms=narrowed.get("to"),
    )
