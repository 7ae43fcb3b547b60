"""GET /reports/<id>: the file of a report, which GraphQL's `createReport` made."""

from __future__ import annotations

import js

from workers import Response

from .call import Call
from .remote_resolvers import EXPORT, ask


async def download_report(call: Call) -> Response:
    """Answer with the file, as one to be saved.

    Raises:
        HttpError: 403 the tenant's tier does not have reports; 404 the tenant has no such report.
    """
    call.identity.require_feature(EXPORT)
    found: Response = await ask(call, "METRICS", "downloadReport", call.tenant_id, {"id": call.tail[1:]})
    # A copy, because the headers of a response that came over a binding cannot be added to.
    return Response(js.Response.new(found.js_object.body, found.js_object))
