"""HTTP, for whoever is bound to this worker: GET /live and GET /health. There is no public route to it."""

from __future__ import annotations

import traceback
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from workers import Request, Response

from .arguments import Arguments
from .failures import BadArgument, NotReady
from .live import LiveStream
from .rpc import now_ms
from .tenancy import TenantData
from .web import HttpError, header, json_response, with_cors

# Set by the API worker, which takes it off what clients send: whose data it is.
TENANT_HEADER: Final = "x-inference-ui-tenant"
MIN_INTERVAL_MS, MAX_INTERVAL_MS, INTERVAL_MS = 100, 60_000, 2000


async def answer(request: Request, env: Any) -> Response:
    """Answer one request."""
    try:
        return with_cors(await _route(request, env))
    except HttpError as error:
        return with_cors(error.response())
    except BadArgument as error:
        return with_cors(HttpError(400, f"Invalid request: {error}", field=error.name).response())
    except NotReady as error:
        print(error)  # for the worker's log
        return with_cors(HttpError(503, "The database is not ready", headers={"retry-after": "5"}).response())
    except Exception:
        traceback.print_exc()
        return with_cors(HttpError(500, "Internal server error").response())


async def _route(request: Request, env: Any) -> Response:
    url = urlsplit(request.url)
    if url.path not in ("/live", "/health"):
        raise HttpError(404, f"Not found: {url.path}. Available endpoints: /live, /health")
    if str(request.js_object.method) not in ("GET", "HEAD"):
        raise HttpError(405, "Method not allowed. Use GET.", headers={"allow": "GET, HEAD"})
    if url.path == "/health":
        return await _health(env)
    tenant_id = header(request, TENANT_HEADER)
    if tenant_id is None:
        raise HttpError(401, "No tenant: this worker is called by the API worker")
    query: dict[str, Any] = {name: _number(value) for name, value in parse_qsl(url.query)}
    arguments = Arguments(query)
    interval_ms = arguments.integer("intervalMs", INTERVAL_MS, lowest=MIN_INTERVAL_MS, highest=MAX_INTERVAL_MS)
    return await LiveStream(TenantData(env, tenant_id), arguments, interval_s=interval_ms / 1000).start()


async def _health(env: Any) -> Response:
    checks = {"DB": await _check(lambda: env.DB.prepare("SELECT 1").first())}
    checks["KV"] = await _check(lambda: env.KV.get("health"))
    checks["STORAGE"] = await _check(lambda: env.STORAGE.head("health"))
    is_healthy = all(check["ok"] for check in checks.values())
    body = {
        "status": "healthy" if is_healthy else "unhealthy",
        "worker": "analytics",
        "timestamp": now_ms(),
        "checks": checks,
    }
    return json_response(body, status=200 if is_healthy else 503, headers={"cache-control": "no-store"})


async def _check(use: Any) -> dict[str, Any]:
    started_ms = now_ms()
    try:
        await use()
    except Exception as error:
        return {"ok": False, "ms": now_ms() - started_ms, "error": str(error)}
    return {"ok": True, "ms": now_ms() - started_ms}


def _number(text: str) -> Any:
    return int(text) if text.isdecimal() and len(text) < 16 else text
