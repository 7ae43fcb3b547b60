"""The funnels and cohorts that tenants define."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

from .arguments import Arguments
from .cohorts import Criteria, read_criteria
from .failures import NotFound
from .funnels import read_steps
from .periods import iso
from .tenancy import Row, TenantData

MAX_LIST: Final = 1000
MAX_DESCRIPTION: Final = 4096
_SELECT: Final[Mapping[str, str]] = {
    kind: f"SELECT * FROM {kind} WHERE tenant_id = ?1" for kind in ("funnels", "cohorts")
}
ONE: Final[Mapping[str, str]] = {kind: f"{sql} AND id = ?2" for kind, sql in _SELECT.items()}
_DELETE: Final[Mapping[str, str]] = {
    kind: f"DELETE FROM {kind} WHERE tenant_id = ?1 AND id = ?2" for kind in ("funnels", "cohorts")
}
_FLOW: Final = "SELECT id FROM flows WHERE tenant_id = ?1 AND id = ?2"
_NAMES: Final[Mapping[str, str]] = {"funnels": "Funnel", "cohorts": "Cohort"}


async def create_funnel(data: TenantData, arguments: Arguments, *, now_ms: int) -> dict[str, Any]:
    """Define a funnel: `name`, `description`, `steps`, `flowId`, `userId` of who defines it; returns `Funnel`.

    Raises:
        NotFound: the tenant has no such flow.
    """
    steps = read_steps(arguments, new_id=_new_id)
    flow_id = arguments.optional_text("flowId")
    if flow_id is not None and await data.row(_FLOW, flow_id) is None:
        raise NotFound("Flow", flow_id)
    values = (
        _new_id(),
        arguments.optional_text("userId"),
        arguments.text("name"),
        arguments.optional_text("description", max_characters=MAX_DESCRIPTION),
        json.dumps([step.as_json() for step in steps], ensure_ascii=False),
        flow_id,
        now_ms,
    )
    sql = """INSERT INTO funnels (tenant_id, id, user_id, name, description, steps, flow_id, created_at_ms,
  updated_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) RETURNING *"""
    [row] = await data.rows(sql, *values)
    return funnel_json(row)


async def create_cohort(data: TenantData, arguments: Arguments, *, now_ms: int) -> dict[str, Any]:
    """Define a cohort: `name`, `description`, `criteria`, `userId` of who defines it; returns GraphQL's `Cohort`."""
    criteria = read_criteria(arguments.inner("criteria"))
    values = (
        _new_id(),
        arguments.optional_text("userId"),
        arguments.text("name"),
        arguments.optional_text("description", max_characters=MAX_DESCRIPTION),
        json.dumps(criteria.as_json(), ensure_ascii=False),
        now_ms,
    )
    sql = """INSERT INTO cohorts (tenant_id, id, user_id, name, description, criteria, created_at_ms, updated_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) RETURNING *"""
    [row] = await data.rows(sql, *values)
    return cohort_json(row)


async def list_defined(data: TenantData, kind: str, arguments: Arguments) -> list[Row]:
    """Return funnels or cohorts, the newest first; `userId` narrows them to one user's, `limit` and `offset` page."""
    user_id = arguments.optional_text("userId")
    limit = arguments.integer("limit", 100, lowest=0, highest=MAX_LIST)
    offset = arguments.integer("offset", 0, lowest=0, highest=1_000_000)
    sql = f"{_SELECT[kind]} AND (?2 IS NULL OR user_id = ?2) ORDER BY created_at_ms DESC, id LIMIT ?3 OFFSET ?4"
    return await data.rows(sql, user_id, limit, offset)


async def find_defined(data: TenantData, kind: str, id: str) -> Row:  # noqa: A002
    """Return a funnel or cohort.

    Raises:
        NotFound: the tenant has none of this id.
    """
    row = await data.row(ONE[kind], id)
    if row is None:
        raise NotFound(_NAMES[kind], id)
    return row


async def delete_defined(data: TenantData, kind: str, arguments: Arguments) -> bool:
    """Delete a funnel or cohort by its `id`; tells whether there was one."""
    return await data.change(_DELETE[kind], arguments.text("id")) > 0


def funnel_json(row: Row) -> dict[str, Any]:
    """Return GraphQL's `Funnel`."""
    return {**_common(row), "steps": json.loads(row["steps"]), "flowId": row["flow_id"]}


def cohort_json(row: Row) -> dict[str, Any]:
    """Return GraphQL's `Cohort`."""
    return {**_common(row), "criteria": stored_criteria(row).as_json()}


def stored_criteria(row: Row) -> Criteria:
    """Return the criteria of a cohort."""
    return read_criteria(Arguments(json.loads(row["criteria"]), "criteria."))


def _common(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "createdAt": iso(row["created_at_ms"]),
        "updatedAt": iso(row["updated_at_ms"]),
    }


def _new_id() -> str:
    return str(uuid.uuid4())
