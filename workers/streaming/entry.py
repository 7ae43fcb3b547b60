"""inference-ui-streaming: chat, completions and objects from Workers AI, as server-sent events."""

from typing import Any

from inference_ui_streaming.app import answer
from inference_ui_streaming.health import read_health

from workers import Request, Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request: Request) -> Response:
        return await answer(request, self.env, self.ctx)

    async def health(self) -> Any:
        # The API worker asks so, that its probes are not among the streams that are counted.
        return await read_health(self.env)
