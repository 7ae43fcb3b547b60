"""A tenant's flows in D1."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .event_queries import check_page
from .quotas import quota_exceeded
from .tenancy import TenantData

MAX_NAME_CHARACTERS = 256
MAX_STEPS_BYTES = 262_144

_COLUMNS = "id, user_id, name, steps, ai_config, created_at_ms, updated_at_ms"
_LIST = f"SELECT {_COLUMNS} FROM flows WHERE tenant_id = ?1 ORDER BY created_at_ms DESC, id LIMIT ?2 OFFSET ?3"  # noqa: S608
_GET = f"SELECT {_COLUMNS} FROM flows WHERE tenant_id = ?1 AND id = ?2"  # noqa: S608
_CREATE = f"""INSERT INTO flows (tenant_id, id, user_id, name, steps, ai_config, created_at_ms, updated_at_ms)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7
WHERE ?8 < 0 OR (SELECT count(*) FROM flows WHERE tenant_id = ?1) < ?8 RETURNING {_COLUMNS}"""  # noqa: S608
_UPDATE = f"""UPDATE flows SET name = coalesce(?3, name), steps = coalesce(?4, steps),
  ai_config = coalesce(?5, ai_config), updated_at_ms = ?6
WHERE tenant_id = ?1 AND id = ?2 RETURNING {_COLUMNS}"""  # noqa: S608
_DELETE = "DELETE FROM flows WHERE tenant_id = ?1 AND id = ?2"


class BadFlow(ValueError):
    """A flow cannot be stored; the text is for the client."""


async def list_flows(data: TenantData, *, limit: int, offset: int) -> list[dict[str, Any]]:
    """Return flows as GraphQL's type `Flow` has them, the newest first."""
    check_page(limit, offset)
    return [_flow(row) for row in await data.rows(_LIST, limit, offset)]


async def get_flow(data: TenantData, flow_id: str) -> dict[str, Any] | None:
    """Return a flow, or None where the tenant has no such flow."""
    row = await data.row(_GET, flow_id)
    return None if row is None else _flow(row)


async def create_flow(
    data: TenantData, flow: Mapping[str, Any], *, user_id: str, limit: int, now_ms: int
) -> dict[str, Any]:
    """Store a flow and return it.

    Args:
        limit: how many flows the tenant may have; -1 is unlimited.

    Raises:
        BadFlow: its name or steps are too long, or the steps no list.
        HttpError: 429, the tenant has as many as it may.
    """
    values = _checked(flow)
    row = await data.row(_CREATE, str(uuid.uuid4()), user_id, *values, now_ms, limit)
    if row is None:
        raise quota_exceeded("flows", limit, limit, now_ms=now_ms)
    return _flow(row)


async def update_flow(data: TenantData, flow_id: str, changes: Mapping[str, Any], *, now_ms: int) -> dict[str, Any]:
    """Change what is given of a flow and return it.

    Raises:
        BadFlow: as `create_flow`; or the tenant has no such flow.
    """
    row = await data.row(_UPDATE, flow_id, *_checked(changes), now_ms)
    if row is None:
        raise BadFlow(f'there is no flow "{flow_id}"')
    return _flow(row)


async def delete_flow(data: TenantData, flow_id: str) -> bool:
    """Delete a flow; tells whether the tenant had it."""
    return await data.change(_DELETE, flow_id) > 0


def _checked(flow: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Return a flow's name, steps and aiConfig as they are stored; None for what is not given."""
    name, steps, ai_config = flow.get("name"), flow.get("steps"), flow.get("aiConfig")
    if name is not None and (not name.strip() or len(name) > MAX_NAME_CHARACTERS):
        raise BadFlow(f"name must have 1 to {MAX_NAME_CHARACTERS} characters")
    if steps is not None and not isinstance(steps, list):
        raise BadFlow("steps must be a list")
    return name, _json("steps", steps), _json("aiConfig", ai_config)


def _json(name: str, value: Any) -> str | None:
    if value is None:
        return None
    text = json.dumps(value, ensure_ascii=False)
    if len(text.encode()) > MAX_STEPS_BYTES:
        raise BadFlow(f"{name} must be at most {MAX_STEPS_BYTES} bytes of JSON")
    return text


def _flow(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "userId": row["user_id"],
        "name": row["name"],
        "steps": json.loads(row["steps"]),
        "aiConfig": _ai_config(row["ai_config"]),
        "createdAt": iso(row["created_at_ms"]),
        "updatedAt": iso(row["updated_at_ms"]),
    }


def _ai_config(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    given = json.loads(text)
    return {**given, "models": given.get("models") or [], "features": given.get("features") or []}


def iso(time_ms: int) -> str:
    """Return a time as ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
