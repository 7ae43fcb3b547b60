"""llama.cpp through xllamacpp: a prebuilt wheel, several requests at a time on one model.

Its chat calls are not used: they fail on answers that are cut or do not fit a template (facts measured with 2026.10),
so prompts are rendered by us and only completions are asked for.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any
from urllib.request import Request, urlopen

from pyworkers.engines.ai.errors import ContextOverflow, ModelCorrupt
from pyworkers.engines.ai.gguf import GgufInfo
from pyworkers.engines.ai.local import Generation, LocalSettings, LocalTextEngine, Outcome, normalised
from pyworkers.engines.ai.protocol import EmbeddingResult, TextRequest, Usage
from pyworkers.engines.ai.settings import AISettings
from pyworkers.errors import EngineError

__all__ = ["XllamacppBackend", "XllamacppEngine"]

_BATCH = 512


class XllamacppEngine(LocalTextEngine):
    """A TextEngine on xllamacpp."""

    name = "xllamacpp"

    def __init__(self, settings: LocalSettings | None = None) -> None:
        super().__init__(XllamacppBackend, settings)

    @classmethod
    def from_settings(cls, settings: AISettings) -> XllamacppEngine:
        """Open with the limits of `[tool.pyworkers.ai]`."""
        return cls(LocalSettings(settings.context_tokens, settings.parallel, settings.threads))


class XllamacppBackend:
    """One model on one xllamacpp server.

    The library also opens an HTTP port of its own on the loopback interface; it asks for a key that only we know.

    Args:
        embedding: load it for vectors instead of text; the library cannot do both in one.
    """

    def __init__(self, info: GgufInfo, settings: LocalSettings, embedding: bool) -> None:  # noqa: FBT001
        import xllamacpp  # imported when first used: the idle server does not pay for it

        # Texts embedded in one batch are averaged over a part of their tokens only (seen with 2026.10).
        self.parallel = 1 if embedding else settings.parallel
        self.api_key = secrets.token_urlsafe(24)
        self._context = settings.context_for(info)
        params = xllamacpp.CommonParams()
        params.model.path = str(info.path)
        params.n_ctx = self._context * self.parallel
        params.n_parallel = self.parallel
        params.cpuparams.n_threads = settings.thread_count
        params.cpuparams_batch.n_threads = settings.thread_count
        params.verbosity = -1
        params.warmup = False
        params.cache_ram_mib = 0  # its default may take 8 GB
        params.endpoint_slots = False
        params.endpoint_metrics = True
        params.ui = False
        params.api_keys = [self.api_key]
        if embedding:
            params.embedding = True
            params.pooling_type = xllamacpp.llama_pooling_type(info.pooling)
            params.n_batch = params.n_ubatch = max(_BATCH, self._context)
        try:
            self._server: Any = xllamacpp.Server(params)
        except RuntimeError as error:
            raise ModelCorrupt(
                f"llama.cpp cannot load the model {info.path}: {error}",
                path=info.path,
                hint="use a model of an architecture that this llama.cpp knows, or get the file again",
            ) from error
        # Answered by the server's own loop. Freed before that loop has begun, a server waits for it for ever.
        self._server.handle_metrics()

    @property
    def address(self) -> str:
        """Return the base URL of the library's own HTTP port."""
        return str(self._server.listening_address)

    def generate(self, generation: Generation, emit: Callable[[str], bool]) -> Outcome:
        """See Backend."""
        last: dict[str, Any] = {}

        def take(chunk: dict[str, Any]) -> bool:
            nonlocal last
            last = chunk
            choices = chunk.get("choices")
            return emit(choices[0]["text"]) if choices else False

        self._server.handle_completions(_body(generation), take)
        self._raise_error(last)
        usage = last.get("usage", {})
        choices = last.get("choices") or [{}]
        return Outcome(
            "length" if choices[0].get("finish_reason") == "length" else "stop",
            Usage(int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0))),
        )

    def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        """See Backend."""
        vectors, tokens = [], 0
        for text in texts:
            answer = self._server.handle_embeddings({"input": text})
            self._raise_error(answer)
            vectors.append(normalised(answer["data"][0]["embedding"]))
            tokens += int(answer["usage"]["prompt_tokens"])
        return EmbeddingResult(tuple(vectors), tokens)

    def count_tokens(self, text: str) -> int:
        """See Backend; only the library's HTTP port can tell."""
        request = Request(  # noqa: S310  # the library's own loopback address
            f"{self.address}/tokenize",
            data=json.dumps({"content": text, "add_special": False}).encode(),
            headers={"authorization": f"Bearer {self.api_key}", "content-type": "application/json"},
        )
        with urlopen(request, timeout=30) as response:  # noqa: S310
            return len(json.load(response)["tokens"])

    def close(self) -> None:
        """See Backend."""
        self._server = None

    def _raise_error(self, answer: dict[str, Any]) -> None:
        error = answer.get("error")
        if not error:
            return
        if error.get("type") == "exceed_context_size_error":
            raise ContextOverflow(
                prompt_tokens=int(error.get("n_prompt_tokens", 0)),
                context_tokens=int(error.get("n_ctx", self._context)),
            )
        raise EngineError(f"llama.cpp failed: {error.get('message', error)}")


def _body(generation: Generation) -> dict[str, Any]:
    request: TextRequest = generation.request
    body: dict[str, Any] = {
        "prompt": generation.prompt,
        "stream": True,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": 0.95 if request.top_p is None else request.top_p,
        "top_k": 40 if request.top_k is None else request.top_k,
        "min_p": 0.05,
        "repeat_penalty": request.repetition_penalty,
        "frequency_penalty": request.frequency_penalty,
        "presence_penalty": request.presence_penalty,
        "stop": list(request.stop),
    }
    if request.seed is not None:
        # The engine's seeds have 32 bits, and its largest means "random".
        body["seed"] = request.seed % 0xFFFFFFFF
    if generation.grammar is not None:
        body["grammar"] = generation.grammar
    return body
