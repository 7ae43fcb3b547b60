"""A mirror of the recorder's ``svc_old.mjs``: a worker without an entrypoint class would have no RPC methods here."""

from js import URL

from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = URL.new(request.url).pathname
        if path == "/pass":
            self.ctx.passThroughOnException()
            raise RuntimeError("passed")
        return Response(f"old-style {request.method.value} {path}", headers={"x-old": "1"})

    async def rpcMethod(self, value):
        return f"rpc {value}"
