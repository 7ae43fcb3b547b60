"""The worker that recorded cases run in: the body of a request is steps, the response their results."""

import json

from interp import build_scope, record

from workers import Response, WorkerEntrypoint, import_from_javascript


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        # Not self.env: the SDK's wrapper makes Python's values of the answers, and recordings hold JavaScript's.
        bindings = import_from_javascript("cloudflare:workers").env
        names = {name: getattr(bindings, name) for name in ("KV", "DB", "R2")}
        return Response(json.dumps(await record(json.loads(await request.text()), build_scope(names))))
