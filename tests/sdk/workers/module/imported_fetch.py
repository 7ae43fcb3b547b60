"""Imports the SDK's own fetch, which is no handler."""

from workers import Response, WorkerEntrypoint, fetch  # noqa: F401


class Default(WorkerEntrypoint):
    async def fetch(self):
        return Response("the class")
