"""Whether the bindings work: each is really used, in a way that changes nothing and costs next to nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from .generation import now_ms

TIMEOUT_S = 5


async def read_health(env: Any) -> dict[str, Any]:
    """Return `{"status", "worker", "timestamp", "checks"}`; the status is healthy or unhealthy, the time in ms."""
    checks = await check_bindings(env)
    is_healthy = all(check["ok"] for check in checks.values())
    status = "healthy" if is_healthy else "unhealthy"
    return {"status": status, "worker": "streaming", "timestamp": now_ms(), "checks": checks}


async def check_bindings(env: Any) -> dict[str, dict[str, Any]]:
    """Return `{"ok", "ms"}` for each binding, with `error` where it failed.

    AI and Analytics Engine have no call without a cost or an effect: what is checked is that they are bound.
    """
    names = ("AI", "KV", "DB", "ANALYTICS")
    results = await asyncio.gather(*(_check(name, env) for name in names))
    return dict(zip(names, results, strict=True))


async def _check(name: str, env: Any) -> dict[str, Any]:
    started_ms = now_ms()
    try:
        await asyncio.wait_for(_use(name, env), TIMEOUT_S)
    except TimeoutError:
        return {"ok": False, "ms": now_ms() - started_ms, "error": f"no answer within {TIMEOUT_S} s"}
    except AttributeError:
        return {"ok": False, "ms": 0, "error": f"{name} is not bound; see wrangler.toml"}
    except Exception as error:
        return {"ok": False, "ms": now_ms() - started_ms, "error": str(error)}
    return {"ok": True, "ms": now_ms() - started_ms}


async def _use(name: str, env: Any) -> None:
    binding = getattr(env, name)
    if name == "KV":
        await binding.get("health")
    elif name == "DB":
        await binding.prepare("SELECT 1").first()
