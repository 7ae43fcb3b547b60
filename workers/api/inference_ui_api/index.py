"""What there is: GET /, JSON for programs and a page for browsers."""

from __future__ import annotations

from workers import Response

from .call import Call
from .page import get_page, wants_page
from .web import json_response


def api_version(call: Call) -> str:
    """Return the version that the configuration says."""
    return str(getattr(call.env, "API_VERSION", "v1"))


async def get_index(call: Call) -> Response:
    """Answer with the name, the version and the endpoints; a browser gets the page."""
    page = await get_page(call) if wants_page(call) else None
    if page is not None:
        page.js_object.headers.append("vary", "Accept")
        return page
    streaming = "(→ streaming worker)"
    endpoints = {
        "graphql": "/graphql",
        "events": "/events",
        "streamChat": f"/stream/chat {streaming}",
        "streamCompletion": f"/stream/completion {streaming}",
        "streamObject": f"/stream/object {streaming}",
        "health": "/health",
    }
    return json_response(
        {
            "name": "Inference UI API",
            "version": api_version(call),
            "architecture": "service-bindings",
            "endpoints": endpoints,
        },
        headers={"vary": "Accept"},
    )
