"""How AI is answered on this machine: `[tool.pyworkers.ai]`, with what it leaves open filled in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyworkers.config.model import AIConfig

__all__ = ["DEFAULT_MODEL", "AISettings"]

# The catalogue's name of the model that answers for every chat model that nothing else answers for.
DEFAULT_MODEL = "smollm2"


@dataclass(frozen=True, slots=True)
class AISettings:
    """How AI is answered on this machine.

    A model is the path of a GGUF file, a URL that `pyworkers models pull` downloads, a name of our catalogue
    (`smollm2`), or, with the `openai` engine, the name that the server knows.

    Attributes:
        engine: "xllamacpp", "llama_cpp" or "openai"; None takes `openai` when there is a ``url``, else what is
            installed.
        models: `@cf/...` name → model; the name `embeddings` stands for every embedding model that is not listed.
        default_model: what answers for every chat model that is not listed; None is DEFAULT_MODEL, and with `openai`
            the name that was asked for.
        root: what relative paths are relative to.
        url: base URL of an OpenAI-compatible server, up to and with `/v1`.
        api_key_env: the environment variable that holds the server's key.
        context_tokens, parallel, threads: see LocalSettings.
    """

    engine: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    default_model: str | None = None
    root: Path = field(default_factory=Path)
    url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    context_tokens: int = 4096
    parallel: int = 4
    threads: int | None = None

    @classmethod
    def from_config(cls, config: AIConfig, *, root: Path) -> AISettings:
        """Take what the project says.

        Args:
            root: the folder of its pyproject.toml.
        """
        return cls(
            engine=config.engine,
            models=config.models,
            default_model=config.default_model,
            root=root,
            url=config.base_url,
            api_key_env=config.api_key_env or "OPENAI_API_KEY",
        )

    def api_key(self) -> str | None:
        """Return the server's key, or None."""
        return os.environ.get(self.api_key_env) or None
