"""A chat stream through both workers of the application, against the same engine called directly."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from benchmarks.processes import ROOT
from benchmarks.report import Figure
from pyworkers.bindings.ai.service import AIService
from pyworkers.clock import SystemClock
from pyworkers.config import load_project
from pyworkers.engines.ai import open_engine
from pyworkers.engines.ai.models import DEFAULT_MODEL, ModelStore
from pyworkers.engines.ai.protocol import TextChunk, TextEvent, TextRequest
from pyworkers.engines.ai.settings import AISettings
from pyworkers.js.request import Request
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

ROUNDS = 5
TOKENS = 96
PROMPT = "Write a short story about a lighthouse keeper and the sea."


def measure() -> list[Figure]:
    """Run both in turn, on the chat model if it was pulled."""
    if not ModelStore().has(DEFAULT_MODEL):
        print("  skipped: no model; `pyworkers models pull smollm2` fetches it", file=sys.stderr)
        return []
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    project, clock = load_project(ROOT), SystemClock()
    settings = AISettings.from_config(project.tools.ai, root=project.root)
    engine = Recording(open_engine(settings))
    stores = Stores(None, project, clock)
    stores.use_ai_service(AIService(settings, clock=clock, open_=lambda _settings: engine))
    async with Runtime(project, stores, clock=clock) as runtime:
        await _through(runtime)  # loads the model
        rates, delays = [], []
        for _ in range(ROUNDS):
            through_first_s, through_rate = await _through(runtime)
            direct_first_s, direct_rate = await _direct(engine)
            rates.append(through_rate / direct_rate)
            delays.append((through_first_s - direct_first_s) * 1000)
    return [
        Figure("AI stream: tokens/s through both workers / engine", statistics.median(rates), "×", reach="≥ 0.95"),
        Figure("AI stream: first token later by", statistics.median(delays), "ms", reach="≤ 10"),
    ]


class Recording:
    """Passes calls on to an engine and remembers what it was asked, so that the same can be asked directly."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.asked: tuple[str, TextRequest] | None = None

    def stream(self, model: str, request: TextRequest) -> AsyncIterator[TextEvent]:
        """Generate."""
        self.asked = model, request
        events: AsyncIterator[TextEvent] = self._engine.stream(model, request)
        return events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


async def _through(runtime: Runtime) -> tuple[float, float]:
    messages = [{"role": "user", "content": PROMPT}]
    body = json.dumps({"messages": messages, "temperature": 0, "maxTokens": TOKENS}).encode()
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]  # no answer of an earlier round
    request = Request(method="POST", url="http://localhost/stream/chat", headers=lambda: headers, body=body)
    started = time.perf_counter()
    response = await runtime.fetch(request)
    taken = response.take_body()
    assert taken is not None
    assert response.headers.find("x-inference-cache") == "bypass"
    assert not isinstance(taken, bytes)
    moments = [time.perf_counter() async for chunk in taken.chunks() if b"message-part" in chunk]
    return _rate(started, moments)


async def _direct(engine: Recording) -> tuple[float, float]:
    assert engine.asked is not None
    started = time.perf_counter()
    moments = [
        time.perf_counter() async for event in engine.stream(*engine.asked) if isinstance(event, TextChunk)
    ]  # fmt: skip
    return _rate(started, moments)


def _rate(started: float, moments: list[float]) -> tuple[float, float]:
    """Return the seconds to the first token, and tokens a second from it on."""
    return moments[0] - started, (len(moments) - 1) / (moments[-1] - moments[0])
