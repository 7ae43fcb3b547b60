"""Fields that other workers answer, by RPC: `await env.METRICS.<method>(tenant_id, arguments)`; `env.EVENTS` likewise.

The tenant comes from the caller's credentials; those workers trust this one, and have no public address. They answer in
the shape of the field's type. A TypeError names a wrong argument, a RangeError what the tenant does not have.
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
EXPORT: Final = "dataExport"
SERVICES: Final[Mapping[str, str]] = {"METRICS": "analytics", "EVENTS": "events"}


@dataclass(frozen=True, slots=True)
class RemoteField:
    """A field of another worker.

    Attributes:
        binding: of that worker.
        feature: what the tenant's tier must include; None for what every tier has.
        method: of the worker, where it is not the field's name.
        takes_tenant: whether the method is about a tenant at all.
    """

    binding: str = "METRICS"
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
    **dict.fromkeys(("reports", "report"), RemoteField(feature=EXPORT)),
    **dict.fromkeys(("createReport", "deleteReport"), RemoteField(scope="write", feature=EXPORT)),
    "eventSummaries": RemoteField(binding="EVENTS"),
    "eventPipeline": RemoteField(binding="EVENTS", method="pipelineStatus"),
    "deadLetters": RemoteField(binding="EVENTS"),
    **dict.fromkeys(("retryDeadLetters", "deleteDeadLetters"), RemoteField(binding="EVENTS", scope="write")),
}


def remote(name: str, field: RemoteField) -> Callable[..., Any]:
    """Return the resolver of a field."""

    async def resolve(_root: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        call = info.context
        assert isinstance(call, Call)
        if field.feature is not None:
            call.identity.require_feature(field.feature)
        return await ask(call, field.binding, field.method or name, *_arguments(call, field, arguments))

    return resolve


def _arguments(call: Call, field: RemoteField, arguments: Mapping[str, Any]) -> tuple[Any, ...]:
    if not field.takes_tenant:
        return ()
    given = dict(arguments.get("input") or arguments)
    if field.scope == "write" and given.get("sessionId") is None:
        given["sessionId"] = header(call.request, "x-session-id")
    return call.tenant_id, given


async def ask(call: Call, binding: str, method: str, *arguments: Any) -> Any:
    """Call a method of another worker.

    Raises:
        HttpError: 400 an argument is wrong; 404 the tenant has no such thing; 503 the worker cannot be reached.
    """
    service = SERVICES[binding]
    worker = getattr(call.env, binding, None)
    try:
        if worker is None:
            raise OSError(f"{binding} is not bound; see wrangler.toml")
        return await getattr(worker, method)(*arguments)
    except (JsException, OSError) as error:
        if _is_for_client(error):
            status = 404 if getattr(error, "name", "") == "RangeError" else 400
            raise HttpError(status, str(getattr(error, "message", error)), code="BAD_USER_INPUT") from error
        print(f"{service}: {method}: {redact(str(error))}")  # for the worker's log
        raise HttpError(503, f"The {service} service is unavailable", code="SERVICE_UNAVAILABLE") from error


def _is_for_client(error: Exception) -> bool:
    name = getattr(error, "name", "")
    return name == "RangeError" or (name == "TypeError" and "RPC receiver" not in str(error))
