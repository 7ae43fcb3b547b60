"""Why storage failed, told at the terminal: the platform's error, which the worker catches, names no file."""

from __future__ import annotations

import logging

from pyworkers.errors import EngineError

_log = logging.getLogger("pyworkers.storage")
_log.addHandler(logging.NullHandler())  # a command shows the error itself


def tell(error: EngineError) -> None:
    """Show what failed and what mends it, under the line of the request whose storage it was."""
    _log.warning("%s", f"{error.message}; {error.next_step}" if error.next_step else error.message)
