"""One bare ASGI application, reached through every door of the adapter."""

import asyncio
import json

import asgi as top_level_asgi

from workers import WorkerEntrypoint, asgi

log = []
OPTIONS = asgi.Options(encode_body="manual")


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(scope, receive, send)
    if scope["type"] == "websocket":
        return await websocket(scope, receive, send)
    return await ROUTES[scope["path"]](scope, receive, send)


async def lifespan(scope, receive, send):
    scope["state"]["started"] = "yes"
    assert (await receive())["type"] == "lifespan.startup"
    log.append("startup")
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    log.append("shutdown")
    await send({"type": "lifespan.shutdown.complete"})


async def answer(send, body, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def show_scope(scope, receive, send):
    shown = {key: repr(value) for key, value in scope.items() if key not in ("env", "headers", "asgi")}
    shown["headers"] = [[name.decode(), value.decode()] for name, value in scope["headers"]]
    shown["asgi"] = scope["asgi"]
    shown["env"] = [f"{type(scope['env']).__module__}.{type(scope['env']).__qualname__}", scope["env"].COLOR]
    await answer(send, json.dumps(shown).encode(), headers=[(b"Content-Type", b"application/json")])


async def echo(scope, receive, send):
    messages = []
    while True:
        message = await receive()
        messages.append(message)
        if not message["more_body"]:
            break
    assert [message["type"] for message in messages] == ["http.request"] * len(messages)
    await answer(send, b"".join(message["body"] for message in messages))
    assert await receive() == {"type": "http.disconnect"}
    log.append("disconnect")


async def cookies(scope, receive, send):
    await answer(send, b"", headers=[(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-one", b"1")])


async def stream(scope, receive, send):
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    for number in range(3):
        await send({"type": "http.response.body", "body": f"data: {number}\n\n".encode(), "more_body": True})
        log.append(f"sent {number}")
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    log.append("streamed")


async def break_before(scope, receive, send):
    raise ValueError("before the answer")


async def break_after(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    raise ValueError("in the middle")


async def silent(scope, receive, send):
    pass


async def no_content(scope, receive, send):
    await answer(send, b"ignored", status=204)


async def empty(scope, receive, send):
    await answer(send, b"", status=200)


async def websocket(scope, receive, send):
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    if scope["path"] == "/broken":
        raise ValueError("socket broke")
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            log.append(["disconnect", message["code"], message["reason"]])
            return
        if message.get("text") == "close":
            await send({"type": "websocket.close", "code": 4000, "reason": "asked"})
            return
        if message.get("text") == "end":
            return
        if "bytes" in message:
            await send({"type": "websocket.send", "bytes": message["bytes"][::-1]})
        else:
            await send({"type": "websocket.send", "text": message["text"].upper()})


ROUTES = {
    "/scope é": show_scope,
    "/echo": echo,
    "/cookies": cookies,
    "/stream": stream,
    "/before": break_before,
    "/after": break_after,
    "/silent": silent,
    "/no-content": no_content,
    "/empty": empty,
}


async def without_lifespan(scope, receive, send):
    assert scope["type"] == "http"
    await answer(send, b"no lifespan")


async def failing_lifespan(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        return
    raise AssertionError


class Default(asgi.entrypoint(application)):
    async def log(self):
        entries = list(log)
        log.clear()
        return entries


class Plain(WorkerEntrypoint):
    async def fetch(self, request):
        return await asgi.fetch(without_lifespan, request.js_object, self.env)


class Failing(WorkerEntrypoint):
    async def fetch(self, request):
        return await asgi.fetch(failing_lifespan, request, self.env, self.ctx)


class Encoded(WorkerEntrypoint):
    async def fetch(self, request):
        response = await asgi.fetch(application, request, self.env, options=OPTIONS)
        assert top_level_asgi is asgi
        assert type(response).__module__ == "pyodide.ffi"
        return response
