"""D1 migrations in a test, whose databases begin empty."""

from __future__ import annotations

from pyworkers.config.model import WorkerConfig
from pyworkers.config.source import nearest
from pyworkers.config.tables import D1Database
from pyworkers.engines.d1 import SqlError
from pyworkers.engines.d1.migrations import (
    MigrationFiles,
    create_table_sql,
    excerpt,
    record_sql,
    script_statements,
)
from pyworkers.engines.d1.protocol import D1Statement
from pyworkers.errors import ConfigError, EngineError, PyworkersError, UsageError
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import resource_name


async def apply_migrations(runtime: Runtime, *bindings: str) -> None:
    """Apply every migration of the primary worker's databases, in order, a transaction each.

    Args:
        bindings: the databases' bindings; () means every database that has a folder of migrations.

    Raises:
        UsageError: there is no such binding.
        ConfigError: a named database has no folder of migrations.
        PyworkersError: a migration failed; it names file and statement.
    """
    worker = runtime.project.primary
    databases = {config.binding: config for config in worker.d1_databases}
    for binding in bindings:
        if binding not in databases:
            near = nearest(binding, databases)
            hint = f'did you mean "{near}"?' if near else f"there are {', '.join(databases) or 'none'}"
            raise UsageError(f'{worker.name} has no D1 binding "{binding}"', hint=hint)
    for binding in bindings or databases:
        files = _files(worker, databases[binding])
        if files.path.is_dir():
            await _apply_all(runtime, databases[binding], files)
        elif bindings:
            raise ConfigError(
                f'the migrations of "{binding}" should be in {files.path}, which is no folder',
                file=worker.config_path,
                hint="set migrations_dir of the database, or make the folder",
            )


def _files(worker: WorkerConfig, config: D1Database) -> MigrationFiles:
    return MigrationFiles(worker.root, config.migrations_dir, config.migrations_pattern)


async def _apply_all(runtime: Runtime, config: D1Database, files: MigrationFiles) -> None:
    engine = runtime.stores.engine("d1", resource_name("d1", config))
    table = config.migrations_table
    await engine.run([D1Statement(create_table_sql(table), ())])
    for name in files.names():
        statements = script_statements(files.read(name))
        try:
            await engine.run([D1Statement(sql, ()) for sql in (*statements, record_sql(table, name))])
        except EngineError as error:
            at = error.statement if isinstance(error, SqlError) else None
            where = (
                f" at statement {at + 1}: {excerpt(statements[at])}" if at is not None and at < len(statements) else ""
            )
            raise PyworkersError(f"Migration {name} failed{where}\n  {error.message}") from error
