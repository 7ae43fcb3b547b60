"""The floor: a raw ASGI application under uvicorn."""

HEADERS = [(b"content-type", b"text/plain;charset=UTF-8"), (b"content-length", b"11")]


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"Hello World"})
