"""Workers AI's errors, as its service sends them.

Source: workerd src/cloudflare/internal/ai-api.ts (`_parseError`) for the shape; developers.cloudflare.com/workers-ai/
platform/errors for codes and HTTP statuses; 5006, 5021, 5023 and 5024 as reported by users of the platform.
"""

from __future__ import annotations

from pyworkers.engines.ai.errors import (
    ContextOverflow,
    EngineMissing,
    InvalidSchema,
    ModelCorrupt,
    ModelMissing,
    StructuredOutputUnmet,
)
from pyworkers.errors import EngineError

__all__ = ["AIError", "bad_input", "from_engine", "no_such_model", "not_here"]


class AIError(Exception):
    """What the service answers instead of a result.

    Args:
        internal_code: the platform's number.
        description: the text behind it.
        status: HTTP status.
    """

    def __init__(self, internal_code: int, description: str, *, status: int, name: str = "AiError") -> None:
        super().__init__(f"{internal_code}: {description}")
        self.internal_code = internal_code
        self.description = description
        self.status = status
        self.name = name

    def body(self) -> dict[str, object]:
        """Return the JSON that the service sends."""
        return {
            "internalCode": self.internal_code,
            "message": f"{self.name}: {self.description}",
            "name": self.name,
            "description": self.description,
        }


def no_such_model(model: str) -> AIError:
    """The name is not one of the platform's."""
    return AIError(5007, f"No such model {model} or task", status=400)


def not_here(model: str, why: str) -> AIError:
    """The platform has the model, this machine has nothing that answers for it."""
    return AIError(5007, f"No such model {model} or task on this machine: {why}", status=400)


def bad_input(found: str) -> AIError:
    """The inputs do not satisfy the model's schema."""
    return AIError(5006, f"Error: {found}", status=400)


def from_engine(error: EngineError, model: str, *, max_tokens: int = 0) -> AIError:
    """Translate an engine's error."""
    if isinstance(error, ModelMissing | EngineMissing):
        return not_here(model, f"{error.message}; {error.hint}" if error.hint else error.message)
    if isinstance(error, ContextOverflow):
        return AIError(
            5021,
            f"The estimated number of input and maximum output tokens ({error.prompt_tokens + max_tokens}) exceeded "
            f"this model context window limit ({error.context_tokens}).",
            status=413,
        )
    if isinstance(error, StructuredOutputUnmet):
        return AIError(5024, "JSON Model couldn't be met", status=400)
    if isinstance(error, InvalidSchema):
        return bad_input(error.message)
    if isinstance(error, ModelCorrupt):
        return AIError(3043, f"Internal server error: {error.message}; {error.hint}", status=500)
    return AIError(3043, f"Internal server error: {error.message}", status=500)
