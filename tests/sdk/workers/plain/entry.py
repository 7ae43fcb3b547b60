"""A worker that only lends its realm: the tests run their own code as its code."""

from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("plain")
