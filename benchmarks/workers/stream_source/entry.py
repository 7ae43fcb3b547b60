"""Gives events, and sends bodies back."""

from urllib.parse import parse_qs, urlsplit

import js
from pyodide.ffi import create_proxy, to_js

from workers import Response, WorkerEntrypoint

EVENT = b'data: {"choices":[{"delta":{"content":"token"}}]}\n\n'


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        url = urlsplit(request.url)
        if url.path != "/events":
            return Response(request.body)
        count = int(parse_qs(url.query)["n"][0])
        return Response(
            js.ReadableStream.from_(create_proxy(events(count))), headers={"content-type": "text/event-stream"}
        )


async def events(count):
    chunk = to_js(EVENT)
    for _ in range(count):
        yield chunk
