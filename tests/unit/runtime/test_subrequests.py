"""limits.subrequests: how many requests one event may send."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from pyworkers.clock import SystemClock
from pyworkers.config import load_project
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

CONFIG = """
name = "api"
main = "entry.py"
compatibility_date = "2026-04-14"
compatibility_flags = ["python_workers"]
limits = { subrequests = 2 }
"""
ENTRY = """
import js

async def fetch(request, env):
    texts = []
    for index in range(3):
        try:
            texts.append(await (await js.fetch(f"https://example.com/{index}")).text())
        except Exception as error:
            texts.append(str(error))
    return js.Response.new("|".join(texts))
"""
TOO_MANY = (
    "Error: Too many subrequests by single Worker invocation. To configure this limit, refer to "
    "https://developers.cloudflare.com/workers/wrangler/configuration/#limits"
)


async def answer(request: Request) -> Response:
    return Response(f"answer to {request.url[-1]}", url=request.url)


def test_each_event_may_send_so_many_requests(tmp_path: Path) -> None:
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    (tmp_path / "entry.py").write_text(ENTRY)

    async def main() -> list[Any]:
        project = load_project(tmp_path, [])
        clock = SystemClock()
        async with Runtime(project, Stores(None, project, clock), clock=clock, outbound=answer) as runtime:
            return [await (await runtime.fetch(Request(url="http://x/"))).text() for _ in range(2)]

    assert asyncio.run(main()) == [f"answer to 0|answer to 1|{TOO_MANY}"] * 2
