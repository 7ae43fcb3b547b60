"""Whether the worker can do its work: GET /health really uses each binding."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from workers import Response

from .call import Call, now_ms
from .index import api_version
from .web import json_response

TIMEOUT_S = 5
# A healthy answer is reused for this long: a crowd of probes must not become a crowd of reads.
REUSE_MS = 1000
BINDINGS = ("DB", "KV", "STORAGE", "ANALYTICS", "EVENT_QUEUE", "STREAMING", "METRICS", "EVENTS")

Check = dict[str, Any]

# When this isolate last found everything healthy, and what it found.
_last: tuple[int, Mapping[str, Check]] | None = None


async def get_health(call: Call) -> Response:
    """Answer 200 where every binding works, 503 where one does not; `checks` says which and how long it took."""
    found = await check_health(call.env)
    body = {**found, "version": api_version(call)}
    status = 200 if found["status"] == "healthy" else 503
    return json_response(body, status=status, headers={"cache-control": "no-store"})


async def check_health(env: Any) -> dict[str, Any]:
    """Return `status`, `timestamp` (ms) and `checks`, by binding."""
    global _last
    now = now_ms()
    if _last is None or not 0 <= now - _last[0] < REUSE_MS:
        results = await asyncio.gather(*(_check(name, env) for name in BINDINGS))
        _last = (now, dict(zip(BINDINGS, results, strict=True)))
    checks = _last[1]
    if all(check["ok"] for check in checks.values()):
        return {"status": "healthy", "timestamp": now, "checks": checks}
    _last = None  # what is broken is looked at again by the next one who asks
    return {"status": "unhealthy", "timestamp": now, "checks": checks}


async def _check(name: str, env: Any) -> Check:
    started_ms = now_ms()
    try:
        binding = getattr(env, name)
    except AttributeError:
        return {"ok": False, "ms": 0, "error": f"{name} is not bound; see wrangler.toml"}
    try:
        problem = await asyncio.wait_for(_use(name, binding), TIMEOUT_S)
    except TimeoutError:
        problem = f"no answer within {TIMEOUT_S} s"
    except Exception as error:
        print(f"health: {name}: {error}")  # for the worker's log
        problem = "failed; see the worker's log"
    check: Check = {"ok": problem is None, "ms": now_ms() - started_ms}
    return check if problem is None else {**check, "error": problem}


async def _use(name: str, binding: Any) -> str | None:
    """Use a binding in a way that changes nothing; what can only be written is only looked at."""
    if name == "DB":
        await binding.prepare("SELECT 1").first()
    elif name == "KV":
        await binding.get("health")
    elif name == "STORAGE":
        await binding.head("health")
    elif name == "STREAMING":
        found = await binding.health()
        if found["status"] != "healthy":
            return f"is {found['status']}"
    elif name == "METRICS":
        response = await binding.fetch("http://internal/health")
        await response.text()
        if response.status != 200:
            return f"answered {response.status}"
    elif name == "EVENTS":
        await binding.classifyEvent("health", {"event": "health"})
    return None
