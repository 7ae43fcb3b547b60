"""The Inference UI application: requests of its API worker, the hop to the streaming worker, 100 chats at once.

Requests a second are by the clock, of a server that has one core and shares it with nobody; what each took of that core
is in the detail.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.load import read_response
from benchmarks.processes import ROOT, Server, free_port, pyworkers, serving
from benchmarks.report import Figure
from pyworkers.clock import SystemClock
from pyworkers.config import load_project
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.testing.tiny_model import write_tiny_model
from pyworkers.testing.worker import TestWorker

KEY = "sk_test_LocalDemoKeyNotForProductionUse0"  # of workers/seed.py
ROUNDS = 5
REQUESTS = 1_000  # a round
CLIENTS = 16
EVENTS = 10  # a post
HOPS = 1_000
CHATS = 100
PROJECT = """[tool.pyworkers]
workers = ["workers/*"]

[tool.pyworkers.ai]
engine = "xllamacpp"
default_model = "tiny.gguf"
"""


def measure() -> list[Figure]:
    """Measure over HTTP, then the hop in process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            with running(folder, on_one_core=True) as server:
                rates = [
                    _rate(runner, server, "GET /health", request("GET", "/health"), "≥ 2000"),
                    _rate(runner, server, f"POST /events of {EVENTS}", request("POST", "/events", _events()), "≥ 800"),
                ]
            with running(folder) as server:
                chats = runner.run(_chats(server.port))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            direct_ms, bound_ms = runner.run(_hops(folder))
    return [
        *rates,
        *(
            Figure(
                f"hop to the streaming worker adds to a stream's first byte, {percent}th percentile",
                _percentile(bound_ms, percent) - _percentile(direct_ms, percent),
                "ms",
                reach=reach,
                detail=f"{_percentile(bound_ms, percent):.2f} ms against {_percentile(direct_ms, percent):.2f} ms",
            )
            for percent, reach in ((50, "≤ 0.1"), (99, "< 1"))
        ),
        Figure(
            f"{CHATS} chats at once: the slowest / the median",
            max(chats) / statistics.median(chats),
            "×",
            reach="≤ 3",
            detail=f"{max(chats):.2f} s against {statistics.median(chats):.2f} s",
        ),
    ]


def write_project(folder: Path) -> None:
    """Write a project of the application's own files, with a model that costs nothing, and its demo tenant."""
    (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (folder / "workers").symlink_to(ROOT / "workers")
    shutil.copy(ROOT / "wrangler.toml", folder)
    write_tiny_model(folder / "tiny.gguf")
    seed = [sys.executable, "workers/seed.py", "--persist-to", str(folder / "state")]
    subprocess.run([*seed, "--env-file", str(folder / ".dev.vars")], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def running(folder: Path, *, on_one_core: bool = False) -> Iterator[Server]:
    """Run the application that `write_project` wrote, its data in files as `pyworkers dev` has them."""
    port = free_port()
    command = pyworkers("dev", "--port", str(port), "--persist-to", "state")
    with serving(command, port, cwd=folder, on_one_core=on_one_core) as server:
        yield server


def request(method: str, path: str, body: Any = None) -> bytes:
    """Return a request with the demo tenant's key."""
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def _events() -> list[dict[str, Any]]:
    properties = {"component": "Save", "flow": "signup", "step": "email"}
    return [
        {"event": "button_press", "sessionId": f"session-{number % 3}", "properties": {**properties, "n": number}}
        for number in range(EVENTS)
    ]


def _rate(runner: asyncio.Runner, server: Server, name: str, message: bytes, reach: str) -> Figure:
    runner.run(_pound(server.port, message, CLIENTS * 4))
    cpu_s, waited_s = [], []
    for _ in range(ROUNDS):
        cpu_before_s, started_s = server.cpu_s(), time.perf_counter()
        runner.run(_pound(server.port, message, REQUESTS))
        waited_s.append((time.perf_counter() - started_s) / REQUESTS)
        cpu_s.append((server.cpu_s() - cpu_before_s) / REQUESTS)
    detail = f"{statistics.median(cpu_s) * 1e3:.2f} ms of CPU each"
    return Figure(f"{name}: requests on one core", 1 / statistics.median(waited_s), "/s", reach=reach, detail=detail)


async def _pound(port: int, message: bytes, requests: int) -> None:
    await asyncio.gather(*(_client(port, message, requests // CLIENTS) for _ in range(CLIENTS)))


async def _client(port: int, message: bytes, requests: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(requests):
        writer.write(message)
        await read_response(reader)
    writer.close()
    await writer.wait_closed()


async def _chats(port: int) -> list[float]:
    """Return the seconds that each of many chats took that begin together, no two of them the same."""
    await _chat(port, -1)  # loads the model
    return await asyncio.gather(*(_chat(port, number) for number in range(CHATS)))


async def _chat(port: int, number: int) -> float:
    body = {"messages": [{"role": "user", "content": f"Tell me of {number}"}], "maxTokens": 32, "cache": False}
    started_s = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        request("POST", "/stream/chat", body).replace(
            b"Host: localhost\r\n", b"Host: localhost\r\nConnection: close\r\n"
        )
    )
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    if not answer.startswith(b"HTTP/1.1 200") or b"[DONE]" not in answer:
        raise RuntimeError(answer[:500].decode("latin-1"))
    return time.perf_counter() - started_s


async def _hops(folder: Path) -> tuple[list[float], list[float]]:
    """Return after how many ms a stream's first byte comes: called directly, and through the API worker's binding.

    Both are the same stream, of the cache, in turn: the model's own time would hide a hop of microseconds.
    """
    project, clock = load_project(folder), SystemClock()
    async with Runtime(project, Stores(folder / "state", project, clock), clock=clock) as runtime:
        api = TestWorker(runtime, "inference-ui-api")
        targets = api.other("inference-ui-streaming"), api.env.STREAMING
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(20):
            for target in targets:
                await _first_byte_ms(target)
        for number in range(HOPS):
            for place in (0, 1) if number % 2 else (1, 0):  # what follows the other may find it still busy
                taken[place].append(await _first_byte_ms(targets[place]))
        return taken


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


async def _first_byte_ms(target: Any) -> float:
    body = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "temperature": 0, "maxTokens": 8})
    started_s = time.perf_counter()
    headers = {"content-type": "application/json", "x-inference-ui-tenant": "demo"}
    response = await target.fetch("http://localhost/chat", method="POST", body=body, headers=headers)
    reader = response.js_object.body.getReader()
    await reader.read()
    taken_s = time.perf_counter() - started_s
    while not (await reader.read()).done:
        pass
    return taken_s * 1000
