"""Queues on a real Valkey: two servers share one queue, and each message is consumed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.runtime.environment import js_value
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

WORKER = """
seen = []


async def fetch(request, env):
    pass


async def queue(batch, env, ctx):
    seen.extend((message.body, message.attempts) for message in batch.messages)
"""
CONFIG = """
name = "w"
main = "entry.py"
compatibility_date = "2026-04-01"
[[queues.producers]]
binding = "JOBS"
queue = "jobs"
[[queues.consumers]]
queue = "jobs"
max_batch_size = 3
"""


def test_two_servers_consume_one_queue(valkey_port: int, valkey: object, tmp_path: Path) -> None:
    folder = tmp_path / "worker"
    folder.mkdir()
    (folder / "entry.py").write_text(WORKER)
    (folder / "wrangler.toml").write_text(CONFIG)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pyworkers.engines]\nqueues = "redis"\n'
        f'[tool.pyworkers.redis]\nurl = "redis://127.0.0.1:{valkey_port}/0"\n'
    )

    async def main() -> None:
        clock = ManualClock()
        project = load_project(folder, environ={})
        runtimes = [Runtime(project, Stores(tmp_path / "state", project, clock), clock=clock) for _ in range(2)]
        async with runtimes[0] as first, runtimes[1] as second:
            seen = [runtime.primary.namespace.import_module("entry").seen for runtime in (first, second)]
            for number in range(20):
                await first.primary.env.JOBS.send(number)
            await first.primary.env.JOBS.send("late", js_value({"delaySeconds": 30}))
            await clock.advance(5)
            assert sorted([*seen[0], *seen[1]]) == [(number, 1) for number in range(20)]
            await clock.advance(40)
            assert ("late", 1) in [*seen[0], *seen[1]]
            assert (await second.queues.queue("jobs").engine.look(1, owner="test")).ready == 0

    asyncio.run(main())
