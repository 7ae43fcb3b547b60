"""``pyworkers cron``: the cron triggers of the project's workers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from pyworkers.cli.commands import Group
from pyworkers.cli.output import print_table
from pyworkers.cli.place import Place, place_options, port_option
from pyworkers.clock import SystemClock
from pyworkers.errors import PyworkersError, UsageError

if TYPE_CHECKING:
    from pyworkers.config.model import WorkerConfig

_NO_LIMIT: Final = None  # a handler may take as long as it likes


@click.group(cls=Group)
def cron() -> None:
    """Cron triggers: list them, run one now."""


@cron.command("list", examples=("pyworkers cron list",))
@place_options
def list_(*, place: Place) -> None:
    """Show every trigger and when it is due next."""
    from pyworkers.runtime.cron_schedule import read_crons

    now_ms = SystemClock().now_ms()
    rows = [
        {"worker": config.name, "cron": found.text, "next": shown_time(found.next_after(now_ms))}
        for config in place.project.workers
        for found in read_crons(config)
    ]
    if not rows:
        click.echo("There are no cron triggers.")
        return
    print_table(rows)


@cron.command(
    examples=(
        "pyworkers cron run",
        'pyworkers cron run "*/5 * * * *"',
        "pyworkers cron run --time 2026-01-01T00:00:00Z",
    )
)
@click.argument("expression", required=False)
@click.option("--worker", "name", metavar="NAME", help="Whose handler to run. [the first worker]")
@click.option("--time", "moment", metavar="TIME", help="The scheduled time, in ISO 8601 or milliseconds. [now]")
@port_option
@place_options
def run(*, place: Place, expression: str | None, name: str | None, moment: str | None, port: int | None) -> None:
    """Run a scheduled handler now: in the running `pyworkers dev`, or here where none runs."""
    config = _worker(place, name)
    text = _expression(config, expression)
    time_ms = SystemClock().now_ms() if moment is None else _time_ms(moment)
    succeeded = _ask_server(place.server_port(port), config.name, text, time_ms)
    if succeeded is None:
        succeeded = asyncio.run(_run_here(place, config.name, text, time_ms))
    if not succeeded:
        raise PyworkersError(f"the scheduled handler of {config.name} failed", hint="see what it printed")
    click.echo(f'Ran the scheduled handler of {config.name} for "{text}".')


def shown_time(time_ms: int | None) -> str:
    """Return a time in UTC as text."""
    return "never" if time_ms is None else f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _worker(place: Place, name: str | None) -> WorkerConfig:
    workers = place.project.workers
    if not workers:
        raise UsageError("there is no wrangler file here", hint="name one with -c")
    if name is None:
        return workers[0]
    found = next((config for config in workers if config.name == name), None)
    if found is None:
        raise UsageError(f"there is no worker {name}", hint=f"there are {', '.join(one.name for one in workers)}")
    return found


def _expression(config: WorkerConfig, given: str | None) -> str:
    if given is not None:
        return given
    if len(config.crons) > 1:
        raise UsageError(f"{config.name} has {len(config.crons)} cron triggers", hint=f'name one: "{config.crons[0]}"')
    return config.crons[0] if config.crons else ""


def _time_ms(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f'--time "{text}" is no time', hint="write it as 2026-01-01T00:00:00Z") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _ask_server(port: int, worker: str, text: str, time_ms: int) -> bool | None:
    """Run the handler in a running server; None where there is none, or none that has the worker."""
    import httpx

    query: dict[str, str | int] = {"cron": text, "time": time_ms, "worker": worker}
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/cdn-cgi/handler/scheduled", params=query, timeout=_NO_LIMIT)
    except httpx.HTTPError:
        return None
    if answer.text not in ("ok", "exception"):
        return None
    return answer.text == "ok"


async def _run_here(place: Place, worker: str, text: str, time_ms: int) -> bool:
    import sys

    from pyworkers.config import load_project
    from pyworkers.runtime.cron_schedule import run_scheduled
    from pyworkers.runtime.runtime import Runtime
    from pyworkers.runtime.stores import Stores
    from pyworkers.runtime.triggers import Occurrence, ScheduledController
    from pyworkers.server.errors import describe_failure

    class Shown:
        """Prints what escapes the handler."""

        def opened(self, _event: object) -> None:
            """Nothing is kept: prints go straight out."""

        def closed(self, occurrence: Occurrence) -> None:
            """Print the failure, if there is one."""
            if occurrence.error is not None:
                click.echo(describe_failure(occurrence.error), err=True)

    clock = SystemClock()
    # The place's own project may be of workers that are not built: this one is to run.
    project = load_project(
        place.folder,
        () if place.config is None else (place.config,),
        environment=place.environment,
        env_files=place.env_files,
    )
    runtime = Runtime(project, Stores(place.state_dir, project, clock), clock=clock, console=_console)
    runtime.crons.is_enabled = False
    async with runtime:
        succeeded = await run_scheduled(runtime.isolate(worker), ScheduledController(text, time_ms), Shown())
    sys.stdout.flush()
    return succeeded


def _console(_worker: str, level: str, args: tuple[object, ...]) -> None:
    click.echo(" ".join(map(str, args)), err=level in ("warn", "error"))
