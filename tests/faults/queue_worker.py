"""Takes messages in by HTTP and notes in KV what a consumer has seen: POST /send/NAME, GET /seen."""

import asyncio
import json
from urllib.parse import urlsplit

from workers import Response

seen = set()


async def fetch(request, env):
    _, verb, *rest = urlsplit(request.url).path.split("/", 2)
    if verb == "send":
        await env.JOBS.send(rest[0], contentType="text")
        return Response("sent")
    keys = await env.SEEN.list(limit=1000, **({"cursor": rest[0]} if rest and rest[0] else {}))
    cursor = getattr(keys, "cursor", None)
    return Response(json.dumps({"names": [key.name for key in keys["keys"]], "cursor": cursor}))


async def queue(batch, env, ctx):
    for message in batch.messages:
        # What is noted here is durable; what is not is delivered again.
        await env.SEEN.put(message.body, str(message.attempts))
        await asyncio.sleep(0.001)
        message.ack()
