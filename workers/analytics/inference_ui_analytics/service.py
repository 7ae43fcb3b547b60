"""What callers can do, as one object a call: RPC methods and the HTTP handler are made of it."""

from __future__ import annotations

from typing import Any, Final

from . import attribution, cohorts, definitions, funnels, live, reports
from .arguments import Arguments
from .periods import iso
from .queries import NAMES, ask
from .rpc import now_ms
from .tenancy import TenantData
from .versions import invalidate


class Service:
    """The calls of one tenant.

    Args:
        env: the worker's bindings.
        tenant_id: whose data it is; the caller has checked that it may.
        arguments: an object, or null.
    """

    def __init__(self, env: Any, tenant_id: object, arguments: object) -> None:
        self._data: Final = TenantData(env, tenant_id)
        self._arguments: Final = Arguments(arguments)

    async def ask(self, name: str) -> Any:
        """Return the answer to one of `queries.NAMES`."""
        answer, _ = await ask(self._data, name, self._arguments, now_ms=now_ms())
        return answer

    async def analytics(self) -> dict[str, Any]:
        """Return `{"data", "cached", "timestamp"}` of the `type`, with the other arguments as they are.

        `startDate` and `endDate` are taken as a range of time too; without any it is the last seven days.
        """
        kind = self._arguments.choice("type", None, tuple(name.upper() for name in [*NAMES, "FLOWS", "COMPONENTS"]))
        name = {"FLOWS": "flow", "COMPONENTS": "component"}.get(kind, kind.lower())
        given = self._arguments.as_json()
        given.pop("type")
        given.update(given.pop("filters", None) or {})
        start, end = given.pop("startDate", None), given.pop("endDate", None)
        if given.get("timeRange") is None:
            latest = now_ms()
            week = Arguments({}).time_range(now_ms=latest)
            given["timeRange"] = {
                "start": week.start_ms if start is None else start,
                "end": latest if end is None else end,
            }
        answer, is_cached = await ask(self._data, name, Arguments(given), now_ms=now_ms())
        return {"data": answer, "cached": is_cached, "timestamp": now_ms()}

    async def live(self) -> dict[str, Any]:
        """Return `live.live_metrics`."""
        return await live.live_metrics(self._data, self._arguments, now_ms=now_ms())

    async def insights(self) -> dict[str, Any]:
        """Return GraphQL's `FunnelInsights`."""
        return funnels.insights(await self.ask("funnel"))

    async def cohort_size(self) -> dict[str, int]:
        """Return GraphQL's `CohortSize`; active are those with an event in `timeRange`, or the last 30 days."""
        cohort = await definitions.find_defined(self._data, "cohorts", self._arguments.text("cohortId"))
        active_in = self._arguments.time_range(now_ms=now_ms(), days=cohorts.ACTIVE_DAYS)
        return await cohorts.cohort_size(self._data, definitions.stored_criteria(cohort), active_in)

    async def compare_cohorts(self) -> dict[str, Any]:
        """Return GraphQL's `CohortComparison` of `cohortIds`."""
        period = self._arguments.choice("periodType", "WEEK", cohorts.PERIOD_TYPES)
        retentions = []
        for cohort_id in cohorts.read_ids(self._arguments):
            given = Arguments({"cohortId": cohort_id, "periodType": period})
            answer, _ = await ask(self._data, "cohort", given, now_ms=now_ms())
            retentions.append(answer)
        return cohorts.compare(retentions)

    async def create_funnel(self) -> dict[str, Any]:
        """See `definitions.create_funnel`."""
        return await definitions.create_funnel(self._data, self._arguments, now_ms=now_ms())

    async def create_cohort(self) -> dict[str, Any]:
        """See `definitions.create_cohort`."""
        return await definitions.create_cohort(self._data, self._arguments, now_ms=now_ms())

    async def funnel(self) -> dict[str, Any] | None:
        """Return a `Funnel` by its `id`, or None."""
        return await self._defined("funnels", definitions.funnel_json)

    async def cohort(self) -> dict[str, Any] | None:
        """Return a `Cohort` by its `id`, or None."""
        return await self._defined("cohorts", definitions.cohort_json)

    async def funnels(self) -> list[dict[str, Any]]:
        """Return the funnels, the newest first."""
        rows = await definitions.list_defined(self._data, "funnels", self._arguments)
        return [definitions.funnel_json(row) for row in rows]

    async def cohorts(self) -> list[dict[str, Any]]:
        """Return the cohorts, the newest first."""
        rows = await definitions.list_defined(self._data, "cohorts", self._arguments)
        return [definitions.cohort_json(row) for row in rows]

    async def delete(self, kind: str) -> bool:
        """Delete a funnel or cohort by its `id`."""
        return await definitions.delete_defined(self._data, kind, self._arguments)

    async def track_conversion(self) -> dict[str, Any]:
        """See `attribution.track_conversion`."""
        return await attribution.track_conversion(self._data, self._arguments, now_ms=now_ms())

    async def create_report(self) -> dict[str, Any]:
        """See `reports.create_report`."""
        return await reports.create_report(self._data, self._arguments, now_ms=now_ms())

    async def reports(self) -> list[dict[str, Any]]:
        """See `reports.list_reports`."""
        return await reports.list_reports(self._data, self._arguments)

    async def report(self) -> dict[str, Any]:
        """See `reports.find_report`."""
        return await reports.find_report(self._data, self._arguments)

    async def download_report(self) -> Any:
        """See `reports.download_report`."""
        return await reports.download_report(self._data, self._arguments)

    async def delete_report(self) -> bool:
        """See `reports.delete_report`."""
        return await reports.delete_report(self._data, self._arguments)

    async def invalidate(self) -> dict[str, str]:
        """Let no cached result of the tenant be used again."""
        await invalidate(self._data)
        return {"invalidatedAt": iso(now_ms())}

    async def _defined(self, kind: str, as_json: Any) -> dict[str, Any] | None:
        row = await self._data.row(definitions.ONE[kind], self._arguments.text("id"))
        return None if row is None else as_json(row)
