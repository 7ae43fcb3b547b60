"""The worker that the recordings of real Python Workers run in: each case's code is a function's body."""

import asyncio
import datetime
import json
import textwrap

import js
from js import Object
from pyodide.ffi import create_proxy, to_js
from recorder import describe, describe_error

import workers
from workers import (
    Blob,
    DurableObject,
    File,
    FormData,
    Request,
    Response,
    WorkerEntrypoint,
    python_from_rpc,
    python_to_rpc,
)

CODE = {}  # case id → source, put here by the test

NAMES = {
    "asyncio": asyncio,
    "datetime": datetime,
    "json": json,
    "js": js,
    "workers": workers,
    "Object": Object,
    "create_proxy": create_proxy,
    "to_js": to_js,
    "Blob": Blob,
    "File": File,
    "FormData": FormData,
    "Request": Request,
    "Response": Response,
    "python_from_rpc": python_from_rpc,
    "python_to_rpc": python_to_rpc,
}


async def run(code, env, ctx, self, request):
    """Run one case's code; return what it recorded."""
    results = []

    def out(value):
        results.append({"ok": describe(value)})

    async def tr(function):
        try:
            value = function()
            if hasattr(value, "__await__"):
                value = await value
        except Exception as error:
            results.append({"throws": describe_error(error)})
        else:
            results.append({"ok": describe(value)})

    scope = dict(NAMES)
    exec(f"async def f(env, ctx, self, request, out, tr):\n{textwrap.indent(code, '    ')}", scope)
    await scope["f"](env, ctx, self, request, out, tr)
    return results


class Obj(DurableObject):
    def add(self, a, b):
        return a + b

    async def echo(self, value):
        return value

    async def boom(self, kind, msg):
        raise {"ValueError": ValueError, "TypeError": TypeError, "KeyError": KeyError}.get(kind, Exception)(msg)

    async def fetch(self, request):
        return Response(f"do {request.url}")

    async def run(self, code):
        return await run(code, self.env, self.ctx, self, None)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = request.url.split("?")[0].rsplit("/", 1)[-1]
        if path == "run":
            code = await request.text()
            results = await run(code, self.env, self.ctx, self, request)
            # A case may record what ran elsewhere: in an object.
            return Response(json.dumps(getattr(self, "_rec", results)))
        scope = dict(NAMES)
        body = textwrap.indent(CODE[path], "    ")
        exec(f"async def f(env, ctx, self, request):\n{body}", scope)
        return await scope["f"](self.env, self.ctx, self, request)
