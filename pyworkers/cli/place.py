"""Where a data command works: the project it reads, the folder of the data, and the engines on it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from pyworkers.cli.commands import SharedOption, check_local
from pyworkers.clock import SystemClock
from pyworkers.config import load_project
from pyworkers.config.load import find_config
from pyworkers.config.model import Project, WorkerConfig
from pyworkers.config.source import nearest
from pyworkers.config.tools import find_tool_config
from pyworkers.errors import EngineError, PyworkersError, UsageError
from pyworkers.runtime.stores import Stores
from pyworkers.server.running import DEFAULT_PORT, running_port

T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)  # without slots: the project is kept once it is read
class Place:
    """What the options of `place_options` said.

    Attributes:
        folder: absolute; everything else is relative to it.
        config: a wrangler file or its folder; None is the nearest one.
    """

    folder: Path
    config: Path | None = None
    environment: str | None = None
    env_files: tuple[Path, ...] = ()
    persist_to: Path | None = None

    @functools.cached_property
    def project(self) -> Project:
        """Return the project; without a wrangler file one without workers, as data may be named by its own name."""
        if self.config is None and all(find_config(folder) is None for folder in (self.folder, *self.folder.parents)):
            tools, tools_path = find_tool_config(self.folder)
            return Project(
                root=tools_path.parent if tools_path else self.folder, workers=(), tools=tools, tools_path=tools_path
            )
        return load_project(
            self.folder,
            () if self.config is None else (self.config,),
            environment=self.environment,
            env_files=self.env_files,
            # What is wrong about a worker, or not built yet, does not keep anybody from its data.
            allow_unknown=True,
            needs_main=False,
        )

    @property
    def state_dir(self) -> Path:
        """Return the folder of the data: the same that `pyworkers dev` takes."""
        return self.project.state_dir if self.persist_to is None else self.folder / self.persist_to

    def server_port(self, given: int | None) -> int:
        """Return the port of the running `pyworkers dev`: the given one, that of the server on this data, or 8787."""
        if given is not None:
            return given
        try:
            return running_port(self.state_dir) or DEFAULT_PORT
        except PyworkersError:  # the project is wrong, and a server may run all the same
            return DEFAULT_PORT

    def run(self, work: Callable[[Stores], Awaitable[T]]) -> T:
        """Open the engines as the server does, run ``work`` on an event loop of its own, and close them."""
        project = self.project

        async def opened() -> T:
            stores = Stores(self.state_dir, project, SystemClock())
            try:
                return await work(stores)
            finally:
                await stores.close()

        return asyncio.run(opened())


def place_options(function: Function) -> Function:
    """Give a command the options that say where it works, as its argument ``place``."""

    @functools.wraps(function)
    def placed(
        *,
        config: Path | None,
        cwd: Path | None,
        environment: str | None,
        env_files: tuple[Path, ...],
        persist_to: Path | None,
        local: bool,  # noqa: ARG001  # accepted: everything is
        remote: bool,
        **options: Any,
    ) -> Any:
        check_local(remote=remote)
        folder = Path.cwd() if cwd is None else Path.cwd() / cwd
        return function(place=Place(folder, config, environment, env_files, persist_to), **options)

    for option in reversed(_OPTIONS):
        placed = option(placed)
    return placed  # type: ignore[return-value]  # click puts the option values in


_PATH: Final = click.Path(path_type=Path)
_OPTIONS: Final[Sequence[Callable[[Any], Any]]] = (
    click.option("-c", "--config", type=_PATH, metavar="FILE", cls=SharedOption, help="The worker's wrangler file."),
    click.option("-e", "--env", "environment", metavar="NAME", cls=SharedOption, help="Its environment."),
    click.option("--persist-to", type=_PATH, metavar="DIR", cls=SharedOption, help="The data. [.pyworkers/state]"),
    click.option("--cwd", type=_PATH, metavar="DIR", cls=SharedOption, help="Run as if started there."),
    click.option("--env-file", "env_files", type=_PATH, multiple=True, cls=SharedOption, hidden=True),
    click.option("--local", is_flag=True, cls=SharedOption, help="Accepted; all data is local."),
    click.option("--remote", is_flag=True, cls=SharedOption, hidden=True),
)


port_option: Final = click.option(
    "--port",
    type=click.IntRange(1, 65535),
    cls=SharedOption,
    help="Of the running `pyworkers dev`. [that of the one on this data, else 8787]",
)


def completes(pick: Callable[[WorkerConfig], Iterable[str | None]]) -> Callable[..., list[str]]:
    """Return what completes a name in the shell: every one that the project's workers bind."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
        try:
            project = Place(Path.cwd(), ctx.params.get("config")).project
        except PyworkersError:
            return []  # a shell in the middle of a line is no place for messages
        names = dict.fromkeys(name for worker in project.workers for name in pick(worker) if name)
        return [name for name in names if name.startswith(incomplete)]

    return complete


def find_bound(
    project: Project, pick: Callable[[WorkerConfig], Iterable[T]], is_meant: Callable[[T], bool]
) -> list[tuple[WorkerConfig, T]]:
    """Return what the primary worker binds and ``is_meant``; where it binds none, what the other workers bind."""
    for workers in (project.workers[:1], project.workers[1:]):
        found = [(worker, item) for worker in workers for item in pick(worker) if is_meant(item)]
        if found:
            return found
    return []


def not_found(what: str, name: str, project: Project, known: Sequence[str], *, key: str) -> UsageError:
    """Make the error for a name that no worker binds.

    Args:
        what: such as ``D1 database``.
        known: every name that there is.
        key: of the wrangler file, such as ``d1_databases``.
    """
    if not project.workers:
        return UsageError(
            f'{what} "{name}" cannot be looked up: there is no wrangler file in this folder or above it',
            hint="run this in the worker's folder, or name its file with -c",
        )
    near = nearest(name, known)
    files = ", ".join(worker.config_path.name for worker in project.workers[:1])
    if near:
        hint = f'did you mean "{near}"?'
    else:
        hint = f"there are {', '.join(dict.fromkeys(known))}" if known else f"add it to {key} there"
    return UsageError(f'{what} "{name}" is not in the {key} of {files}', hint=hint)


@contextmanager
def platform_errors() -> Iterator[None]:
    """Show the platform's errors as a worker would catch them, and the storage's as ours.

    Raises:
        PyworkersError: exit status 1.
    """
    from pyworkers.engines.d1 import SqlError, StatementRefused
    from pyworkers.js.values import JsException

    try:
        yield
    except JsException as error:
        cause = error.__cause__
        if isinstance(cause, EngineError) and not isinstance(cause, SqlError | StatementRefused):
            raise cause from None
        raise PyworkersError(str(error.message)) from error
