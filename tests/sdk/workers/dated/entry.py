"""Shows what the compatibility date decides."""

import _cloudflare_compat_flags
import pyodide
from pyodide.ffi import to_js

from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        lines = [f"{name}: {value}" for name, value in sorted(request.headers.items()) if name.startswith("x-")]
        return Response("\n".join(lines))

    async def on_fetch(self, request):
        return await self.fetch(request)

    async def version(self):
        return pyodide.__version__

    async def literal(self):
        converted = to_js({"a": {"b": 1}, "c": [{"d": 2}]})
        return [
            converted.constructor.name,
            converted.a.b,
            converted.c[0].constructor.name,
            converted.to_py(),
            len(converted) if hasattr(converted, "size") else None,
        ]

    async def flag(self, name):
        return getattr(_cloudflare_compat_flags, name)
