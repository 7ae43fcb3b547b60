"""llama.cpp through llama-cpp-python: compiled on the user's machine, one request at a time on a model."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from pyworkers.engines.ai.errors import ContextOverflow, ModelCorrupt
from pyworkers.engines.ai.gguf import GgufInfo
from pyworkers.engines.ai.local import Generation, LocalSettings, LocalTextEngine, Outcome, normalised
from pyworkers.engines.ai.protocol import EmbeddingResult, Usage
from pyworkers.engines.ai.settings import AISettings

__all__ = ["LlamaCppBackend", "LlamaCppEngine"]


class LlamaCppEngine(LocalTextEngine):
    """A TextEngine on llama-cpp-python."""

    name = "llama_cpp"

    def __init__(self, settings: LocalSettings | None = None) -> None:
        super().__init__(LlamaCppBackend, settings)

    @classmethod
    def from_settings(cls, settings: AISettings) -> LlamaCppEngine:
        """Open with the limits of `[tool.pyworkers.ai]`."""
        return cls(LocalSettings(settings.context_tokens, settings.parallel, settings.threads))


class LlamaCppBackend:
    """One model; its pool has one thread, since the library's context serves one request at a time."""

    parallel = 1

    def __init__(self, info: GgufInfo, settings: LocalSettings, embedding: bool) -> None:  # noqa: FBT001
        llama_cpp = self._library = _load_library()
        self._context = settings.context_for(info)
        options: dict[str, Any] = {"embedding": True, "pooling_type": info.pooling} if embedding else {}
        if embedding:
            options["n_batch"] = options["n_ubatch"] = self._context
        try:
            self._llama: Any = llama_cpp.Llama(
                str(info.path),
                n_ctx=self._context,
                n_threads=settings.thread_count,
                n_threads_batch=settings.thread_count,
                verbose=False,
                **options,
            )
        except (ValueError, RuntimeError) as error:
            raise ModelCorrupt(
                f"llama.cpp cannot load the model {info.path}: {error}",
                path=info.path,
                hint="use a model of an architecture that this llama.cpp knows, or get the file again",
            ) from error

    def generate(self, generation: Generation, emit: Callable[[str], bool]) -> Outcome:
        """See Backend."""
        request = generation.request
        prompt = self._llama.tokenize(generation.prompt.encode(), add_bos=self._adds_bos(), special=True)
        room = self._context - len(prompt)
        if room < 1:
            raise ContextOverflow(prompt_tokens=len(prompt), context_tokens=self._context)
        grammar = None
        if generation.grammar is not None:
            grammar = self._library.LlamaGrammar.from_string(generation.grammar, verbose=False)
        made = 0

        def counted(_tokens: Any, scores: Any) -> Any:
            nonlocal made
            made += 1
            return scores

        chunks: Iterator[dict[str, Any]] = self._llama.create_completion(
            prompt,
            max_tokens=min(request.max_tokens, room),
            temperature=request.temperature,
            top_p=0.95 if request.top_p is None else request.top_p,
            top_k=40 if request.top_k is None else request.top_k,
            min_p=0.05,
            repeat_penalty=request.repetition_penalty,
            frequency_penalty=request.frequency_penalty,
            presence_penalty=request.presence_penalty,
            seed=None if request.seed is None else request.seed % 0xFFFFFFFF,
            stop=list(request.stop),
            grammar=grammar,
            stream=True,
            logits_processor=self._library.LogitsProcessorList([counted]),
        )
        reason = None
        for chunk in chunks:
            choice = chunk["choices"][0]
            reason = choice["finish_reason"] or reason
            if emit(choice["text"]):
                break
        return Outcome("length" if reason == "length" else "stop", Usage(len(prompt), made))

    def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        """See Backend."""
        vectors, tokens = self._llama.embed(list(texts), normalize=False, truncate=True, return_count=True)
        return EmbeddingResult(tuple(normalised(vector) for vector in vectors), int(tokens))

    def count_tokens(self, text: str) -> int:
        """See Backend."""
        return len(self._llama.tokenize(text.encode(), add_bos=False, special=False))

    def close(self) -> None:
        """See Backend."""
        self._llama.close()

    def _adds_bos(self) -> bool:
        return bool(self._library.llama_vocab_get_add_bos(self._llama._model.vocab))


@cache
def _load_library() -> Any:
    """Import the library when it is first used: the idle server does not pay for it."""
    import llama_cpp
    from llama_cpp import _utils

    # It opens /dev/null twice when it is imported, and leaves that open.
    for file in (_utils.outnull_file, _utils.errnull_file):
        atexit.register(file.close)
    return llama_cpp
