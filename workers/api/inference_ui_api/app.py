"""Routes of the API worker."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from workers import Request, Response

from .assets import delete_asset, download, get_asset, list_assets, put_asset, sign_asset
from .call import Call, now_ms
from .events_http import post_events
from .forwarding import forward_live, forward_stream
from .health import get_health
from .identity import NOBODY, identify
from .ids import new_id
from .index import get_index
from .limits import delete_old_counts
from .reports_http import download_report
from .routing import Access, Route, Router
from .secrets_text import redact
from .sessions_http import delete_old_sessions, log_in, log_out, refresh
from .web import HttpError, header, preflight, with_cors

METHODS: Final = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
# Paths with the version before them are the same routes: a breaking change gets a new version beside this one.
VERSION_PREFIX: Final = "/v1/"
_REQUEST_ID: Final = re.compile(r"[\w.-]{1,64}")


async def _graphql(call: Call) -> Response:
    from .graphql_http import answer_graphql  # graphql-core takes 100 ms to import: only who needs it waits for it

    return await answer_graphql(call)


STREAM: Final = Access("stream", "stream")
ASSETS: Final = Access("assets", "assets")
AUTH: Final = Access("auth")
# `/` and `/health` answer 404 to other methods: the published deployment check expects it.
ROUTER: Final[Router[Call, Response]] = Router(
    [
        Route(["/"], {"GET": get_index}, is_hidden=True),
        Route(["/health"], {"GET": get_health}, is_hidden=True),
        Route(["/graphql", "/api/graphql"], {"GET": _graphql, "POST": _graphql}, access=Access("graphql")),
        Route(["/events", "/api/events", "/events/ingest"], {"POST": post_events}, access=Access("events", "events")),
        Route(["/stream/*", "/api/stream/*"], {"*": forward_stream}, access=STREAM),
        Route(["/ai"], {"POST": forward_stream}, access=STREAM),
        Route(["/live", "/api/live"], {"GET": forward_live}, access=Access("graphql", "read")),
        Route(["/reports/*"], {"GET": download_report}, access=Access("graphql", "read")),
        Route(["/assets"], {"GET": list_assets}, access=ASSETS),
        Route(
            ["/assets/*"],
            {"GET": get_asset, "PUT": put_asset, "DELETE": delete_asset, "POST": sign_asset},
            access=ASSETS,
        ),
        Route(["/download/*"], {"GET": download}, access=Access("downloads")),
        Route(["/auth/login"], {"POST": log_in}, access=AUTH),
        Route(["/auth/refresh"], {"POST": refresh}, access=AUTH),
        Route(["/auth/logout"], {"POST": log_out}, access=AUTH),
    ]
)


async def answer(request: Request, env: Any, ctx: Any) -> Response:
    """Answer one request; every answer can be read by a page of any origin."""
    method = str(request.js_object.method)
    fields = {"x-request-id": _request_id(request)}
    if method == "OPTIONS":
        return _with_headers(preflight(request, METHODS), fields)
    try:
        response = await _route(method, request, env, ctx, fields)
    except HttpError as error:
        response = error.response()
    except Exception as error:
        response = _internal_error(error, env, fields["x-request-id"]).response()
    return with_cors(_with_headers(_without_body(response) if method == "HEAD" else response, fields))


async def tidy_up(env: Any) -> None:
    """Forget what is over; cron calls this."""
    now = now_ms()
    await delete_old_counts(env.DB, now_ms=now)
    await delete_old_sessions(env.DB, now_ms=now)


async def _route(method: str, request: Request, env: Any, ctx: Any, fields: dict[str, str]) -> Response:
    url = urlsplit(request.url)
    if f"{url.path}/".startswith(VERSION_PREFIX):
        url = url._replace(path=url.path[len(VERSION_PREFIX) - 1 :] or "/")
    match = ROUTER.find(method, url.path)
    identity = NOBODY
    if match.access is not None:
        identity, counted = await identify(request, url, env, ctx, route=match.access.kind, now_ms=now_ms())
        fields.update(counted)
        if match.access.scope is not None:
            identity.require(match.access.scope)
    return await match.handler(Call(request, env, ctx, url, match.tail, fields["x-request-id"], identity))


def _internal_error(error: Exception, env: Any, request_id: str) -> HttpError:
    """Log an error, without secrets. A client learns nothing of the inside, unless the worker is being developed."""
    text = redact("".join(traceback.format_exception(error)))
    print(f"request {request_id}: {text}")
    details = {"detail": text} if getattr(env, "ENVIRONMENT", "production") == "development" else None
    return HttpError(500, "Internal server error", code="INTERNAL_SERVER_ERROR", details=details)


def _request_id(request: Request) -> str:
    """Return the platform's name for the request, or one of our own."""
    sent = header(request, "cf-ray")
    return sent if sent is not None and _REQUEST_ID.fullmatch(sent) else new_id()


def _with_headers(response: Response, fields: Mapping[str, str]) -> Response:
    headers = response.js_object.headers
    for name, value in fields.items():
        if not headers.has(name):
            headers.set(name, value)
    return response


def _without_body(response: Response) -> Response:
    return Response(None, status=response.status, headers=response.js_object.headers)
