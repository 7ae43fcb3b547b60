"""/stream/* goes to the streaming worker, by service binding: method, query, headers and body go there unread, the
status, headers and body come back as they are made.
"""

from __future__ import annotations

import js
from pyodide.ffi import JsException

from workers import Response

from .call import Call
from .web import HttpError

# Headers that only this worker may set on what it forwards.
INTERNAL_PREFIX = "x-inference-ui-"
TENANT_HEADER = "x-inference-ui-tenant"
SERVER_ERROR = 500


async def forward_stream(call: Call) -> Response:
    """Forward a request below `/stream` or `/api/stream`.

    Raises:
        HttpError: 503, the streaming worker cannot be reached.
    """
    url = call.url._replace(path=call.tail).geturl()
    # Made from the request that came, it keeps its method, headers, body and abort signal: a client that leaves is
    # seen in the other worker too.
    forwarded = js.Request.new(url, call.request.js_object)
    for name in [name for name, _ in forwarded.headers if name.startswith(INTERNAL_PREFIX)]:
        forwarded.headers.delete(name)
    forwarded.headers.set(TENANT_HEADER, call.tenant_id)
    try:
        answered = await call.env.STREAMING.fetch(forwarded, signal=forwarded.signal)
    except (JsException, OSError) as error:
        raise _unavailable(str(error)) from error
    if answered.status >= SERVER_ERROR and not _is_json(answered):
        raise _unavailable(await answered.text())  # not the streaming worker's words: it speaks JSON
    # A copy, because the headers of a fetched response cannot be added to; the body is the same stream.
    return Response(js.Response.new(answered.js_object.body, answered.js_object))


def _is_json(response: Response) -> bool:
    return str(response.js_object.headers.get("content-type")).startswith("application/json")


def _unavailable(why: str) -> HttpError:
    print(f"stream: {why}")  # for the worker's log
    return HttpError(503, "The streaming service is unavailable", headers={"retry-after": "1"})
