"""The page for people: GET / of a browser answers with `public/index.html`, one of the worker's static assets."""

from __future__ import annotations

import js
from pyodide.ffi import JsException

from workers import Response

from .call import Call
from .web import header

HTML = "text/html"


def wants_page(call: Call) -> bool:
    """Tell whether the client names text/html among what it accepts; clients of the API do not."""
    ranges = (header(call.request, "accept") or "").split(",")
    for item in ranges:
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        if media_type == HTML:
            return not any(part.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for part in parameters)
    return False


async def get_page(call: Call) -> Response | None:
    """Return the page, or None where the worker was deployed without its assets."""
    assets = getattr(call.env, "ASSETS", None)
    if assets is None:
        return None
    try:
        answered = await assets.fetch(call.request)
    except (JsException, OSError) as error:
        print(f"page: {error}")  # for the worker's log; the JSON is answered
        return None
    if answered.status >= 400:
        return None
    # A copy, because the headers of a fetched response cannot be added to; the body is the same stream.
    return Response(js.Response.new(answered.js_object.body, answered.js_object))
