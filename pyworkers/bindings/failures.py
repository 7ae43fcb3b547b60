"""Errors of bindings: why storage failed, told at the terminal, and what came from the other side."""

from __future__ import annotations

import logging

from pyworkers.errors import EngineError
from pyworkers.js.values import JsException

_log = logging.getLogger("pyworkers.storage")
_log.addHandler(logging.NullHandler())  # a command shows the error itself


def tell(error: EngineError) -> None:
    """Show what failed and what mends it, under the line of the request whose storage it was.

    The platform's error, which the worker catches, names no file.
    """
    _log.warning("%s", f"{error.message}; {error.next_step}" if error.next_step else error.message)


def remote(error: JsException) -> JsException:
    """Say of an error that it came from the other side of a binding; returns the error."""
    error.remote = True  # type: ignore[attr-defined]  # JavaScript's own field
    return error
