"""``pyworkers dev``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pyworkers.cli.commands import Command, check_local
from pyworkers.errors import UsageError

_LEVELS = ("debug", "info", "log", "warn", "error", "none")


@click.command(
    cls=Command,
    examples=(
        "pyworkers dev",
        "pyworkers dev -c workers/api -c workers/streaming --port 8080",
        "pyworkers dev --env staging --var GREETING:hello --persist-to /tmp/state",
    ),
)
@click.option(
    "-c",
    "--config",
    "configs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A worker's wrangler file or folder; repeat for several, the first answers HTTP.",
)
@click.option("-e", "--env", "environment", metavar="NAME", help="The environment of the wrangler file.")
@click.option(
    "--env-file",
    "env_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read these in place of .dev.vars and .env.",
)
@click.option("--port", type=click.IntRange(0, 65535), help="Port; the next free one if it is taken, 0 for any. [8787]")
@click.option("--ip", metavar="ADDRESS", help="Address to listen on; * for every one. [localhost]")
@click.option(
    "--var", "variables", multiple=True, metavar="KEY:VALUE", help="A var of the worker; wins over the files."
)
@click.option(
    "--persist-to",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the data. [.pyworkers/state]",
)
@click.option("--memory", is_flag=True, help="Keep no data.")
@click.option(
    "--cwd",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Run as if started there.",
)
@click.option("--log-level", type=click.Choice(_LEVELS), default="log", show_default=True)
@click.option("--strict", is_flag=True, help="Fail if a service binding's worker is not there.")
@click.option("--allow-unknown-config", "allow_unknown", is_flag=True, help="Unknown configuration keys only warn.")
@click.option(
    "--traceback",
    type=click.Choice(("worker", "full")),
    default="worker",
    show_default=True,
    help="Which frames of an exception to show.",
)
@click.option("--reload/--no-reload", default=True, help="Watch the files and reload what is saved. [on]")
@click.option("--crons/--no-crons", default=True, help="Run scheduled handlers when their triggers are due. [on]")
@click.option("--test-scheduled", is_flag=True, hidden=True, help="/__scheduled is always there.")
@click.option("--local", "-l", is_flag=True, hidden=True, help="Everything is local.")
@click.option("--remote", "-r", is_flag=True, hidden=True)
@click.option("--inspector-port", type=int, hidden=True, help="breakpoint() needs none.")
@click.option("--inspector-ip", hidden=True, help="breakpoint() needs none.")
@click.option("--show-interactive-dev-session/--no-show-interactive-dev-session", hidden=True, default=False)
def dev(
    *,
    variables: tuple[str, ...],
    cwd: Path | None,
    traceback: str,
    test_scheduled: bool,  # noqa: ARG001  # accepted for scripts written for wrangler
    local: bool,  # noqa: ARG001
    remote: bool,
    inspector_port: int | None,  # noqa: ARG001
    inspector_ip: str | None,  # noqa: ARG001
    show_interactive_dev_session: bool,  # noqa: ARG001
    **options: Any,
) -> None:
    """Serve the workers of this folder, and reload what is saved."""
    check_local(remote=remote)
    if options["memory"] and options["persist_to"] is not None:
        raise UsageError("--memory and --persist-to exclude each other", hint="pass one of the two")
    pairs = dict(_pair(text) for text in variables)
    from pyworkers.server.dev import DevOptions, run_dev  # after the arguments are known to be right

    folder = Path.cwd() if cwd is None else Path.cwd() / cwd
    run_dev(DevOptions(folder=folder, variables=pairs, full_tracebacks=traceback == "full", **options))


def _pair(text: str) -> tuple[str, str]:
    """Split ``KEY:VALUE``, wrangler's form, or ``KEY=VALUE``."""
    separator = min((mark for mark in ":=" if mark in text), key=text.index, default="")
    key, _, value = text.partition(separator) if separator else ("", "", "")
    if not key:
        raise UsageError(f'--var "{text}" has no name and value', hint="write --var KEY:VALUE")
    return key, value
