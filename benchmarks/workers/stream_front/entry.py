"""Passes requests on and their answers back, and counts events as they go by."""

import time

from workers import WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.SOURCE.fetch(request)

    async def count_events(self, count):
        """Read events of the other worker as a worker would; return the seconds it took, and how many came."""
        started = time.perf_counter()
        response = await self.env.SOURCE.fetch(f"http://source/events?n={count}")
        seen = 0
        async for chunk in response.body:
            seen += chunk.to_bytes().count(b"\n\n")
        return [time.perf_counter() - started, seen]
