"""What becomes of a worker's unfinished business: its writers, its timers, and what ``waitUntil`` holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from serving import leave, run, serving_worker

LOCAL = "Host: localhost"

WRITER = """
import js
from pyodide.ffi import JsException, to_js

async def fetch(request, env, ctx):
    pair = js.{kind}.new({arguments})

    async def write():
        writer = pair.writable.getWriter()
        try:
            while True:
                await writer.write(to_js(b"x" * 1000))
        except JsException as error:
            print("the writer got", error)

    ctx.waitUntil(write())
    return js.Response.new(pair.readable)
"""


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [("TransformStream", ""), ("TransformStream", "js.Object.new()"), ("FixedLengthStream", "10**9")],
)
def test_a_client_that_leaves_is_a_lost_connection_to_the_writer(tmp_path: Path, kind: str, arguments: str) -> None:
    async def main() -> None:
        source = WRITER.format(kind=kind, arguments=arguments)
        async with serving_worker(tmp_path, source) as served:
            reader, writer = await served.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await reader.readuntil(b"xxx")
            await leave(writer)
            await served.written("the writer got Error: Network connection lost.\n")

    run(main())


SCHEDULED = """
import asyncio
import js

async def fail():
    await asyncio.sleep(0.01)
    raise ValueError("kept alive boom")

async def scheduled(controller, env, ctx):
    ctx.waitUntil(asyncio.sleep(0))
    if controller.cron == "later":
        ctx.waitUntil(fail())
    if controller.cron == "rejected":
        ctx.waitUntil(js.Promise.reject(js.Error.new("rejected")))
"""


@pytest.mark.parametrize(("cron", "answer"), [("fine", b"ok"), ("later", b"exception"), ("rejected", b"exception")])
def test_a_scheduled_event_is_as_good_as_what_it_keeps_alive(tmp_path: Path, cron: str, answer: bytes) -> None:
    async def main() -> None:
        async with serving_worker(tmp_path, SCHEDULED) as served:
            status, _, body = await served.request("GET", f"/cdn-cgi/handler/scheduled?cron={cron}", LOCAL)
            assert (status, body) == (200 if answer == b"ok" else 500, answer)
            await served.written(f"SCHEDULED {cron} {status} (")

    run(main())


TICKING = """
import js
from pyodide.ffi import create_proxy

ticks = []

async def fetch(request, env):
    js.setInterval(create_proxy(lambda: print("{word}")), 1)
    return js.Response.new("set")
"""


def test_an_interval_ends_with_the_code_that_set_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving_worker(tmp_path, TICKING.format(word="old")) as served:
            await served.request("GET", "/")
            await served.written("old")
            (tmp_path / "entry.py").write_text(TICKING.format(word="new"))
            served.runtime.load("main")
            await served.request("GET", "/")
            await served.written("new\n    new\n    new")
            at = served.stream.tell()
            await served.written_after(at, "new\n    new\n    new")
            assert "old" not in served.text[at:]

    run(main())
