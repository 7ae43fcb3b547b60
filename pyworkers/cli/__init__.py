"""The ``pyworkers`` command: parse, call, print."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import click

from pyworkers._version import __version__
from pyworkers.cli.failures import show_failure

__all__ = ["main"]

# Imported when they are called: the command line's start-up time is every command's.
_COMMANDS: Final = {
    "dev": "pyworkers.cli.dev:dev",
    "export": "pyworkers.cli.export:export",
    "models": "pyworkers.cli.models:models",
}


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the commands' names."""
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        target = _COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, _, name = target.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-v", "--version", message="pyworkers %(version)s")
def cli() -> None:
    """Run Cloudflare Workers written in Python on plain CPython."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status: 0, 2 for a mistake of the user's, 3 for one of ours."""
    status: Any
    try:
        status = cli.main(args=None if argv is None else list(argv), prog_name="pyworkers", standalone_mode=False)
    except click.exceptions.Exit as error:
        status = error.exit_code
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except click.Abort:
        status = 130
    except Exception as error:
        status = show_failure(error)
    sys.exit(status if isinstance(status, int) else 0)
