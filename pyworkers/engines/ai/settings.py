"""The table `[tool.pyworkers.ai]` of pyproject.toml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyworkers.errors import ConfigError

__all__ = ["AISettings", "read_ai_table"]

_PREFIX = "tool.pyworkers.ai"


@dataclass(frozen=True, slots=True)
class AISettings:
    """How AI is answered on this machine.

    Attributes:
        engine: "xllamacpp", "llama_cpp" or "openai"; None takes `openai` when there is a ``url``, else what is
            installed.
        models: `@cf/...` name → what answers for it: the path of a GGUF file, a URL that `pyworkers models pull`
            downloads, a name of our catalogue (`smollm2`), or, with `openai`, the name that the server knows.
            The name `*` stands for every chat model that is not listed, `embeddings` for every embedding model.
        root: what relative paths are relative to.
        url: base URL of an OpenAI-compatible server, up to and with `/v1`.
        api_key_env: the environment variable that holds the server's key.
        context_tokens, parallel, threads: see LocalSettings.
    """

    engine: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    root: Path = field(default_factory=Path)
    url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    context_tokens: int = 4096
    parallel: int = 4
    threads: int | None = None

    def api_key(self) -> str | None:
        """Return the server's key, or None."""
        return os.environ.get(self.api_key_env) or None


def read_ai_table(table: Mapping[str, object], *, file: Path) -> AISettings:
    """Check `[tool.pyworkers.ai]`.

    Args:
        table: as TOML gives it.
        file: the pyproject.toml, for messages; relative paths start at its folder.

    Raises:
        ConfigError: an unknown key, or a value of the wrong kind.
    """
    texts = {"engine", "url", "api_key_env"}
    counts = {"context_tokens", "parallel", "threads"}
    for key, value in table.items():
        if key == "models":
            _check_models(value, file)
        elif key in texts:
            if not isinstance(value, str) or not value:
                raise _wrong(file, key, value, "a text")
        elif key in counts:
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise _wrong(file, key, value, "a whole number of at least 1")
        else:
            known = ", ".join(sorted({"models", *texts, *counts}))
            raise ConfigError(
                f"[{_PREFIX}] has an unknown key {key!r}", file=file, key=f"{_PREFIX}.{key}", hint=f"use one of {known}"
            )
    return AISettings(**{**table, "root": file.parent})  # type: ignore[arg-type]  # checked above


def _check_models(value: object, file: Path) -> None:
    if not isinstance(value, Mapping):
        raise _wrong(file, "models", value, 'a table such as {"@cf/meta/llama-3.1-8b-instruct" = "smollm2"}')
    for name, target in value.items():
        if not isinstance(target, str) or not target:
            raise _wrong(file, f'models."{name}"', target, "a path, a URL or a model's name")


def _wrong(file: Path, key: str, value: object, expected: str) -> ConfigError:
    return ConfigError(
        f"[{_PREFIX}] {key} is {value!r}, expected {expected}",
        file=file,
        key=f"{_PREFIX}.{key}",
        hint="correct it in pyproject.toml",
    )
