"""The legacy decorator converts request and env."""

from workers import Response, handler


@handler
async def on_fetch(request, env):
    names = [f"{type(value).__module__}.{type(value).__qualname__}" for value in (request, env)]
    return Response(" ".join([*names, env.COLOR, on_fetch.__name__]))
