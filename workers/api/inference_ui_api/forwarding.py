"""/stream/* goes to the streaming worker, /live to the analytics worker, by service binding: method, query, headers and
body go there unread, the status, headers and body come back as they are made.
"""

from __future__ import annotations

from typing import Any

import js
from pyodide.ffi import JsException

from workers import Response

from .call import Call, now_ms
from .quotas import give_back_ai_request, reserve_ai_request
from .secrets_text import redact
from .web import HttpError

# Headers that only this worker may set on what it forwards.
INTERNAL_PREFIX = "x-inference-ui-"
TENANT_HEADER = "x-inference-ui-tenant"
MAX_TOKENS_HEADER = "x-inference-ui-max-tokens"
REQUEST_ID_HEADER = "x-inference-ui-request"
# Credentials end here: the streaming worker is told whom it works for and needs no secret.
CREDENTIALS = ("authorization", "x-api-key", "x-inference-key", "cookie")
REAL_TIME = "realTimeAnalytics"
LIVE_PATH = "/live"
CLIENT_ERROR, SERVER_ERROR = 400, 500


async def forward_stream(call: Call) -> Response:
    """Forward a request below `/stream` or `/api/stream`, or to `/ai`.

    Raises:
        HttpError: 429 the month's generations are used up; 503 the streaming worker cannot be reached.
    """
    is_generation = call.method == "POST"
    asked_ms = now_ms()  # what is given back belongs to the month that it was taken from
    if is_generation:
        await reserve_ai_request(call.data, call.identity, now_ms=asked_ms)
    try:
        answered = await _send(call, call.env.STREAMING, "streaming", call.tail or call.url.path)
    except BaseException:
        if is_generation:
            await give_back_ai_request(call.data, now_ms=asked_ms)
        raise
    if is_generation and answered.status >= CLIENT_ERROR:
        call.ctx.waitUntil(give_back_ai_request(call.data, now_ms=asked_ms))
    # A copy, because the headers of a fetched response cannot be added to; the body is the same stream.
    return Response(js.Response.new(answered.js_object.body, answered.js_object))


async def forward_live(call: Call) -> Response:
    """Forward GET /live, figures of the tenant as they change, to the analytics worker.

    Raises:
        HttpError: 403 the tenant's tier does not have it; 503 the analytics worker cannot be reached.
    """
    call.identity.require_feature(REAL_TIME)
    answered = await _send(call, call.env.METRICS, "analytics", LIVE_PATH)
    return Response(js.Response.new(answered.js_object.body, answered.js_object))


async def _send(call: Call, binding: Any, service: str, path: str) -> Response:
    url = call.url._replace(path=path, query=_without_key(call.url.query)).geturl()
    # Made from the request that came, it keeps its method, headers, body and abort signal: a client that leaves is
    # seen in the other worker too.
    forwarded = js.Request.new(url, call.request.js_object)
    for name in [name for name, _ in forwarded.headers if name.startswith(INTERNAL_PREFIX) or name in CREDENTIALS]:
        forwarded.headers.delete(name)
    forwarded.headers.set(TENANT_HEADER, call.tenant_id)
    forwarded.headers.set(MAX_TOKENS_HEADER, str(call.identity.tier.max_tokens))
    forwarded.headers.set(REQUEST_ID_HEADER, call.request_id)
    try:
        answered: Response = await binding.fetch(forwarded, signal=forwarded.signal)
    except (JsException, OSError) as error:
        raise _unavailable(service, str(error)) from error
    if answered.status >= SERVER_ERROR and not _is_json(answered):
        raise _unavailable(service, await answered.text())  # not the worker's words: it speaks JSON
    return answered


def _without_key(query: str) -> str:
    return "&".join(part for part in query.split("&") if not part.startswith("api_key="))


def _is_json(response: Response) -> bool:
    return str(response.js_object.headers.get("content-type")).startswith("application/json")


def _unavailable(service: str, why: str) -> HttpError:
    print(f"{service}: {redact(why)}")  # for the worker's log
    return HttpError(503, f"The {service} service is unavailable", headers={"retry-after": "1"})
