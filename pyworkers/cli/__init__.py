"""The ``pyworkers`` command: parse, call, print.

A command is one module with one click command, named once in `SECTIONS`.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from pyworkers._version import __version__
from pyworkers.cli.commands import LazyGroup
from pyworkers.cli.failures import show_failure, show_usage_failure

__all__ = ["SECTIONS", "main"]

# Title in the help → name → where the command is; imported when it is called.
SECTIONS: Final = {
    "Develop": {
        "dev": "pyworkers.cli.dev:dev",
        "tail": "pyworkers.cli.tail:tail",
        "cron": "pyworkers.cli.cron:cron",
    },
    "Data": {
        "kv": "pyworkers.cli.kv:kv",
        "d1": "pyworkers.cli.d1:d1",
        "r2": "pyworkers.cli.r2:r2",
        "queues": "pyworkers.cli.queues:queues",
        "workflows": "pyworkers.cli.workflows:workflows",
    },
    "Models": {
        "models": "pyworkers.cli.models:models",
    },
    "Deploy": {
        "export": "pyworkers.cli.export:export",
    },
}
_EXAMPLES: Final = (
    "pyworkers dev",
    "pyworkers kv key put greeting hello --binding KV",
    'pyworkers d1 execute DB --command "SELECT count(*) FROM users"',
    "pyworkers d1 migrations apply DB",
    "pyworkers r2 object get my-bucket/report.pdf",
)


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    examples=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=False,
    invoke_without_command=True,
)
@click.version_option(__version__, "-v", "--version", message="pyworkers %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Run Cloudflare Workers written in Python on plain CPython.

    The data commands take wrangler's verbs and flags, and work while `pyworkers dev` runs.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status.

    0: done. 1: the data or the machine says no. 2: the command or the project is wrong. 3: a bug of pyworkers.
    130: interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 still shows the rest
    status: Any
    try:
        status = cli.main(args=None if argv is None else list(argv), prog_name="pyworkers", standalone_mode=False)
    except click.exceptions.Exit as error:
        status = error.exit_code
    except click.ClickException as error:
        status = show_usage_failure(error)
    except click.Abort:
        status = 130
    except BrokenPipeError:
        status = _leave_pipe()
    except Exception as error:
        status = show_failure(error)
    sys.exit(status if isinstance(status, int) else 0)


def _leave_pipe() -> int:
    """End quietly when whoever read the output has gone, as `head` does."""
    sys.stdout = io.TextIOWrapper(io.BytesIO())  # nothing is left to be flushed at exit
    return 1
