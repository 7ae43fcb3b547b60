"""Routes of the streaming worker: POST /chat, /completion, /object and /ai, GET /health."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pyodide.ffi import create_proxy

from workers import Request, Response

from .cache import cache_key, keep_answer, read_answer
from .edge import answer_task
from .generation import CacheUse, Generation, Settings
from .generation_requests import TOKEN_LIMIT, Endpoint, GenerationRequest, read_request
from .health import read_health
from .protocols import FORMATS, WireFormat, choose_format
from .usage import Caller, record_usage
from .web import HttpError, header, invalid, json_response, preflight, read_json, with_cors

METHODS = "POST, OPTIONS"
ENDPOINTS: Mapping[str, Endpoint] = {"/chat": "chat", "/completion": "completion", "/object": "object"}
MAX_BODY_BYTES = 1_048_576
# Set by the API worker, which takes it off what clients send: whom a generation is for.
TENANT_HEADER = "x-inference-ui-tenant"
MAX_TOKENS_HEADER = "x-inference-ui-max-tokens"
REQUEST_ID_HEADER = "x-inference-ui-request"
ANONYMOUS = "anonymous"
DEFAULT_TIMEOUT_MS = 60_000


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
    if method == "GET" and _is_resumption(request, path):
        return Response(None, status=204)  # a stream that was cut is gone: there is nothing to go on with
    if path == "/ai" and method == "POST":
        body = await read_json(request, max_bytes=MAX_BODY_BYTES)
        return json_response(await answer_task(env.AI, body, token_cap=_caller(request).token_cap))
    if path in ENDPOINTS:
        if method != "POST":
            raise HttpError(405, "Method not allowed. Use POST.", headers={"allow": METHODS})
        return await _generate(ENDPOINTS[path], request, env, ctx)
    if path == "/health" and method in ("GET", "HEAD"):
        return await _health(env)
    raise HttpError(404, f"Not found: {path}. Available endpoints: {', '.join(ENDPOINTS)}")


async def _generate(endpoint: Endpoint, request: Request, env: Any, ctx: Any) -> Response:
    wire = _wire_format(request)
    caller = _caller(request)
    body = await read_json(request, max_bytes=MAX_BODY_BYTES)
    wanted = read_request(endpoint, body, token_cap=caller.token_cap)
    is_cacheable = wanted.is_cacheable and not _refuses_cache(request)
    key = cache_key(caller.tenant_id, wanted) if is_cacheable else None
    kept = None if key is None else await read_answer(env.KV, key)
    cache: CacheUse = "hit" if kept else "miss" if key else "bypass"
    generation = Generation(env.AI, wanted, wire, _settings(env), cache=cache)
    ctx.waitUntil(_record(env, caller, wanted, generation, key if cache == "miss" else None))
    gone = create_proxy(generation.cancel)
    signal = request.js_object.signal
    signal.addEventListener("abort", gone)
    try:
        await generation.start(kept)
    finally:
        signal.removeEventListener("abort", gone)  # from here on it is the body that is cancelled
        gone.destroy()
    headers = {**wire.headers, "x-inference-cache": cache, "x-inference-model": generation.model}
    return Response(generation.body(), status=200, headers=headers)


async def _record(
    env: Any, caller: Caller, request: GenerationRequest, generation: Generation, key: str | None
) -> None:
    outcome = await generation.outcome
    await record_usage(env, caller, request, outcome)
    if key is not None and outcome.result == "done" and generation.answer is not None:
        await keep_answer(env.KV, key, generation.answer)
    generation.release()


def _caller(request: Request) -> Caller:
    cap = header(request, MAX_TOKENS_HEADER)
    return Caller(
        header(request, TENANT_HEADER) or ANONYMOUS,
        header(request, REQUEST_ID_HEADER),
        int(cap) if cap is not None and cap.isdigit() else TOKEN_LIMIT,
    )


def _settings(env: Any) -> Settings:
    timeout_s = int(getattr(env, "AI_TIMEOUT_MS", DEFAULT_TIMEOUT_MS)) / 1000
    return Settings(fallback_model=str(getattr(env, "FALLBACK_MODEL", "")), timeout_s=timeout_s)


def _wire_format(request: Request) -> WireFormat:
    """Return the format that the request asks for.

    Raises:
        HttpError: 400, there is no such format.
    """
    query = parse_qs(urlsplit(request.url).query).get("protocol")
    names = ("x-vercel-ai-ui-message-stream", "x-vercel-ai-data-stream")
    chosen = choose_format(query[0] if query else None, {name: header(request, name) for name in names})
    if chosen is None:
        raise invalid("protocol", f"must be one of {', '.join(FORMATS)}")
    return FORMATS[chosen]()


def _refuses_cache(request: Request) -> bool:
    directives = (header(request, "cache-control") or "").lower()
    return "no-cache" in directives or "no-store" in directives


def _is_resumption(request: Request, path: str) -> bool:
    """Tell whether one of Vercel's clients asks for a stream to go on: at `/chat/<id>/stream`, or with `?chatId=`."""
    is_own_path = path.startswith("/chat/") and path.endswith("/stream") and path.count("/") == 3
    return is_own_path or (path == "/chat" and "chatId=" in urlsplit(request.url).query)


async def _health(env: Any) -> Response:
    body = await read_health(env)
    status = 200 if body["status"] == "healthy" else 503
    return json_response(body, status=status, headers={"cache-control": "no-store"})
