"""Handlers of the module, as before 2025-08-14: raw JavaScript objects."""

import js

from workers import Response

got = []


def name_of(value):
    constructor = getattr(value, "constructor", None)
    return f"{type(value).__module__}.{type(value).__qualname__}:{constructor.name if constructor else None}"


async def on_fetch(request, env, ctx):
    if request.url.endswith("/js"):
        return js.Response.new("raw")
    return Response(" ".join([request.method, name_of(request), name_of(env), name_of(ctx), env.COLOR]))


def on_scheduled(controller, env):
    got.append([name_of(controller), controller.cron, env.COLOR])


def on_queue(batch):
    got.append([name_of(batch), batch.queue])


def test(ctx, env):
    return env.COLOR
