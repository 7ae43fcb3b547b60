"""inference-ui-events: events by queue, what they mean, their daily figures, and their end.

Every method takes the tenant first, then an object of arguments; `docs/application.md` lists them with the results.
"""

from typing import Any

from inference_ui_events.consumer import consume
from inference_ui_events.maintenance import maintain
from inference_ui_events.rpc import answered, now_ms
from inference_ui_events.service import Service

from workers import Request, Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, _request: Request) -> Response:
        return Response("inference-ui-events is called over RPC", status=404)

    async def queue(self, batch: Any, _env: Any, _ctx: Any) -> None:
        await consume(batch, self.env)

    async def scheduled(self, _controller: Any, _env: Any, _ctx: Any) -> None:
        done = await maintain(self.env, now_ms=now_ms())
        print(f"cron: {done}")  # for the worker's log

    async def ingestEvents(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("ingest", tenant_id, arguments)

    async def processEvents(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("process", tenant_id, arguments)

    async def enrichEvents(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("enrich", tenant_id, arguments)

    async def classifyEvent(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("classify", tenant_id, arguments)

    async def eventSummaries(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("summaries", tenant_id, arguments)

    async def maintain(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("maintain", tenant_id, arguments)

    async def deadLetters(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("dead_letters", tenant_id, arguments)

    async def retryDeadLetters(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("retry_dead_letters", tenant_id, arguments)

    async def deleteDeadLetters(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("delete_dead_letters", tenant_id, arguments)

    async def pipelineStatus(self, tenant_id: str, arguments: Any = None) -> Any:
        return await self._call("status", tenant_id, arguments)

    async def _call(self, method: str, tenant_id: Any, arguments: Any) -> Any:
        async def call() -> Any:
            return await getattr(Service(self.env, tenant_id, arguments), method)()

        return await answered(call())
