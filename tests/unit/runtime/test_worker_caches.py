"""``from js import caches`` in workers: each has its own, and they outlive the process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.testing.worker import TestWorker

SOURCE = """
from js import caches
from workers import Response

async def fetch(request, env):
    cache = await caches.open("pages") if "named" in request.url else caches.default
    found = await cache.match("https://example.com/page")
    if found is not None:
        return Response(found.body, headers={"x-cache": found.headers.get("cf-cache-status")})
    response = Response(env.NAME, headers={"cache-control": "max-age=60"})
    await cache.put("https://example.com/page", response.js_object)
    return Response("stored")
"""


def write(folder: Path, name: str) -> Path:
    folder.mkdir()
    (folder / "entry.py").write_text(SOURCE)
    config = folder / "wrangler.toml"
    config.write_text(
        f'name = "{name}"\nmain = "entry.py"\ncompatibility_date = "2026-11-17"\n'
        f'compatibility_flags = ["python_workers"]\n[vars]\nNAME = "{name}"\n'
    )
    return config


def run(folder: Path, configs: list[Path], program: Callable[[Runtime, ManualClock], Awaitable[None]]) -> None:
    async def main() -> None:
        clock = ManualClock()
        project = load_project(folder, configs)
        async with Runtime(project, Stores(folder / "state", project, clock), clock=clock) as runtime:
            assert runtime.load_errors == {}
            await program(runtime, clock)

    asyncio.run(main())


async def answer(runtime: Runtime, worker: str, path: str = "/") -> tuple[str, str | None]:
    response = await TestWorker(runtime, worker).fetch(path)
    return await response.text(), response.headers.get("x-cache")


def test_each_worker_has_caches_of_its_own(tmp_path: Path) -> None:
    async def program(runtime: Runtime, clock: ManualClock) -> None:
        for name in ("one", "two"):
            for path in ("/", "/named"):
                assert await answer(runtime, name, path) == ("stored", None)
                assert await answer(runtime, name, path) == (name, "HIT")
        clock.advance(60)
        assert await answer(runtime, "one") == ("stored", None)

    run(tmp_path, [write(tmp_path / "one", "one"), write(tmp_path / "two", "two")], program)


def test_what_was_cached_outlives_the_runtime(tmp_path: Path) -> None:
    config = write(tmp_path / "one", "one")

    async def store(runtime: Runtime, _clock: ManualClock) -> None:
        assert await answer(runtime, "one") == ("stored", None)

    async def find(runtime: Runtime, _clock: ManualClock) -> None:
        assert await answer(runtime, "one") == ("one", "HIT")

    run(tmp_path, [config], store)
    run(tmp_path, [config], find)
