"""How the command line shows an error: a mistake of the user's without a traceback, one of ours with everything."""

from __future__ import annotations

import difflib
import platform
import sys
import traceback

import click

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


def show_usage_failure(error: click.ClickException) -> int:
    """Print what is wrong with the arguments, and where they are explained; returns the exit status."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return error.exit_code
    click.echo(f"Error: {_sentence(error, context)}", err=True)
    if context is not None:
        click.echo(f"  Usage: {_usage(context)}", err=True)
        click.echo(f"  See: {context.command_path} --help", err=True)
    return error.exit_code


def _sentence(error: click.ClickException, context: click.Context | None) -> str:
    path = context.command_path if context is not None else "pyworkers"
    if isinstance(error, click.NoSuchOption):
        near = difflib.get_close_matches(error.option_name, _options(context), n=1)
        return f"{path} has no option {error.option_name}" + (f"; did you mean {near[0]}?" if near else "")
    if isinstance(error, click.MissingParameter) and error.param is not None:
        name = error.param.make_metavar(context) if context is not None else error.param.name
        label = "/".join(error.param.opts) if isinstance(error.param, click.Option) else name
        return f"{path} needs {label}"
    text = error.format_message().rstrip(".")
    return text[:1].lower() + text[1:] if text.startswith(("Invalid", "Got", "Option", "Missing")) else text


def _options(context: click.Context | None) -> list[str]:
    if context is None:
        return []
    params = context.command.get_params(context)
    return [name for param in params for name in (*param.opts, *param.secondary_opts) if name.startswith("--")]


def _usage(context: click.Context) -> str:
    return " ".join([context.command_path, *context.command.collect_usage_pieces(context)])
