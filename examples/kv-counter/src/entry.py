"""Counts the visits of each path in KV; a count is forgotten an hour after its last visit."""

from urllib.parse import urlsplit

from workers import Response


async def fetch(request, env):
    path = urlsplit(request.url).path
    count = int(await env.COUNTS.get(path) or 0) + 1
    await env.COUNTS.put(path, str(count), expirationTtl=3600)
    return Response.json({"path": path, "visits": count})
