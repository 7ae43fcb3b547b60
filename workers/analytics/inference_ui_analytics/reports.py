"""Reports: an answer as it was at a moment, kept in R2 as CSV or JSON, with a row in D1."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

from workers import Response

from .arguments import Arguments
from .failures import NotFound
from .periods import iso
from .queries import NAMES, ask
from .tables import to_csv
from .tenancy import Row, TenantData

CONTENT_TYPES: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
MAX_LIST: Final = 1000


async def create_report(data: TenantData, arguments: Arguments, *, now_ms: int) -> dict[str, Any]:
    """Make a report and return what `report_json` says of it.

    `type` is one of NAMES, `format` CSV or JSON (JSON), `name` what it is called, `arguments` those of the type;
    without a `timeRange` in them, the last 7 days.
    """
    kind = arguments.choice("type", None, tuple(name.upper() for name in NAMES)).lower()
    format_name = arguments.choice("format", "JSON", ("CSV", "JSON")).lower()
    wanted = arguments.json_object("arguments") or {}
    if wanted.get("timeRange") is None:
        wanted["timeRange"] = Arguments({}).time_range(now_ms=now_ms).as_json()
    given = Arguments(wanted, "arguments.")
    name = arguments.optional_text("name") or f"{kind} {iso(now_ms)}"
    answer, _ = await ask(data, kind, given, now_ms=now_ms)
    body = to_csv(kind, answer) if format_name == "csv" else _to_json(kind, given, answer, now_ms)
    report_id = str(uuid.uuid4())
    await data.put_object(f"{report_id}.{format_name}", body, CONTENT_TYPES[format_name])
    sql = """INSERT INTO reports (tenant_id, id, name, type, format, arguments, size_bytes, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING *"""
    stored_arguments = json.dumps(given.as_json(), ensure_ascii=False)
    values = (report_id, name, kind, format_name, stored_arguments, len(body.encode()), now_ms)
    [row] = await data.rows(sql, *values)
    return _report_json(row)


async def list_reports(data: TenantData, arguments: Arguments) -> list[dict[str, Any]]:
    """Return the reports, the newest first; `limit` (100) and `offset` page."""
    limit = arguments.integer("limit", 100, lowest=0, highest=MAX_LIST)
    offset = arguments.integer("offset", 0, lowest=0, highest=1_000_000)
    sql = "SELECT * FROM reports WHERE tenant_id = ?1 ORDER BY created_at_ms DESC, id LIMIT ?2 OFFSET ?3"
    return [_report_json(row) for row in await data.rows(sql, limit, offset)]


async def find_report(data: TenantData, arguments: Arguments) -> dict[str, Any]:
    """Return a report by its `id`, without its content."""
    return _report_json(await _find(data, arguments))


async def download_report(data: TenantData, arguments: Arguments) -> Response:
    """Return a report's content by its `id`, as a response that a browser saves as a file."""
    row = await _find(data, arguments)
    found = await data.get_object(f"{row['id']}.{row['format']}")
    if found is None:
        raise NotFound("Report", row["id"])
    headers = {
        "content-type": CONTENT_TYPES[row["format"]],
        "content-length": str(row["size_bytes"]),
        "content-disposition": f'attachment; filename="{row["type"]}-{row["id"]}.{row["format"]}"',
        "cache-control": "private, no-store",
        "x-content-type-options": "nosniff",
    }
    return Response(found.body, headers=headers)


async def delete_report(data: TenantData, arguments: Arguments) -> bool:
    """Delete a report by its `id`; tells whether there was one."""
    sql = "DELETE FROM reports WHERE tenant_id = ?1 AND id = ?2 RETURNING *"
    rows = await data.rows(sql, arguments.text("id"))
    for row in rows:
        await data.delete_object(f"{row['id']}.{row['format']}")
    return bool(rows)


async def _find(data: TenantData, arguments: Arguments) -> Row:
    report_id = arguments.text("id")
    row = await data.row("SELECT * FROM reports WHERE tenant_id = ?1 AND id = ?2", report_id)
    if row is None:
        raise NotFound("Report", report_id)
    return row


def _to_json(kind: str, given: Arguments, answer: Any, now_ms: int) -> str:
    report = {"type": kind, "arguments": given.as_json(), "createdAt": iso(now_ms), "data": answer}
    return json.dumps(report, ensure_ascii=False, indent=2)


def _report_json(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "type": row["type"],
        "format": row["format"],
        "contentType": CONTENT_TYPES[row["format"]],
        "arguments": json.loads(row["arguments"]),
        "sizeBytes": row["size_bytes"],
        "createdAt": iso(row["created_at_ms"]),
    }
