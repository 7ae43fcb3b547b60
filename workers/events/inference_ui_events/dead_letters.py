"""Messages that could not be processed: kept, shown, sent again, deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from .arguments import Arguments
from .failures import BadArgument
from .periods import iso
from .tenancy import MAX_TENANT_CHARACTERS, Row, TenantData

NO_TENANT: Final = "-"
MAX_LIST: Final = 1000
MAX_REASON_CHARACTERS: Final = 500
_KEEP: Final = """INSERT INTO dead_letters (tenant_id, id, body, reason, attempts, sent_at_ms, received_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING"""
_LIST: Final = """SELECT * FROM dead_letters WHERE tenant_id = ?1
ORDER BY received_at_ms DESC, id LIMIT ?2 OFFSET ?3"""
_CHOSEN: Final = "tenant_id = ?1 AND (?2 IS NULL OR id IN (SELECT value FROM json_each(?2)))"


async def keep_dead_letter(
    env: Any, message_id: str, body: Any, *, reason: str, attempts: int, sent_at_ms: int, now_ms: int
) -> None:
    """Keep a message that nobody will process any more, under its tenant, or under "-"."""
    tenant_id = body.get("tenantId") if isinstance(body, Mapping) else None
    is_tenant = isinstance(tenant_id, str) and 0 < len(tenant_id) <= MAX_TENANT_CHARACTERS
    data = TenantData(env, tenant_id if is_tenant else NO_TENANT)
    text = json.dumps(body, ensure_ascii=False)
    values = (message_id, text, reason[:MAX_REASON_CHARACTERS], attempts, sent_at_ms, now_ms)
    await data.change(_KEEP, *values)


async def list_dead_letters(data: TenantData, arguments: Arguments) -> list[dict[str, Any]]:
    """Return `{"id", "body", "reason", "attempts", "sentAt", "receivedAt"}`, the newest first; `limit`, `offset`."""
    limit = arguments.integer("limit", 100, lowest=0, highest=MAX_LIST)
    offset = arguments.integer("offset", 0, lowest=0, highest=1_000_000)
    return [_letter_json(row) for row in await data.rows(_LIST, limit, offset)]


async def retry_dead_letters(queue: Any, data: TenantData, arguments: Arguments) -> int:
    """Send messages again, those of `ids`, or all; returns how many. They leave the list once the queue has them."""
    rows = await data.rows(f"SELECT id, body FROM dead_letters WHERE {_CHOSEN}", _chosen(arguments))
    for row in rows:
        await queue.send(json.loads(row["body"]))
        await data.change("DELETE FROM dead_letters WHERE tenant_id = ?1 AND id = ?2", row["id"])
    return len(rows)


async def delete_dead_letters(data: TenantData, arguments: Arguments) -> int:
    """Delete messages, those of `ids`, or all; returns how many."""
    return await data.change(f"DELETE FROM dead_letters WHERE {_CHOSEN}", _chosen(arguments))


def _chosen(arguments: Arguments) -> str | None:
    if not arguments.has("ids"):
        return None
    ids = arguments.list("ids", highest=MAX_LIST)
    if not all(isinstance(each, str) for each in ids):
        raise BadArgument("ids", "must be a list of strings")
    return json.dumps(list(ids))


def _letter_json(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "body": json.loads(row["body"]),
        "reason": row["reason"],
        "attempts": row["attempts"],
        "sentAt": iso(row["sent_at_ms"]),
        "receivedAt": iso(row["received_at_ms"]),
    }
