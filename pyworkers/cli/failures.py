"""How the command line shows an error: a mistake of the user's without a traceback, one of ours with everything."""

from __future__ import annotations

import platform
import sys
import traceback

from pyworkers._version import __version__
from pyworkers.errors import InternalError, PyworkersError, render_user_error

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
