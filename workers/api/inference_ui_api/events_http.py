"""POST /events."""

from __future__ import annotations

from workers import Response

from .call import Call
from .ingestion import ingest
from .web import json_response, read_json

MAX_BODY_BYTES = 8_388_608


async def post_events(call: Call) -> Response:
    """Store the events of the body; 200 where the body could be read, also when some of its events are refused."""
    body = await read_json(call.request, max_bytes=MAX_BODY_BYTES)
    return json_response(await ingest(call, body))
