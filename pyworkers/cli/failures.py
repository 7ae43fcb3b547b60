"""How the command line shows an error: a mistake of the user's without a traceback, one of ours with everything."""

from __future__ import annotations

import platform
import sys
import traceback
from pathlib import Path

from pyworkers._version import __version__
from pyworkers.errors import InternalError, PyworkersError, UserError

_REPORT = "This is a bug in pyworkers. Please report it with the text above, what you ran, and your wrangler file."


def show_failure(error: Exception) -> int:
    """Print an error to standard error; returns the exit status."""
    if isinstance(error, PyworkersError) and not isinstance(error, InternalError):
        sys.stderr.write(render_user_error(error))
        return error.exit_status
    traceback.print_exception(error)
    sys.stderr.write(
        f"\n{_REPORT}\npyworkers {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
    )
    return InternalError.exit_status


def render_user_error(error: PyworkersError) -> str:
    """Return message, place and next step as lines."""
    file: Path | None = getattr(error, "file", None)
    line: int | None = getattr(error, "line", None)
    worker: str | None = getattr(error, "worker", None)
    lines = [f"Error: {f'{worker}: ' if worker and isinstance(error, UserError) else ''}{error.message}"]
    if file is not None:
        lines.append(f"  at {file}:{line}" if line else f"  in {file}")
    if error.hint:
        lines.append(f"  {error.hint}")
    return "\n".join(lines) + "\n"
