"""One bare WSGI application, reached through the adapter."""

import json

from workers import WorkerEntrypoint, wsgi

log = []


class Body:
    """An iterable with a close method, as PEP 3333 wants it called."""

    def __init__(self, chunks):
        self.chunks = chunks

    def __iter__(self):
        return iter(self.chunks)

    def close(self):
        log.append("closed")


def show_environ(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    skipped = ("wsgi.input", "wsgi.errors", "workers.env")
    shown = {key: value for key, value in environ.items() if key not in skipped}
    shown["env"] = environ["workers.env"].COLOR
    return [json.dumps(shown).encode()]


def echo(environ, start_response):
    start_response("201 Created", [])
    return [environ["wsgi.input"].read()]


def read_parts(environ, start_response):
    stream = environ["wsgi.input"]
    start_response("200 OK", [])
    return [stream.read(3), b"|", stream.readline(), b"|", *stream.readlines()]


def read_little(environ, start_response):
    start_response("200 OK", [])
    return [environ["wsgi.input"].read(1)]


def cookies(environ, start_response):
    start_response("200 Fine", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-A", "é".encode().decode("latin-1"))])
    return []


def stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])

    def chunks():
        for number in range(3):
            log.append(f"made {number}")
            yield f"chunk {number}\n".encode()

    return Body(chunks())


def late_start(environ, start_response):
    yield b""
    start_response("202 Accepted", [])
    yield b"late"


def write(environ, start_response):
    write = start_response("200 OK", [])
    write(b"written ")
    return [b"returned"]


def break_before(environ, start_response):
    raise ValueError("before the answer")


def break_in_body(environ, start_response):
    start_response("200 OK", [])
    yield b"part"
    raise ValueError("in the body")


def twice(environ, start_response):
    start_response("200 OK", [])
    start_response("200 OK", [])


def replaced(environ, start_response):
    start_response("200 OK", [])
    try:
        raise ValueError("sent already")
    except ValueError:
        import sys

        start_response("500 Oops", [], sys.exc_info())


def silent(environ, start_response):
    return []


def no_content(environ, start_response):
    start_response("204 No Content", [])
    return Body([b"ignored"])


ROUTES = {f"/{function.__name__}": function for function in (
    echo, read_parts, read_little, cookies, stream, late_start, write, break_before, break_in_body, twice, replaced,
    silent, no_content,
)}  # fmt: skip


def application(environ, start_response):
    return ROUTES.get(environ["PATH_INFO"], show_environ)(environ, start_response)


class Default(wsgi.entrypoint(application)):
    async def log(self):
        entries = list(log)
        log.clear()
        return entries


class Raw(WorkerEntrypoint):
    async def fetch(self, request):
        return await wsgi.fetch(application, request.js_object, self.env, self.ctx, options=wsgi.Options())
