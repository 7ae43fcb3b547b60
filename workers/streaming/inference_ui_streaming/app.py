"""Routes of the streaming worker: POST /chat, /completion and /object, GET /health."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pyodide.ffi import create_proxy

from workers import Request, Response

from .generation import HEADERS, Generation, now_ms
from .generation_requests import Endpoint, GenerationRequest, read_request
from .health import check_bindings
from .usage import record_usage
from .web import HttpError, header, json_response, preflight, read_json, with_cors

METHODS = "POST, OPTIONS"
ENDPOINTS: Mapping[str, Endpoint] = {"/chat": "chat", "/completion": "completion", "/object": "object"}
MAX_BODY_BYTES = 1_048_576
# Set by the API worker, which takes it off what clients send: whom a generation is for.
TENANT_HEADER = "x-inference-ui-tenant"
ANONYMOUS = "anonymous"


async def answer(request: Request, env: Any, ctx: Any) -> Response:
    """Answer one request; every answer can be read by a page of any origin."""
    method = str(request.js_object.method)
    if method == "OPTIONS":
        return preflight(request, METHODS)
    try:
        return with_cors(await _route(request, method, env, ctx))
    except HttpError as error:
        return with_cors(error.response())
    except Exception:
        traceback.print_exc()  # for the worker's log; a client learns nothing of the inside
        return with_cors(HttpError(500, "Internal server error").response())


async def _route(request: Request, method: str, env: Any, ctx: Any) -> Response:
    path = urlsplit(request.url).path
    if path in ENDPOINTS:
        if method != "POST":
            raise HttpError(405, "Method not allowed. Use POST.", headers={"allow": METHODS})
        return await _generate(ENDPOINTS[path], request, env, ctx)
    if path == "/health" and method in ("GET", "HEAD"):
        return await _health(env)
    raise HttpError(404, f"Not found: {path}. Available endpoints: {', '.join(ENDPOINTS)}")


async def _generate(endpoint: Endpoint, request: Request, env: Any, ctx: Any) -> Response:
    wanted = read_request(endpoint, await read_json(request, max_bytes=MAX_BODY_BYTES))
    generation = Generation(env.AI, wanted)
    tenant_id = header(request, TENANT_HEADER) or ANONYMOUS
    ctx.waitUntil(_record(env, tenant_id, wanted, generation))
    gone = create_proxy(generation.cancel)
    signal = request.js_object.signal
    signal.addEventListener("abort", gone)
    try:
        await generation.start()
    finally:
        signal.removeEventListener("abort", gone)  # from here on it is the body that is cancelled
        gone.destroy()
    return Response(generation.body(), status=200, headers=HEADERS)


async def _record(env: Any, tenant_id: str, request: GenerationRequest, generation: Generation) -> None:
    outcome = await generation.outcome
    await record_usage(env, tenant_id, request, outcome)
    generation.release()


async def _health(env: Any) -> Response:
    checks = await check_bindings(env)
    is_healthy = all(check["ok"] for check in checks.values())
    body = {
        "status": "healthy" if is_healthy else "unhealthy",
        "worker": "streaming",
        "timestamp": now_ms(),
        "checks": checks,
    }
    return json_response(body, status=200 if is_healthy else 503, headers={"cache-control": "no-store"})
