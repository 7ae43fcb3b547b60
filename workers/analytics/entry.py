"""inference-ui-analytics: what tenants' events say. Every method takes the tenant first, then an object of arguments.

`docs/application.md` lists the arguments and results.
"""

from typing import Any

from inference_ui_analytics.attribution import attribution_models
from inference_ui_analytics.http import answer
from inference_ui_analytics.rpc import answered
from inference_ui_analytics.service import Service

from workers import Request, Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request: Request) -> Response:
        return await answer(request, self.env)

    # ---- Metrics

    async def eventMetrics(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._ask("events", tenant_id, arguments)

    async def sessionMetrics(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._ask("sessions", tenant_id, arguments)

    async def flowMetrics(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._ask("flow", tenant_id, arguments)

    async def componentAnalytics(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._ask("component", tenant_id, arguments)

    async def trendAnalysis(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._ask("trend", tenant_id, arguments)

    async def streamingMetrics(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._ask("streaming", tenant_id, arguments)

    async def liveMetrics(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("live", tenant_id, arguments)

    async def getAnalytics(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("analytics", tenant_id, arguments)

    # ---- Funnels

    async def createFunnel(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("create_funnel", tenant_id, arguments)

    async def funnel(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("funnel", tenant_id, arguments)

    async def funnels(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("funnels", tenant_id, arguments)

    async def deleteFunnel(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("delete", tenant_id, arguments, "funnels")

    async def analyzeFunnel(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._ask("funnel", tenant_id, arguments)

    async def funnelInsights(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("insights", tenant_id, arguments)

    # ---- Cohorts

    async def createCohort(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("create_cohort", tenant_id, arguments)

    async def cohort(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("cohort", tenant_id, arguments)

    async def cohorts(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("cohorts", tenant_id, arguments)

    async def deleteCohort(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("delete", tenant_id, arguments, "cohorts")

    async def cohortSize(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("cohort_size", tenant_id, arguments)

    async def cohortRetention(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._ask("cohort", tenant_id, arguments)

    async def compareCohorts(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("compare_cohorts", tenant_id, arguments)

    # ---- Conversions

    async def trackConversion(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("track_conversion", tenant_id, arguments)

    async def attributionAnalysis(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._ask("attribution", tenant_id, arguments)

    async def conversionSummary(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._ask("conversions", tenant_id, arguments)

    async def topConvertingPaths(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._ask("paths", tenant_id, arguments)

    async def attributionModels(self) -> Any:
        return attribution_models()

    # ---- Reports

    async def createReport(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("create_report", tenant_id, arguments)

    async def reports(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("reports", tenant_id, arguments)

    async def report(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("report", tenant_id, arguments)

    async def downloadReport(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("download_report", tenant_id, arguments)

    async def deleteReport(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("delete_report", tenant_id, arguments)

    # ---- Cache

    async def invalidate(self, tenant_id: str) -> Any:
        return await self._call("invalidate", tenant_id, None)

    async def _ask(self, name: str, tenant_id: Any, arguments: Any) -> Any:
        return await self._call("ask", tenant_id, arguments, name)

    async def _call(self, method: str, tenant_id: Any, arguments: Any, *more: str) -> Any:
        async def call() -> Any:
            return await getattr(Service(self.env, tenant_id, arguments), method)(*more)

        return await answered(call())
