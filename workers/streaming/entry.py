"""inference-ui-streaming: chat, completions and objects from Workers AI, as server-sent events."""

from typing import Any

from inference_ui_streaming.app import answer

from workers import Request, Response


async def fetch(request: Request, env: Any, ctx: Any) -> Response:
    return await answer(request, env, ctx)
