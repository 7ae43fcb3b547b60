"""Which D1 database a command means, and how SQL runs on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pyworkers.cli.place import Place, completes, find_bound, not_found
from pyworkers.config.model import WorkerConfig
from pyworkers.config.tables import D1Database
from pyworkers.errors import UsageError
from pyworkers.runtime.stores import resource_name

if TYPE_CHECKING:
    from pyworkers.engines.d1 import D1Result
    from pyworkers.runtime.stores import Stores

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Database:
    """A database that a worker binds.

    Attributes:
        name: what its data goes by.
        file: where the embedded engine keeps it.
    """

    name: str
    config: D1Database
    worker: WorkerConfig
    file: Path

    async def run(self, stores: Stores, statements: Sequence[str]) -> list[D1Result]:
        """Run statements in one transaction.

        Raises:
            JsException: what a worker would catch; its cause is the engine's error.
        """
        from pyworkers.bindings.d1 import D1Sender

        results, _ = await D1Sender(stores.engine("d1", self.name)).send([(sql, None) for sql in statements])
        return results


def database_argument(function: Function) -> Function:
    """Give a command the argument DATABASE, a name, binding or id."""
    names = completes(lambda worker: [name for it in worker.d1_databases for name in (it.binding, it.database_name)])
    return click.argument("database", shell_complete=names)(function)


def databases(place: Place) -> list[Database]:
    """Return every database of the project, each once."""
    found: dict[str, Database] = {}
    for worker in place.project.workers:
        for config in worker.d1_databases:
            database = _database(place, worker, config)
            found.setdefault(database.name, database)
    return list(found.values())


def find_database(place: Place, name: str) -> Database:
    """Return the database of that name, binding or id.

    Raises:
        UsageError: there is none, or several.
    """
    project = place.project
    found = find_bound(
        project,
        lambda worker: worker.d1_databases,
        lambda config: name in (config.database_name, config.binding, config.database_id),
    )
    if not found:
        known = [
            known
            for worker in project.workers
            for config in worker.d1_databases
            for known in (config.database_name, config.binding)
            if known
        ]
        raise not_found("D1 database", name, project, known, key="d1_databases")
    by_name = {resource_name("d1", config): (worker, config) for worker, config in reversed(found)}
    if len(by_name) > 1:
        raise UsageError(f'"{name}" names several databases', hint=f"name one of {', '.join(sorted(by_name))}")
    worker, config = next(iter(by_name.values()))
    return _database(place, worker, config)


def _database(place: Place, worker: WorkerConfig, config: D1Database) -> Database:
    from pyworkers.engines.sqlite import file_name

    name = resource_name("d1", config)
    return Database(name, config, worker, place.state_dir / "d1" / f"{file_name(name)}.sqlite")
