"""Class style: Cloudflare's own form, deployed as it is."""

from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        name = request.url.rsplit("/", 1)[-1] or "world"
        return Response(f"{self.env.GREETING}, {name}!")

    async def shout(self, text):
        """An RPC method: other workers call it over a service binding."""
        return text.upper()
