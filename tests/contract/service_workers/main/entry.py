"""The worker that the steps of recorded cases run in: a mirror of the recorder's ``svc_main.mjs``."""

import json

from interp import build_scope, record
from js import URL

from workers import Response, WorkerEntrypoint, import_from_javascript

BINDINGS = ("SVC", "NAMED", "NAMED_PROPS", "SVC_PROPS", "NOFETCH", "OBJ", "OLD", "EMPTY", "SELF", "SELF_ENTRY")


class SelfEntry(WorkerEntrypoint):
    async def whoami(self):
        return {"props": self.ctx.props, "env": True}

    async def depth(self, n):
        return 0 if n <= 0 else 1 + await self.env.SELF_ENTRY.depth(n - 1)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        url = URL.new(request.url)
        if url.pathname == "/run":
            # Not self.env: the SDK's wrapper makes Python's values of the answers, and recordings hold JavaScript's.
            bindings = import_from_javascript("cloudflare:workers").env
            scope = build_scope({name: getattr(bindings, name) for name in BINDINGS}, ctx=None)
            return Response(json.dumps(await record(json.loads(await request.text()), scope, hang_after_s=1)))
        if url.pathname == "/depth":
            n = int(url.searchParams.get("n"))
            if n <= 0:
                return Response("bottom")
            inner = await self.env.SELF.fetch(f"http://x/depth?n={n - 1}")
            return Response(f"{await inner.text()}<{n}")
        return Response("svc_main 404", status=404)
