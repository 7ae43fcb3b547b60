"""The Durable Object classes of the recordings, in Python: what ``recorder/do.mjs`` is in JavaScript."""

import json

import js
from interp import record
from pyodide.ffi import to_js

from workers import DurableObject, Response, WorkerEntrypoint, python_to_rpc

ERRORS = ("TypeError", "RangeError", "SyntaxError", "URIError", "EvalError", "Error")


class Obj(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.mem = {}
        self.notes = js.Object.new()
        self.wslog = []
        if (self.ctx.id.name or "").startswith("ctor-throw"):
            raise js.Error.new("ctor boom")

    def scope(self):
        ctx = self.ctx._ctx
        storage = ctx.storage
        return {
            "ctx": ctx,
            "storage": storage,
            "sql": storage.sql,
            "kv": storage.kv,
            "env": self.env._env,
            "obj": self,
            "mem": self.notes,
            "DO": self.env._env.DO,
        }

    async def run(self, steps):
        return await record(steps, self.scope())

    async def fetch(self, request):
        url = js.URL.new(request.url)
        if url.pathname == "/throw":
            raise js.TypeError.new("fetch boom")
        if url.pathname == "/notresponse":
            return "nope"
        if url.pathname == "/ws":
            client, server = js.WebSocketPair.new().object_values()
            tags = [tag for tag in (url.searchParams.get("tags") or "").split(",") if tag]
            self.ctx.acceptWebSocket(server, to_js(tags))
            server.serializeAttachment(python_to_rpc({"n": 0}))
            return Response(None, status=101, web_socket=client)
        if request.method.value == "POST":
            from interp import Interpreter

            steps = json.loads(await request.text())
            return await Interpreter().run_program(steps, {**self.scope(), "request": request.js_object})
        shown = {
            "url": request.url,
            "method": request.method.value,
            "headers": [list(pair) for pair in request.js_object.headers],
            "id": len(self.ctx.id.toString()),
            "name": self.ctx.id.name,
            "cf": None,
        }
        return Response.json(shown)

    def echo(self, *args):
        return args[0] if len(args) == 1 else list(args)

    def typeName(self, value):
        return {str: "String"}.get(type(value), type(value).__name__)

    def add(self, a, b=float("nan")):
        return a + b

    def noReturn(self):
        return None

    def fail(self, name, message, extra=None):
        error = getattr(js, name if name in ERRORS else "Error").new(message)
        if name == "Custom":
            error.name = "Custom"
        for key, value in (extra or {}).items():
            setattr(error, key, value)
        raise error

    async def failValue(self, value=None):
        await js.Promise.reject(python_to_rpc(value))

    async def failAsync(self, message):
        await js.scheduler.wait(1)
        raise js.Error.new(message)

    async def callBack(self, function, *args):
        return await function(*args)

    def stream(self, chunks):
        return js.Blob.new(to_js(chunks)).stream()

    async def readStream(self, stream):
        return await js.Response.new(stream).text()

    def response(self, status, body):
        return Response(body, status=status, headers={"x-from": "do"})

    async def reqInfo(self, request):
        headers = request.js_object.headers
        return {
            "method": request.method.value,
            "url": request.url,
            "ct": headers.get("content-type"),
            "body": await request.text(),
        }

    def _underscore(self):
        return "underscore"

    def setMem(self, key, value):
        self.mem[key] = value
        return value

    def getMem(self, key):
        return self.mem.get(key)

    async def slow(self, delay_ms, value):
        await js.scheduler.wait(delay_ms)
        return value

    def abortSelf(self, *reason):
        self.ctx.abort(*reason)

    async def alarm(self, info):
        storage = self.ctx.storage
        log = (await storage.get("alarmLog")) or []
        log.append({"isRetry": info.isRetry, "retryCount": info.retryCount, "infoType": info.typeof})
        await storage.put("alarmLog", log)
        mode = await storage.get("alarmMode")
        if mode == "throw" and len(log) < 3:
            raise RuntimeError("alarm boom")
        if mode == "look":
            await storage.put("seen", await storage.getAlarm())
        if mode == "again" and len(log) < 3:
            await storage.setAlarm(js.Date.now() + 20)

    def wsList(self, tag=None):
        sockets = self.ctx.getWebSockets() if tag is None else self.ctx.getWebSockets(tag)
        return [
            {
                "state": socket.readyState,
                "tags": self.ctx.getTags(socket).to_py(),
                "att": socket.deserializeAttachment().to_py(),
            }
            for socket in sockets
        ]

    def wsBroadcast(self, message):
        for socket in self.ctx.getWebSockets():
            socket.send(message)

    def wsAutoResponse(self, request, response):
        self.ctx.setWebSocketAutoResponse(js.WebSocketRequestResponsePair.new(request, response))
        pair = self.ctx.getWebSocketAutoResponse()
        return {"request": pair.request, "response": pair.response}

    def getWsLog(self):
        return self.wslog

    def webSocketMessage(self, socket, message):
        is_text = isinstance(message, str)
        shown = (
            {"type": "string", "m": message} if is_text else {"type": message.constructor.name, "m": message.byteLength}
        )
        self.wslog.append({"ev": "message", **shown})
        count = socket.deserializeAttachment().n
        socket.serializeAttachment(python_to_rpc({"n": count + 1}))
        if message == "close-me":
            socket.close(4001, "bye")
        elif message == "throw":
            raise RuntimeError("ws boom")
        else:
            socket.send(f"echo:{message}:{count}" if is_text else message)

    def webSocketClose(self, socket, code, reason, was_clean):
        self.wslog.append({"ev": "close", "code": code, "reason": reason, "wasClean": was_clean})

    def webSocketError(self, socket, error):
        self.wslog.append({"ev": "error", "m": error.message})


class Plain(DurableObject):
    async def fetch(self, request):
        return Response(f"plain {js.URL.new(request.url).pathname}")

    def other(self):
        return 1


class NoHandlers(DurableObject):
    async def run(self, steps):
        ctx = self.ctx._ctx
        storage = ctx.storage
        return await record(steps, {"ctx": ctx, "storage": storage, "sql": storage.sql, "kv": storage.kv})


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if js.URL.new(request.url).hostname == "other":
            return Response.json({})
        return Response("x", status=404)
