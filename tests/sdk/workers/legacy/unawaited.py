"""What Cloudflare's examples return without awaiting it: a promise, a coroutine, a coroutine of the SDK's fetch."""

import js

from workers import Response, fetch


async def answer():
    return Response("a coroutine")


async def on_fetch(request):
    if request.url.endswith("/promise"):
        return js.fetch("data:,a promise")
    if request.url.endswith("/sdk"):
        return fetch("data:,of the SDK")
    return answer()
