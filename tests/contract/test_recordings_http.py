"""Recorded HTTP requests, replayed as raw bytes through both fronts: wrangler's and the bare runtime's."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from http_client import exchange
from interp import load_cases
from replay import verdict

from pyworkers.clock import SystemClock
from pyworkers.config import load_project
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.server.access import AccessLog, Capture
from pyworkers.server.app import App
from pyworkers.server.control import Control
from pyworkers.server.front import Front
from pyworkers.server.listener import Listener, bind
from pyworkers.server.terminal import Output, Style

WORKER = Path(__file__).parent / "http_worker"


def cases(area: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in load_cases(area)]


@asynccontextmanager
async def serve(folder: Path, front: Front) -> AsyncIterator[tuple[int, Runtime]]:
    """Serve the worker of a folder on a free port."""
    project = load_project(folder, environ={})
    clock = SystemClock()
    output = Output(io.StringIO(), level="none", style=Style(enabled=False))
    log = AccessLog(output, several=False)
    sockets, port = bind("127.0.0.1", 0)
    async with AsyncExitStack() as stack:
        capture = stack.enter_context(Capture(output, log))
        runtime = Runtime(project, Stores(None, project, clock), clock=clock, console=capture.console)
        await stack.enter_async_context(runtime)
        for error in runtime.load_errors.values():
            raise error
        listener = Listener(App(runtime, log, Control(runtime, log), front=front), sockets)
        await listener.start()
        stack.push_async_callback(listener.stop, 0.2)
        yield port, runtime


async def replay(case: dict[str, Any], folder: Path, front: Front) -> list[Any]:
    number = re.search(r"/p/(\d+)", json.dumps(case["results"]))
    async with serve(folder, front) as (port, runtime):
        runtime.primary.namespace.load("entry").PROGRAM = case["program"]
        return [await exchange(port, step, number[1] if number else "0") for step in case["steps"]]


def masked(case: dict[str, Any], results: list[Any]) -> list[Any]:
    """Put a recorded ``<number>`` in place of the length of a text that holds a stack."""
    for recorded, actual in zip(case["results"], results, strict=True):
        expected = recorded["ok"].get("headers", []) if isinstance(recorded["ok"], dict) else []
        if ["Content-Length", "<number>"] in expected:
            for header in actual["ok"]["headers"]:
                if header[0] == "Content-Length" and header[1].isdigit():
                    header[1] = "<number>"
    return results


@pytest.mark.parametrize("case", cases("http_dev"))
def test_what_wrangler_dev_shows(case: dict[str, Any]) -> None:
    results = asyncio.run(replay(case, WORKER, Front()))
    assert verdict(case, "http_dev", masked(case, results), engine="wrangler") == {}


@pytest.mark.parametrize("case", cases("http"))
def test_what_the_bare_runtime_shows(case: dict[str, Any], tmp_path: Path) -> None:
    folder = WORKER
    if case["id"] == "http.special.nofetch":
        folder = tmp_path
        (folder / "wrangler.toml").write_text((WORKER / "wrangler.toml").read_text())
        (folder / "entry.py").write_text("async def scheduled(controller, env, ctx):\n    pass\n")
    results = asyncio.run(replay(case, folder, Front(is_wrangler=False)))
    assert verdict(case, "http", masked(case, results), engine="runtime") == {}
