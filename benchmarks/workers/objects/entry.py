"""Times its own calls of a bucket, as any worker makes them; every method returns seconds a call."""

from time import perf_counter

from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("objects")

    async def read(self, count):
        """Read a large object as it comes."""
        started = perf_counter()
        size = 0
        for _ in range(count):
            found = await self.env.R2.get("large")
            reader = found.body.getReader()
            while not (chunk := await reader.read()).done:
                size += chunk.value.byteLength
        assert size == found.size * count
        return (perf_counter() - started) / count

    async def list(self, count):
        """List a thousand keys from the middle of the bucket."""
        started = perf_counter()
        for _ in range(count):
            page = await self.env.R2.list(limit=1000, startAfter="key-050000")
            assert len(page.objects) == 1000
        return (perf_counter() - started) / count

    async def get(self, count):
        """Get a small object's text."""
        started = perf_counter()
        for number in range(count):
            found = await self.env.R2.get(f"key-{number:06}")
            await found.text()
        return (perf_counter() - started) / count

    async def put(self, count):
        """Store a small object."""
        started = perf_counter()
        for number in range(count):
            await self.env.R2.put(f"new-{number}", "x" * 1000)
        return (perf_counter() - started) / count
