"""What can go wrong in an AI engine.

EngineError
├── EngineMissing         no engine library is installed, or an unknown engine was asked for
├── ModelMissing          the model's file or the server's model is not there
├── ContextOverflow       the prompt alone does not fit the model's context
├── InvalidSchema         the JSON schema asked for cannot be satisfied or is not a schema
├── StructuredOutputUnmet the text that came out is not the JSON that was asked for
├── UpstreamError         an OpenAI-compatible server answered with an error, or not at all
└── EngineCorrupt
    └── ModelCorrupt      the model's file is truncated or is not a GGUF
"""

from __future__ import annotations

from pathlib import Path

from pyworkers.errors import EngineCorrupt, EngineError

__all__ = [
    "ContextOverflow",
    "EngineMissing",
    "InvalidSchema",
    "ModelCorrupt",
    "ModelMissing",
    "StructuredOutputUnmet",
    "UpstreamError",
]


class EngineMissing(EngineError):
    """No library that can run a model is installed."""

    code = "ai-engine-missing"


class ModelMissing(EngineError):
    """The model is not on this machine, or not on the server that was asked."""

    code = "ai-model-missing"


class ModelCorrupt(EngineCorrupt):
    """A model's file cannot be used.

    Args:
        path: the file.
    """

    code = "ai-model-corrupt"

    def __init__(self, message: str, *, path: Path, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path


class ContextOverflow(EngineError):
    """The prompt alone does not fit the context.

    Args:
        prompt_tokens: tokens in the rendered prompt.
        context_tokens: tokens that one request may use.
    """

    code = "ai-context"

    def __init__(self, *, prompt_tokens: int, context_tokens: int) -> None:
        super().__init__(
            f"the prompt has {prompt_tokens} tokens, the context holds {context_tokens}",
            hint="shorten the prompt, or raise `context_tokens` in [tool.pyworkers.ai]",
        )
        self.prompt_tokens = prompt_tokens
        self.context_tokens = context_tokens


class InvalidSchema(EngineError):
    """A JSON schema is malformed, or nothing can satisfy it."""

    code = "ai-schema"


class StructuredOutputUnmet(EngineError):
    """The model's text is not the JSON that was asked for.

    Args:
        text: what the model said.
    """

    code = "ai-structured-output"

    def __init__(self, message: str, *, text: str) -> None:
        super().__init__(message, hint="raise max_tokens, or ask for a simpler JSON schema")
        self.text = text


class UpstreamError(EngineError):
    """An OpenAI-compatible server failed.

    Args:
        status: its HTTP status, or None when it did not answer.
    """

    code = "ai-upstream"

    def __init__(self, message: str, *, status: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
