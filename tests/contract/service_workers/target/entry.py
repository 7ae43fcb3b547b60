"""A mirror of the recorder's ``svc_target.mjs``."""

import asyncio
import json

import js
from interp import Interpreter, build_scope

from workers import Request, Response, WorkerEntrypoint

NOTES = set()
ERRORS = ("TypeError", "RangeError", "URIError", "EvalError", "ReferenceError", "SyntaxError", "Error")


async def info(request):
    raw = request.js_object
    has_body = bool(raw.body)
    about = {
        "method": raw.method,
        "url": raw.url,
        "headers": [list(pair) for pair in raw.headers],
        "cf": json.loads(js.JSON.stringify(raw.cf)) if raw.cf is not None else None,
        "hasBody": has_body,
        "redirect": raw.redirect,
        "body": await request.text() if has_body else None,
    }
    return Response(json.dumps(about), headers={"content-type": "application/json"})


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = js.URL.new(request.url).pathname
        if path == "/info":
            return await info(request)
        if path == "/program":
            return await Interpreter().run_program(json.loads(await request.text()), build_scope({}))
        if path == "/redirect-to":
            query = js.URL.new(request.url).searchParams
            return Response(None, status=int(query.get("status")), headers={"location": query.get("to")})
        if path == "/redirect-loop":
            return Response(None, status=302, headers={"location": "/redirect-loop"})
        if path == "/redirect":
            return js.Response.redirect("http://elsewhere/final", 302)
        if path == "/redirect-self":
            return Response(None, status=302, headers={"location": "/info"})
        if path == "/ws":
            return self.web_socket(request)
        if path == "/props":
            return Response(json.dumps({"props": self.ctx.props.to_py()}), headers={"content-type": "application/json"})
        return await self.odd(path, request)

    async def odd(self, path, request):
        if path == "/throw":
            raise js.TypeError.new("target boom")
        if path == "/throw-string":
            raise js.Error.new("a string")
        if path == "/notresponse":
            return {"a": 1}
        if path == "/undefined":
            return None
        if path == "/slow":
            await asyncio.sleep(int(js.URL.new(request.url).searchParams.get("ms")) / 1000)
            return Response("slow done")
        if path == "/later":
            self.ctx.waitUntil(self.note("later"))
            return Response("at once")
        if path == "/was-later":
            return Response(json.dumps("later" in NOTES), headers={"content-type": "application/json"})
        return Response(f"target 404 {path}", status=404)

    async def note(self, name):
        await asyncio.sleep(0.02)
        NOTES.add(name)

    async def laterCall(self):
        self.ctx.waitUntil(self.note("laterCall"))
        return "at once"

    async def wasLater(self):
        return "laterCall" in NOTES

    def web_socket(self, request):
        if request.headers.get("upgrade") != "websocket":
            return Response("no upgrade", status=426)
        client, server = js.WebSocketPair.new().object_values()
        server.accept()

        def answer(event):
            data = event.data
            if data == "close":
                server.close(4002, "as asked")
            else:
                server.send(f"echo {data}" if isinstance(data, str) else data)

        server.addEventListener("message", answer)
        return js.Response.new(None, status=101, webSocket=client)

    async def echo(self, *values):
        return values[0] if len(values) == 1 else list(values)

    async def add(self, left, right):
        return f"{left}{right}" if isinstance(left, str) else left + right

    async def argCount(self, *values):
        return len(values)

    async def fail(self, name, message, props=None):
        raise getattr(js, name if name in ERRORS else "Error").new(message)

    async def call(self, function, *values):
        return await function(*values)

    async def fnAdd(self, n):
        return lambda x: x + n

    async def keepCallback(self, function):
        js.kept = function
        return "kept"

    async def stream(self, chunks):
        return js.Response.new("".join(chunks)).body

    async def readStream(self, stream):
        return await js.Response.new(stream).text()

    async def readBody(self, message):
        raw = message.js_object
        kind = raw.constructor.name
        text = await message.text()
        first = raw.status if kind == "Response" else raw.method
        return [kind, first, text, [list(pair) for pair in raw.headers]]

    async def response(self, body, init):
        return Response(body, status=init.get("status", 200), status_text=init.get("statusText", ""))

    async def request(self, url, init):
        return Request(url, method=init["method"], headers=init["headers"])

    async def classInstance(self):
        return Foo()

    async def withToJSON(self):
        return {"toJSON": lambda: "json", "v": 1}

    async def promiseField(self):
        return {"p": Foo()}  # the SDK refuses what is awaitable before the runtime sees it

    async def generator(self):
        return (n for n in [1])

    async def delay(self, ms, value):
        await asyncio.sleep(ms / 1000)
        return value

    async def scheduled(self, *_):
        return "s"

    @property
    def prop(self):
        return "proto getter"


class Foo:
    def __init__(self):
        self.x = 1


class Named(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(f"named {js.URL.new(request.url).pathname}")

    async def whoami(self):
        return "Named"

    async def props(self):
        return self.ctx.props

    async def envKeys(self):
        return ["TVAR"] if self.env.TVAR == "x" else []


class NoFetch(WorkerEntrypoint):
    async def hello(self):
        return "hello from NoFetch"


class objEntry(WorkerEntrypoint):  # the recorder's name
    async def fetch(self, request):
        return Response(f"objEntry {js.URL.new(request.url).pathname}")
