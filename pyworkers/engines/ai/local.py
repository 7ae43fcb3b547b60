"""What every engine that runs models in this process shares: prompts, grammars, tool calls, threads.

A backend (xllamacpp, llama-cpp-python) only turns a prompt and a grammar into pieces of text, blocking, in a thread.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from pyworkers.engines.ai.gguf import GgufInfo, read_gguf
from pyworkers.engines.ai.grammar import (
    TOOL_CALL_OPEN,
    Budget,
    parse_tool_calls,
    schema_to_gbnf,
    tools_to_gbnf,
)
from pyworkers.engines.ai.protocol import (
    EmbeddingResult,
    TextChunk,
    TextEnd,
    TextEvent,
    TextRequest,
    ToolCall,
    Usage,
)
from pyworkers.engines.ai.template import ChatTemplate
from pyworkers.errors import EngineClosed

__all__ = ["Backend", "Generation", "LocalSettings", "LocalTextEngine", "Outcome", "normalised"]

_ILL_FORMED: Final = re.compile("\ufffd+")


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """How models run here.

    Attributes:
        context_tokens: prompt and answer of one request together; lowered to what the model was trained for.
        parallel: requests that one model serves at the same time, where the backend can.
        threads: CPU threads a model uses; None for all cores but one.
    """

    context_tokens: int = 4096
    parallel: int = 4
    threads: int | None = None

    @property
    def thread_count(self) -> int:
        """Return how many threads to use."""
        return self.threads or max(1, (os.cpu_count() or 2) - 1)

    def context_for(self, info: GgufInfo) -> int:
        """Return the context of one request on a model."""
        return min(self.context_tokens, info.context_tokens or self.context_tokens)


@dataclass(frozen=True, slots=True)
class Generation:
    """What a backend is asked for: sampling as in TextRequest, all of it decided."""

    prompt: str
    grammar: str | None
    request: TextRequest


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a backend says at the end."""

    finish_reason: Literal["stop", "length"]
    usage: Usage


class Backend(Protocol):
    """One loaded model. Every method but ``close`` blocks and is called in a thread of the model's own pool.

    Attributes:
        parallel: how many calls it takes at the same time.
    """

    parallel: int

    def generate(self, generation: Generation, emit: Callable[[str], bool]) -> Outcome:
        """Call ``emit`` with each piece as it is made; stop when it returns True.

        Raises:
            ContextOverflow: the prompt does not fit.
        """
        ...

    def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        """Return normalised vectors."""
        ...

    def count_tokens(self, text: str) -> int:
        """Count without special tokens."""
        ...

    def close(self) -> None:
        """Free the model; nothing is running on it any more."""
        ...


class _Stop(Exception):
    """The consumer of a stream has gone."""


class _Pipe:
    """Carries pieces from a model's thread to the event loop, waking it once a batch."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pieces: deque[str] = deque()
        self._wake = asyncio.Event()
        self._woken = False
        self.is_stopped = False

    def emit(self, piece: str) -> bool:
        """Thread side: pass a piece on; return True when nobody reads any more."""
        if piece:
            self._pieces.append(piece)
            self.wake()
        return self.is_stopped

    def wake(self) -> None:
        """Thread side: have the loop look."""
        if self._woken:
            return
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._wake.set)
        except RuntimeError:  # the loop has been closed under a running generation
            self.is_stopped = True

    async def wait(self) -> None:
        """Loop side: return when there may be something to take."""
        await self._wake.wait()
        self._wake.clear()
        # Cleared before the pieces are taken: a piece that comes in between wakes again, none is forgotten.
        self._woken = False

    def take(self) -> str | None:
        """Loop side: return the next piece, or None."""
        return self._pieces.popleft() if self._pieces else None


class _Model:
    """One model file: described, loaded and served by its own threads."""

    def __init__(self, path: Path, info: GgufInfo, backend: Backend) -> None:
        self.path = path
        self.info = info
        self.backend = backend
        self.template = ChatTemplate(info)
        self.pool = ThreadPoolExecutor(backend.parallel, thread_name_prefix=f"ai-{path.stem[:24]}")

    def close(self) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.backend.close()


class LocalTextEngine:
    """A TextEngine over a backend; see pyworkers.engines.ai.protocol for its laws.

    Args:
        open_backend: loads a model; blocking, called in a thread.
    """

    name = "local"

    def __init__(
        self,
        open_backend: Callable[[GgufInfo, LocalSettings, bool], Backend],
        settings: LocalSettings | None = None,
    ) -> None:
        self._open_backend = open_backend
        self._settings = settings or LocalSettings()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="ai-load")
        self._models: dict[tuple[Path, bool], Future[_Model]] = {}
        self._pipes: set[_Pipe] = set()
        self._is_closed = False

    async def stream(self, model: str, request: TextRequest) -> AsyncIterator[TextEvent]:
        """Generate; see TextEngine."""
        loaded = await self._load(model, embedding=False)
        pipe = _Pipe(asyncio.get_running_loop())
        self._pipes.add(pipe)
        job = loaded.pool.submit(self._generate, loaded, request, pipe)
        job.add_done_callback(lambda _: pipe.wake())
        try:
            while not job.done():
                await pipe.wait()
                while (piece := pipe.take()) is not None:
                    yield TextChunk(piece)
            while (piece := pipe.take()) is not None:
                yield TextChunk(piece)
            yield job.result()
        finally:
            pipe.is_stopped = True
            self._pipes.discard(pipe)
            if not job.cancel():
                await _settled(job)

    async def embed(self, model: str, texts: Sequence[str]) -> EmbeddingResult:
        """Return one vector a text; see TextEngine."""
        loaded = await self._load(model, embedding=True)
        return await asyncio.wrap_future(loaded.pool.submit(loaded.backend.embed, list(texts)))

    async def count_tokens(self, model: str, text: str) -> int:
        """Return the number of tokens in a text; see TextEngine."""
        loaded = await self._load(model, embedding=False)
        return await asyncio.wrap_future(loaded.pool.submit(loaded.backend.count_tokens, text))

    async def close(self) -> None:
        """Stop every generation and free the models; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        for pipe in self._pipes:
            pipe.is_stopped = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._loader.shutdown(wait=True, cancel_futures=True)
        for loading in self._models.values():
            if loading.done() and not loading.cancelled() and loading.exception() is None:
                loading.result().close()
        self._models.clear()

    # -- loading --------------------------------------------------------------------------------

    async def _load(self, model: str, *, embedding: bool) -> _Model:
        """Return the model, loading it once however many ask; a failed load is tried again next time."""
        if self._is_closed:
            raise EngineClosed("the AI engine is closed", hint="open a new one")
        key = (Path(model), embedding)
        loading = self._models.get(key)
        if loading is None:
            loading = self._models[key] = self._loader.submit(self._open, *key)
            loading.add_done_callback(lambda done: self._forget_failed(key, done))
        return await asyncio.wrap_future(_shared(loading))

    def _open(self, path: Path, embedding: bool) -> _Model:  # noqa: FBT001  # called through submit
        info = read_gguf(path)
        return _Model(path, info, self._open_backend(info, self._settings, embedding))

    def _forget_failed(self, key: tuple[Path, bool], loading: Future[_Model]) -> None:
        if loading.cancelled() or loading.exception() is not None:
            self._models.pop(key, None)

    # -- generating, in a thread ----------------------------------------------------------------

    def _generate(self, model: _Model, request: TextRequest, pipe: _Pipe) -> TextEnd:
        if pipe.is_stopped:
            raise _Stop
        generation = Generation(model.template.render(request), _grammar(model.info, request), request)
        emit = pipe.emit if generation.grammar is None else _as_counted(pipe.emit)
        if not request.tools or request.tool_choice == "none":
            outcome = model.backend.generate(generation, emit)
            return TextEnd(outcome.finish_reason, outcome.usage)
        sorter = _ToolSorter(emit)
        outcome = model.backend.generate(generation, sorter.emit)
        calls = sorter.finish(request)
        return TextEnd("tool_calls" if calls else outcome.finish_reason, outcome.usage, calls)


def _as_counted(emit: Callable[[str], bool]) -> Callable[[str], bool]:
    """Make ill-formed UTF-8 one character of the text, as it was one to the grammar.

    llama.cpp's grammars decode without looking for overlong forms, so a model that writes single bytes can get one
    through; decoded, each of its bytes would be a U+FFFD, and a string longer than its schema allows.
    """
    was_ill_formed = False

    def counted(piece: str) -> bool:
        nonlocal was_ill_formed
        if not piece:
            return emit(piece)
        first = piece.lstrip("\ufffd") if was_ill_formed else piece
        was_ill_formed = piece.endswith("\ufffd")
        return emit(_ILL_FORMED.sub("\ufffd", first))

    return counted


class _ToolSorter:
    """Lets text through and keeps tool calls back: an answer is one or the other, known by its first characters."""

    def __init__(self, emit: Callable[[str], bool]) -> None:
        self._emit = emit
        self._held = ""
        self._is_text = False

    def emit(self, piece: str) -> bool:
        if not self._is_text:
            self._held += piece
            start = self._held[: len(TOOL_CALL_OPEN)]
            if TOOL_CALL_OPEN.startswith(start):
                return self._emit("")
            self._is_text, piece, self._held = True, self._held, ""
        return self._emit(piece)

    def finish(self, request: TextRequest) -> tuple[ToolCall, ...]:
        if self._held.startswith(TOOL_CALL_OPEN):
            return parse_tool_calls(self._held, request.tools)
        self._emit(self._held)
        return ()


def _grammar(info: GgufInfo, request: TextRequest) -> str | None:
    """Return the grammar that a request is held to, or None for free text."""
    budget = Budget.for_model(max_tokens=request.max_tokens, vocabulary=info.vocabulary)
    if request.json_schema is not None:
        return schema_to_gbnf(request.json_schema, budget=budget)
    if request.tools and request.tool_choice != "none":
        return tools_to_gbnf(request.tools, choice=request.tool_choice, budget=budget)
    return None


def _shared(future: Future[_Model]) -> Future[_Model]:
    """Return a future of its own for one waiter, so that cancelling the waiter does not cancel the load."""
    own: Future[_Model] = Future()

    def settle(done: Future[_Model]) -> None:
        if not own.set_running_or_notify_cancel():
            return
        if done.cancelled():
            own.set_exception(EngineClosed("the AI engine was closed while a model was loading"))
        elif (error := done.exception()) is not None:
            own.set_exception(error)
        else:
            own.set_result(done.result())

    future.add_done_callback(settle)
    return own


async def _settled(job: Future[TextEnd]) -> None:
    """Wait until a job has left its thread, whatever came out of it."""
    if not job.done():
        left, loop = asyncio.Event(), asyncio.get_running_loop()
        job.add_done_callback(lambda _: loop.call_soon_threadsafe(left.set))
        await left.wait()
    if not job.cancelled():
        job.exception()


def normalised(vector: Sequence[float]) -> tuple[float, ...]:
    """Return the vector with Euclidean length 1; zeros stay zeros."""
    length = math.sqrt(math.fsum(value * value for value in vector)) or 1.0
    return tuple(value / length for value in vector)
