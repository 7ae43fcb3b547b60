"""Routes of the API worker."""

from __future__ import annotations

import traceback
from typing import Any
from urllib.parse import urlsplit

from workers import Request, Response

from .call import Call
from .events_http import post_events
from .forwarding import forward_stream
from .health import get_health
from .index import get_index
from .routing import Route, Router
from .web import HttpError, preflight, with_cors

METHODS = "GET, POST, OPTIONS"


async def _graphql(call: Call) -> Response:
    from .graphql_http import answer_graphql  # graphql-core takes 100 ms to import: only who needs it waits for it

    return await answer_graphql(call)


# `/` and `/health` answer 404 to other methods: the published deployment check expects it.
ROUTER: Router[Call, Response] = Router(
    [
        Route(["/"], {"GET": get_index}, is_hidden=True),
        Route(["/health"], {"GET": get_health}, is_hidden=True),
        Route(["/graphql", "/api/graphql"], {"GET": _graphql, "POST": _graphql}),
        Route(["/events", "/api/events", "/events/ingest"], {"POST": post_events}),
        Route(["/stream/*", "/api/stream/*"], {"*": forward_stream}),
    ]
)


async def answer(request: Request, env: Any, ctx: Any) -> Response:
    """Answer one request; every answer can be read by a page of any origin."""
    method = str(request.js_object.method)
    if method == "OPTIONS":
        return preflight(request, METHODS)
    try:
        response = await _route(method, request, env, ctx)
    except HttpError as error:
        response = error.response()
    except Exception:
        traceback.print_exc()  # for the worker's log; a client learns nothing of the inside
        response = HttpError(500, "Internal server error").response()
    return with_cors(_without_body(response) if method == "HEAD" else response)


async def _route(method: str, request: Request, env: Any, ctx: Any) -> Response:
    url = urlsplit(request.url)
    match = ROUTER.find(method, url.path)
    return await match.handler(Call(request, env, ctx, url, match.tail))


def _without_body(response: Response) -> Response:
    return Response(None, status=response.status, headers=response.js_object.headers)
