"""What can be asked, by name: the same figures whether over RPC, in a report, or by the general `getAnalytics`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from . import attribution, metrics
from .arguments import Arguments
from .cohorts import cohort_retention, read_period
from .definitions import find_defined, stored_criteria
from .funnels import MAX_WINDOW_MS, analyze
from .periods import HOUR_MS
from .streaming_metrics import streaming_metrics
from .tenancy import TenantData
from .versions import through_cache

Query = Callable[[TenantData, Arguments], Awaitable[Any]]

PLAIN: Final[Mapping[str, Query]] = {
    "events": metrics.event_metrics,
    "sessions": metrics.session_metrics,
    "flow": metrics.flow_metrics,
    "component": metrics.component_analytics,
    "trend": metrics.trend_analysis,
    "attribution": attribution.attribution_analysis,
    "conversions": attribution.conversion_summary,
    "paths": attribution.top_converting_paths,
    "streaming": streaming_metrics,
}
NAMES: Final = (*PLAIN, "funnel", "cohort")


async def ask(data: TenantData, name: str, arguments: Arguments, *, now_ms: int) -> tuple[Any, bool]:
    """Return the answer to one of NAMES, and whether it came from the cache.

    Raises:
        BadArgument: see each of them.
        NotFound: the tenant has no such funnel or cohort.
    """
    if name == "funnel":
        return await _funnel(data, arguments)
    if name == "cohort":
        return await _cohort(data, arguments, now_ms=now_ms)
    query = PLAIN[name]
    # Names of a flow's steps come from its definition.
    material = await _flow_steps(data, arguments) if name == "flow" else None
    return await through_cache(data, name, arguments, lambda: query(data, arguments), material=material)


async def _funnel(data: TenantData, arguments: Arguments) -> tuple[Any, bool]:
    funnel = await find_defined(data, "funnels", arguments.text("funnelId"))
    time_range = arguments.time_range()
    window_ms = arguments.integer("windowMs", 0, lowest=1, highest=MAX_WINDOW_MS) if arguments.has("windowMs") else None
    material = [funnel["name"], funnel["steps"]]
    return await through_cache(
        data, "funnel", arguments, lambda: analyze(data, funnel, time_range, window_ms=window_ms), material=material
    )


async def _cohort(data: TenantData, arguments: Arguments, *, now_ms: int) -> tuple[Any, bool]:
    cohort = await find_defined(data, "cohorts", arguments.text("cohortId"))
    period, max_periods = read_period(arguments)
    criteria = stored_criteria(cohort)

    async def compute() -> Any:
        return await cohort_retention(data, cohort, criteria, period=period, max_periods=max_periods, now_ms=now_ms)

    # A period begins with time alone: results do not outlive the hour.
    material = [cohort["name"], cohort["criteria"], now_ms // HOUR_MS]
    return await through_cache(data, "cohort", arguments, compute, material=material)


async def _flow_steps(data: TenantData, arguments: Arguments) -> Any:
    row = await data.row("SELECT steps FROM flows WHERE tenant_id = ?1 AND id = ?2", arguments.text("flowId"))
    return row and row["steps"]
