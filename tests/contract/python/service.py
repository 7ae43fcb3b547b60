"""``env.PYSVC`` of the recordings: a Python worker with RPC methods."""

from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    prop = 7

    async def fetch(self, request):
        return Response(f"py target {request.method.value} {request.url}", headers={"x-py": "1"})

    async def echo(self, value):
        return value

    async def types(self, *values):
        return [f"{type(v).__module__}.{type(v).__qualname__}:{v!r}".removeprefix("builtins.") for v in values]

    async def kw(self, a, b=2, c=3):
        return [a, b, c]

    def sync_method(self, n):
        return n * 2

    async def _private(self):
        return "p"

    async def boom(self, kind, message):
        raise {"ValueError": ValueError, "TypeError": TypeError, "KeyError": KeyError}.get(kind, Exception)(message)
