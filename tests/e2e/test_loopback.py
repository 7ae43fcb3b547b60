"""Workers that call their own server's address."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dev_process import Dev, StartDev

MakeWorker = Callable[..., Path]

LOOPS = """
import json
from urllib.parse import urlsplit
from js import fetch
from workers import Response

async def handle(request, env):
    parts = urlsplit(request.url)
    inner = f"http://127.0.0.1:{parts.port}/inner"
    if parts.path == "/inner":
        body = await request.text()
        return Response(f"{request.method} {body} " + request.headers.get("x-a", ""), headers={"x-b": "2"})
    if parts.path == "/fetch":
        return Response("got " + await (await fetch(inner)).text())
    import requests
    if parts.path == "/post":
        answer = requests.post(inner, data="data", headers={"X-A": "1"}, timeout=120)
        return Response(f"{answer.status_code} {answer.text} {answer.headers['x-b']} {answer.ok}")
    if parts.path == "/stream":
        with requests.get(inner, stream=True) as answer:
            return Response(b"".join(answer.iter_content(3)).decode())
    if parts.path == "/redirect":
        answer = requests.get(f"http://127.0.0.1:{parts.port}/away")
        return Response(f"{answer.status_code} {len(answer.history)} {answer.text}")
    if parts.path == "/away":
        return Response(None, status=302, headers={"location": "/inner"})
    if parts.path == "/session":
        with requests.Session() as session:
            return Response(str([session.get(inner).status_code for _ in range(20)].count(200)))
    if parts.path == "/urllib3":
        import urllib3
        answer = urllib3.request("PUT", inner, json={"a": 1})
        return Response(f"{answer.status} {answer.data.decode()}")
    import httpx
    if parts.path == "/httpx":
        with httpx.Client(headers={"X-A": "1"}) as client:
            answer = client.post(inner, content=b"data", timeout=120)
        return Response(f"{answer.status_code} {answer.reason_phrase} {answer.text} {answer.headers['x-b']}")
    if parts.path == "/httpx-stream":
        with httpx.stream("GET", inner) as answer:
            return Response("".join(answer.iter_text(3)))
    if parts.path == "/httpx-redirect":
        answer = httpx.get(f"http://127.0.0.1:{parts.port}/away", follow_redirects=True)
        return Response(f"{answer.status_code} {len(answer.history)} {answer.text}")
    if parts.path == "/httpx-refused":
        try:
            httpx.get("http://127.0.0.1:1/")
        except httpx.ConnectError as error:
            return Response(f"refused: {'Network connection lost' in str(error)}")
    if parts.path == "/refused":
        try:
            requests.get("http://127.0.0.1:1/")
        except requests.ConnectionError as error:
            return Response(f"refused: {'Network connection lost' in str(error)}")
    return Response("?", status=404)

fetch_handler = handle
"""


def test_a_worker_asks_its_own_server(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = LOOPS.replace(
        "fetch_handler = handle", "async def on(request, env):\n    return await handle(request, env)"
    )
    source = source.replace("async def on(request, env)", "js_fetch = fetch\nasync def fetch(request, env)")
    source = source.replace("await (await fetch(inner))", "await (await js_fetch(inner))")
    dev: Dev = start_dev(folder=make_worker("api", source))
    answers = {
        path: dev.get(path).text
        for path in (
            *("/fetch", "/post", "/stream", "/redirect", "/session", "/urllib3", "/refused"),
            *("/httpx", "/httpx-stream", "/httpx-redirect", "/httpx-refused"),
        )
    }
    assert answers == {
        "/fetch": "got GET  ",
        "/post": "200 POST data 1 2 True",
        "/stream": "GET  ",
        "/redirect": "200 1 GET  ",
        "/session": "20",
        "/urllib3": '200 PUT {"a":1} ',
        "/refused": "refused: True",
        "/httpx": "200 OK POST data 1 2",
        "/httpx-stream": "GET  ",
        "/httpx-redirect": "200 1 GET  ",
        "/httpx-refused": "refused: True",
    }
