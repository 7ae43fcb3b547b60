"""Calls another worker: by fetch, by RPC, and through a named entrypoint."""

from urllib.parse import urlsplit

from workers import Response


async def fetch(request, env):
    name = urlsplit(request.url).path.strip("/") or "world"
    forwarded = await env.GREETER.fetch(f"http://greeter/{name}")
    lines = [
        f"fetch: {await forwarded.text()}",
        f"rpc: {await env.GREETER.greet(name)}",
        f"entrypoint: {await env.FORMAL.greet(name)}",
    ]
    return Response("\n".join(lines))
