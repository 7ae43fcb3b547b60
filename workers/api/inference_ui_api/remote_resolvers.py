"""Fields that the analytics worker answers, by RPC: `await env.METRICS.<method>(tenant_id, arguments)`.

The tenant comes from the caller's credentials; that worker trusts this one, and has no public address. It answers in
the shape of the field's type. A TypeError of it names a wrong argument, a RangeError what the tenant does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pyodide.ffi import JsException

from .call import Call
from .secrets_text import redact
from .web import HttpError, header

if TYPE_CHECKING:
    from graphql import GraphQLResolveInfo

ADVANCED: Final = "advancedAnalytics"


@dataclass(frozen=True, slots=True)
class RemoteField:
    """A field of the analytics worker.

    Attributes:
        feature: what the tenant's tier must include; None for what every tier has.
        method: of the worker, where it is not the field's name.
        takes_tenant: whether the method is about a tenant at all.
    """

    scope: str = "read"
    feature: str | None = None
    method: str | None = None
    takes_tenant: bool = True


REMOTE_FIELDS: Final[Mapping[str, RemoteField]] = {
    **dict.fromkeys(
        (
            "eventMetrics",
            "flowMetrics",
            "sessionMetrics",
            "componentAnalytics",
            "trendAnalysis",
        ),
        RemoteField(),
    ),
    "flowAnalytics": RemoteField(method="flowMetrics"),
    "attributionModels": RemoteField(takes_tenant=False),
    "userFunnels": RemoteField(feature=ADVANCED, method="funnels"),
    "userCohorts": RemoteField(feature=ADVANCED, method="cohorts"),
    **dict.fromkeys(
        (
            "funnel",
            "analyzeFunnel",
            "funnelInsights",
            "cohort",
            "cohortSize",
            "cohortRetention",
            "compareCohorts",
            "attributionAnalysis",
            "conversionSummary",
            "topConvertingPaths",
        ),
        RemoteField(feature=ADVANCED),
    ),
    **dict.fromkeys(
        ("createFunnel", "deleteFunnel", "createCohort", "deleteCohort", "trackConversion"),
        RemoteField(scope="write", feature=ADVANCED),
    ),
}


def remote(name: str, field: RemoteField) -> Callable[..., Any]:
    """Return the resolver of a field."""

    async def resolve(_root: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        call = info.context
        assert isinstance(call, Call)
        if field.feature is not None:
            _require_feature(call, field.feature)
        return await _ask(call, field.method or name, _arguments(call, field, arguments))

    return resolve


def _arguments(call: Call, field: RemoteField, arguments: Mapping[str, Any]) -> tuple[Any, ...]:
    if not field.takes_tenant:
        return ()
    given = dict(arguments.get("input") or arguments)
    if field.scope == "write" and given.get("sessionId") is None:
        given["sessionId"] = header(call.request, "x-session-id")
    return call.tenant_id, given


def _require_feature(call: Call, feature: str) -> None:
    tier = call.identity.tier
    if feature not in tier.features:
        raise HttpError(
            403,
            f"This feature requires developer tier or higher. Current tier: {tier.name}",
            code="FORBIDDEN",
            details={"currentTier": tier.name, "requiredTier": "developer", "upgradeUrl": "/upgrade"},
        )


async def _ask(call: Call, method: str, arguments: tuple[Any, ...]) -> Any:
    metrics = getattr(call.env, "METRICS", None)
    try:
        if metrics is None:
            raise OSError("METRICS is not bound; see wrangler.toml")
        return await getattr(metrics, method)(*arguments)
    except (JsException, OSError) as error:
        if _is_for_client(error):
            raise HttpError(400, str(getattr(error, "message", error)), code="BAD_USER_INPUT") from error
        print(f"analytics: {method}: {redact(str(error))}")  # for the worker's log
        raise HttpError(503, "The analytics service is unavailable", code="SERVICE_UNAVAILABLE") from error


def _is_for_client(error: Exception) -> bool:
    name = getattr(error, "name", "")
    return name == "RangeError" or (name == "TypeError" and "RPC receiver" not in str(error))
