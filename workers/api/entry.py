"""inference-ui-api: what the clients of Inference UI call."""

from typing import Any

from inference_ui_api.app import answer, tidy_up

from workers import Request, Response


async def fetch(request: Request, env: Any, ctx: Any) -> Response:
    return await answer(request, env, ctx)


async def scheduled(_controller: Any, env: Any, _ctx: Any) -> None:
    await tidy_up(env)
