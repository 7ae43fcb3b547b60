"""Fields that the analytics worker answers, by RPC.

Each is a method of its own name, `await env.METRICS.<field>(request)`. `request` is `{"tenantId", "userId", "tier",
"arguments"}`: the identity comes from this worker and is trusted by that one, which has no public address. It answers
`{"data": ...}`, in the shape of the field's type, or `{"error": {"code", "message"}}` for what the client can mend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pyodide.ffi import JsException

from .call import Call
from .secrets_text import redact
from .web import HttpError

if TYPE_CHECKING:
    from graphql import GraphQLResolveInfo

ADVANCED: Final = "advancedAnalytics"


@dataclass(frozen=True, slots=True)
class RemoteField:
    """A field of the analytics worker.

    Attributes:
        feature: what the tenant's tier must include; None for what every tier has.
    """

    scope: str = "read"
    feature: str | None = None


REMOTE_FIELDS: Final[Mapping[str, RemoteField]] = {
    **dict.fromkeys(
        (
            "flowAnalytics",
            "eventMetrics",
            "flowMetrics",
            "sessionMetrics",
            "componentAnalytics",
            "trendAnalysis",
            "attributionModels",
        ),
        RemoteField(),
    ),
    **dict.fromkeys(
        (
            "funnel",
            "userFunnels",
            "analyzeFunnel",
            "funnelInsights",
            "cohort",
            "userCohorts",
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

    async def resolve(_root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        call = info.context
        assert isinstance(call, Call)
        if field.feature is not None:
            _require_feature(call, field.feature)
        return await _ask(call, name, arguments)

    return resolve


def _require_feature(call: Call, feature: str) -> None:
    tier = call.identity.tier
    if feature not in tier.features:
        raise HttpError(
            403,
            f"This feature requires developer tier or higher. Current tier: {tier.name}",
            code="FORBIDDEN",
            details={"currentTier": tier.name, "requiredTier": "developer", "upgradeUrl": "/upgrade"},
        )


async def _ask(call: Call, name: str, arguments: Mapping[str, Any]) -> Any:
    metrics = getattr(call.env, "METRICS", None)
    identity = call.identity
    request = {
        "tenantId": identity.tenant_id,
        "userId": identity.user_id,
        "tier": identity.tier.name,
        "arguments": dict(arguments),
    }
    try:
        if metrics is None:
            raise OSError("METRICS is not bound; see wrangler.toml")
        answered = await getattr(metrics, name)(request)
    except (JsException, OSError) as error:
        print(f"analytics: {name}: {redact(str(error))}")  # for the worker's log
        raise HttpError(503, "The analytics service is unavailable", code="SERVICE_UNAVAILABLE") from error
    problem = answered.get("error")
    if problem is not None:
        raise HttpError(400, str(problem["message"]), code=str(problem["code"]))
    return answered["data"]
