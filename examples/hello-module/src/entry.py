"""Module style: handlers are functions. `pyworkers export` writes the class that deploys them."""

from workers import Response


async def fetch(request, env):
    name = request.url.rsplit("/", 1)[-1] or "world"
    return Response(f"{env.GREETING}, {name}!")
