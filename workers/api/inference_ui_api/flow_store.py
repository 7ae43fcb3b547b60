"""A tenant's flows in D1."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .event_queries import check_page
from .migrations import ensure_schema

MAX_NAME_CHARACTERS = 256
MAX_STEPS_BYTES = 262_144

_COLUMNS = "id, user_id, name, steps, created_at_ms, updated_at_ms"
_LIST = f"SELECT {_COLUMNS} FROM flows WHERE tenant_id = ? ORDER BY created_at_ms DESC, id LIMIT ? OFFSET ?"  # noqa: S608
_GET = f"SELECT {_COLUMNS} FROM flows WHERE tenant_id = ? AND id = ?"  # noqa: S608
_CREATE = f"INSERT INTO flows (tenant_id, {_COLUMNS}) VALUES (?1, ?2, ?1, ?3, ?4, ?5, ?5) RETURNING {_COLUMNS}"  # noqa: S608
_DELETE = "DELETE FROM flows WHERE tenant_id = ? AND id = ?"


class BadFlow(ValueError):
    """A flow cannot be stored; the text is for the client."""


async def list_flows(db: Any, tenant_id: str, *, limit: int, offset: int) -> list[dict[str, Any]]:
    """Return flows as GraphQL's type `Flow` has them, the newest first."""
    check_page(limit, offset)
    await ensure_schema(db)
    found = await db.prepare(_LIST).bind(tenant_id, limit, offset).all()
    return [_flow(row) for row in found["results"]]


async def get_flow(db: Any, tenant_id: str, flow_id: str) -> dict[str, Any] | None:
    """Return a flow, or None where the tenant has no such flow."""
    await ensure_schema(db)
    row = await db.prepare(_GET).bind(tenant_id, flow_id).first()
    return None if row is None else _flow(row)


async def create_flow(db: Any, tenant_id: str, name: str, steps: Any, *, now_ms: int) -> dict[str, Any]:
    """Store a flow and return it.

    Raises:
        BadFlow: its name or steps are too long, or the steps no list.
    """
    if not name.strip() or len(name) > MAX_NAME_CHARACTERS:
        raise BadFlow(f"name must have 1 to {MAX_NAME_CHARACTERS} characters")
    if not isinstance(steps, list):
        raise BadFlow("steps must be a list")
    text = json.dumps(steps, ensure_ascii=False)
    if len(text.encode()) > MAX_STEPS_BYTES:
        raise BadFlow(f"steps must be at most {MAX_STEPS_BYTES} bytes of JSON")
    await ensure_schema(db)
    row = await db.prepare(_CREATE).bind(tenant_id, str(uuid.uuid4()), name, text, now_ms).first()
    return _flow(row)


async def delete_flow(db: Any, tenant_id: str, flow_id: str) -> bool:
    """Delete a flow; tells whether the tenant had it."""
    await ensure_schema(db)
    result = await db.prepare(_DELETE).bind(tenant_id, flow_id).run()
    return int(result["meta"]["changes"]) > 0


def _flow(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "userId": row["user_id"],
        "name": row["name"],
        "steps": json.loads(row["steps"]),
        "createdAt": _iso(row["created_at_ms"]),
        "updatedAt": _iso(row["updated_at_ms"]),
    }


def _iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
