"""A worker without a public route: others reach it over a service binding."""

from urllib.parse import urlsplit

from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(await self.greet(urlsplit(request.url).path.strip("/")))

    async def greet(self, name):
        return f"Hello, {name}!"


class Formal(WorkerEntrypoint):
    async def greet(self, name):
        return f"Good day, {self.ctx.props.title} {name}."
