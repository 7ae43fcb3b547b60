from workers import Response


async def fetch(request, env):
    return Response("Hello World")
