"""Which D1 migrations a project's databases do not have yet: a server says so when it starts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pyworkers.config.model import Project
from pyworkers.engines.d1.migrations import AppliedMigration, MigrationFiles, applied_sql, pending
from pyworkers.runtime.stores import Stores, resource_name


def describe_pending(project: Project, stores: Stores) -> Iterator[str]:
    """Yield a line for each database that lacks migrations; what is kept in memory has none to apply."""
    if stores.state_dir is None or stores.engine_name("d1") != "sqlite":
        return
    place = "" if stores.state_dir == project.state_dir else f" --persist-to {stores.state_dir}"
    seen: set[tuple[str, Path]] = set()
    for worker in project.workers:
        for config in worker.d1_databases:
            files = MigrationFiles(worker.root, config.migrations_dir, config.migrations_pattern)
            name = resource_name("d1", config)
            if (name, files.path) in seen or not files.path.is_dir():
                continue
            seen.add((name, files.path))
            path = stores.path_of("d1", name)
            names = pending(files.names(), _applied(path, config.migrations_table) if path is not None else [])
            if names:
                what = f"migration {names[0]} is" if len(names) == 1 else f"{len(names)} migrations are"
                option = "" if worker is project.primary else f" -c {worker.config_path}"
                yield (
                    f"{worker.name}: {config.binding}: {what} not applied: "
                    f"pyworkers d1 migrations apply {config.binding}{option}{place}"
                )


def _applied(path: Path, table: str) -> list[AppliedMigration]:
    """Read the migrations table; a file that is not there, or cannot be read, has none."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute(applied_sql(table)).fetchall()
    except sqlite3.Error:
        return []
    return [AppliedMigration(int(number), str(name), str(at)) for number, name, at in rows]
