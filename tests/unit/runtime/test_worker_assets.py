"""Static assets of workers in a project: before the worker, through service bindings, and without any code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.testing.worker import TestWorker

FRONT = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = request.url.partition("//")[2].partition("/")[2]
        if path.startswith("site/"):
            return await self.env.SITE.fetch("https://any.host/" + path.removeprefix("site/"))
        if path.startswith("own/"):
            return await self.env.ASSETS.fetch("https://any.host/" + path.removeprefix("own/"))
        return Response("front " + path)
"""
CONFIG = 'name = "{name}"\ncompatibility_date = "2026-11-17"\ncompatibility_flags = ["python_workers"]\n'


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def run(folder: Path, program: Callable[[TestWorker], Awaitable[None]]) -> None:
    front = CONFIG.format(name="front") + 'main = "entry.py"\n[assets]\ndirectory = "public"\nbinding = "ASSETS"\n'
    write(
        folder,
        {
            "front/wrangler.toml": front + '[[services]]\nbinding = "SITE"\nservice = "site"\n',
            "front/entry.py": FRONT,
            "front/public/hello.txt": "hello",
            "site/wrangler.toml": CONFIG.format(name="site") + '[assets]\ndirectory = "dist"\n',
            "site/dist/index.html": "the site",
        },
    )

    async def main() -> None:
        clock = ManualClock()
        project = load_project(folder, [folder / "front", folder / "site"])
        async with Runtime(project, Stores(None, project, clock), clock=clock) as runtime:
            assert runtime.load_errors == {}
            await program(TestWorker(runtime, "front"))

    asyncio.run(main())


async def answer(worker: TestWorker, path: str) -> tuple[int, str]:
    response: Any = await worker.fetch(path)
    return response.status, await response.text()


def test_assets_answer_before_the_worker_does(tmp_path: Path) -> None:
    async def program(worker: TestWorker) -> None:
        assert await answer(worker, "/hello.txt") == (200, "hello")
        assert await answer(worker, "/other.txt") == (200, "front other.txt")
        assert await answer(worker, "/own/hello.txt") == (200, "hello")
        assert await answer(worker, "/own/other.txt") == (404, "")

    run(tmp_path, program)


def test_a_worker_that_is_only_assets_answers_for_itself_and_for_who_is_bound_to_it(tmp_path: Path) -> None:
    async def program(worker: TestWorker) -> None:
        assert await answer(worker.other("site"), "/") == (200, "the site")
        assert await answer(worker.other("site"), "/none") == (404, "")
        assert await answer(worker, "/site/") == (200, "the site")
        assert await answer(worker, "/site/index.html") == (200, "the site")

    run(tmp_path, program)
