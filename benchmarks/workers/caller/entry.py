"""Times its own calls to another worker: /fetch?n=… and /rpc?n=… answer with the microseconds of each call."""

import json
from time import perf_counter
from urllib.parse import parse_qs, urlsplit

from workers import Response


async def fetch(request, env):
    url = urlsplit(request.url)
    if url.path == "/":
        return Response("Hello World")
    count = int(parse_qs(url.query)["n"][0])
    call = call_fetch if url.path == "/fetch" else call_rpc
    taken = []
    for _ in range(count):
        started = perf_counter()
        await call(env)
        taken.append((perf_counter() - started) * 1e6)
    return Response(json.dumps(taken))


async def call_fetch(env):
    await env.CALLEE.fetch("http://callee/")


async def call_rpc(env):
    await env.CALLEE.hello()
