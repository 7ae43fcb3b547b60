"""What a call may come to: a value, or the platform's own error. Everything else is a bug, and is raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pyworkers.js.values import JsException

PLATFORM_ERRORS: Final = frozenset(
    {"TypeError", "RangeError", "SyntaxError", "InvalidCharacterError", "DataCloneError", "Error"}
)


def outcome(function: Callable[..., Any], *args: Any) -> Any:
    """Return what a call gives, or the platform's error."""
    try:
        return function(*args)
    except JsException as error:
        if error.name not in PLATFORM_ERRORS or not error.message:
            raise AssertionError(f"no error of the platform's: {error!r}") from error
        return error
