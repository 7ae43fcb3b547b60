"""Calls itself as deep as it is asked, and lends its realm to the tests."""

from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("front")

    async def descend(self, levels):
        return 0 if levels == 0 else 1 + await self.env.SELF.descend(levels - 1)

    async def apply(self, function, *args):
        return await function(*args)
