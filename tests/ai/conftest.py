"""The AI engines under test, and the models they run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pyworkers.engines.ai.gguf import read_gguf
from pyworkers.engines.ai.llama_cpp_engine import LlamaCppEngine
from pyworkers.engines.ai.local import LocalSettings
from pyworkers.engines.ai.openai_engine import OpenAIEngine
from pyworkers.engines.ai.protocol import TextEngine
from pyworkers.engines.ai.xllamacpp_engine import XllamacppBackend, XllamacppEngine
from pyworkers.testing.tiny_model import write_tiny_model

SETTINGS = LocalSettings(context_tokens=1024, parallel=2, threads=1)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "random.gguf", random_weights=True)


@pytest.fixture(scope="session")
def steady_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "steady.gguf", is_steady=True)


def _needs(library: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(library) is None, reason=f"{library} is not installed")


@pytest.fixture(
    params=[
        pytest.param("xllamacpp", marks=_needs("xllamacpp")),
        pytest.param("llama_cpp", marks=_needs("llama_cpp")),
        pytest.param("openai", marks=_needs("xllamacpp")),
    ]
)
def open_any(request: pytest.FixtureRequest, tiny_model: Path) -> Iterator[Callable[[], Any]]:
    """`async with open_any() as (engine, model)`: each engine with the bigram model.

    `openai` asks the HTTP server inside xllamacpp: a real llama-server on the loopback interface.
    """
    kind = request.param
    peer = XllamacppBackend(read_gguf(tiny_model), SETTINGS, embedding=False) if kind == "openai" else None

    @asynccontextmanager
    async def opened() -> AsyncIterator[tuple[TextEngine, str]]:
        engine: TextEngine
        if peer is not None:
            engine, model = OpenAIEngine(f"{peer.address}/v1", api_key=peer.api_key), "tiny"
        else:
            engine = XllamacppEngine(SETTINGS) if kind == "xllamacpp" else LlamaCppEngine(SETTINGS)
            model = str(tiny_model)
        try:
            yield engine, model
        finally:
            await engine.close()

    opened.kind = kind  # type: ignore[attr-defined]
    yield opened
    if peer is not None:
        peer.close()


@pytest.fixture(
    params=[pytest.param("xllamacpp", marks=_needs("xllamacpp")), pytest.param("llama_cpp", marks=_needs("llama_cpp"))]
)
def open_local(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """`async with open_local() as engine`: each engine that runs models in this process."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[TextEngine]:
        engine = XllamacppEngine(SETTINGS) if request.param == "xllamacpp" else LlamaCppEngine(SETTINGS)
        try:
            yield engine
        finally:
            await engine.close()

    return opened
