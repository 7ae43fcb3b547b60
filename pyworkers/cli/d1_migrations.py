"""``pyworkers d1 migrations``: create, list and apply the files that make a database's schema."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from pyworkers.cli.commands import Group
from pyworkers.cli.d1_database import Database, database_argument, find_database
from pyworkers.cli.output import busy, confirm, print_json, print_table, warn
from pyworkers.cli.place import Place, place_options, platform_errors
from pyworkers.clock import SystemClock
from pyworkers.engines.d1.migrations import (
    AppliedMigration,
    Digests,
    MigrationFiles,
    applied_sql,
    create_table_sql,
    excerpt,
    pending,
    record_sql,
    script_statements,
)
from pyworkers.errors import PyworkersError, UsageError

if TYPE_CHECKING:
    from pyworkers.runtime.stores import Stores

_DONE: Final = "✅"
_FAILED: Final = "❌"
_WAITING: Final = "🕒️"


@click.group(cls=Group)
def migrations() -> None:
    """Create, list and apply the files that make a database's schema.

    They lie in migrations_dir of the database, "migrations" beside the wrangler file where it says nothing else.
    """


@migrations.command(examples=('pyworkers d1 migrations create DB "add users"',))
@database_argument
@click.argument("message")
@place_options
def create(*, place: Place, database: str, message: str) -> None:
    """Make an empty migration for a DATABASE, with the next number and MESSAGE in its name."""
    files = _files(find_database(place, database))
    if re.search(r"[\\/]", message):
        raise UsageError(f'the message "{message}" holds a path separator', hint="leave / and \\ out")
    number = f"{files.next_number():04}"
    name = f"{number}_{message.replace(' ', '_')}.sql"
    if not files.matches(name):
        raise UsageError(
            f'{name} would not match migrations_pattern "{files.pattern}"',
            hint="create it with the tool whose layout the pattern is, or change the pattern",
        )
    try:
        files.path.mkdir(parents=True, exist_ok=True)
        with (files.path / name).open("x", encoding="utf-8") as file:
            file.write(f"-- Migration number: {number} \t {_now()}\n")
    except OSError as error:
        raise UsageError(
            f"{files.path / name} cannot be made: {error.strerror}", hint="check migrations_dir"
        ) from error
    click.echo(f"{_DONE} Successfully created Migration '{name}'!\n")
    click.echo(f"The migration is available for editing here\n{files.path / name}")


@migrations.command("list", examples=("pyworkers d1 migrations list DB",))
@database_argument
@click.option("--json", "as_json", is_flag=True, help="Print JSON: name and state of every migration.")
@click.option("--preview", is_flag=True, hidden=True)
@place_options
def list_(*, place: Place, database: str, as_json: bool, preview: bool) -> None:  # noqa: ARG001
    """List the migrations that a DATABASE does not have yet."""
    found = find_database(place, database)
    files = _existing_files(found)
    applied = place.run(lambda stores: _applied(stores, found))
    names = pending(files.names(), applied)
    if as_json:
        times = {migration.name: migration.applied_at for migration in applied}
        every = dict.fromkeys([*times, *names])
        print_json([{"name": name, "applied": name in times, "applied_at": times.get(name)} for name in every])
        return
    _report_changes(found, files, applied)
    if not names:
        click.echo(f"{_DONE} No migrations to apply!")
        return
    click.echo("Migrations to be applied:")
    print_table([{"Name": name} for name in names])


@migrations.command(
    examples=(
        "pyworkers d1 migrations apply DB",
        "pyworkers d1 migrations apply my-database -c workers/api --yes",
    )
)
@database_argument
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--preview", is_flag=True, hidden=True)
@place_options
def apply(*, place: Place, database: str, yes: bool, preview: bool) -> None:  # noqa: ARG001
    """Apply the migrations that a DATABASE does not have yet, in a transaction each.

    One that fails leaves the database as the one before it made it.
    """
    found = find_database(place, database)
    files = _existing_files(found)

    async def work(stores: Stores) -> None:
        applied = await _applied(stores, found)
        _report_changes(found, files, applied)
        names = pending(files.names(), applied)
        if not names:
            click.echo(f"{_DONE} No migrations to apply!")
            return
        click.echo("Migrations to be applied:")
        print_table([{"name": name} for name in names])
        question = f"About to apply {len(names)} migration(s)\n"
        question += "Your database may not be available to serve requests during the migration, continue?"
        if confirm(question, is_sure=yes):
            await _apply_all(stores, found, files, names)

    place.run(work)


async def _apply_all(stores: Stores, found: Database, files: MigrationFiles, names: Sequence[str]) -> None:
    states = dict.fromkeys(names, _WAITING)
    for name in names:
        try:
            async with busy(f"Applying {name}"):
                await _apply(stores, found, files, name)
        except PyworkersError:
            states[name] = _FAILED
            raise
        else:
            states[name] = _DONE
        finally:
            if states[name] == _FAILED or name == names[-1]:
                print_table([{"name": name, "status": state} for name, state in states.items()])


async def _apply(stores: Stores, found: Database, files: MigrationFiles, name: str) -> None:
    """Apply one migration and note it, both or neither."""
    from pyworkers.engines.d1 import SqlError

    sql = _read(files, name)
    statements = script_statements(sql)
    table = found.config.migrations_table
    try:
        with platform_errors():
            await found.run(stores, [*statements, record_sql(table, name)])
    except PyworkersError as error:
        cause = error.__cause__.__cause__ if error.__cause__ is not None else None
        where = _place(statements, cause.statement) if isinstance(cause, SqlError) else ""
        raise PyworkersError(
            f"Migration {name} failed{where}\n  {error.message}",
            hint="nothing of it was applied, everything before it was; mend it and apply again",
        ) from error
    applied = {migration.name: migration for migration in await _applied(stores, found)}
    _digests(found).note(applied[name], sql)


async def _applied(stores: Stores, found: Database) -> list[AppliedMigration]:
    table = found.config.migrations_table
    with platform_errors():
        *_, result = await found.run(stores, [create_table_sql(table), applied_sql(table)])
    return [AppliedMigration(int(str(number)), str(name), str(at)) for number, name, at in result.rows]


def _report_changes(found: Database, files: MigrationFiles, applied: Sequence[AppliedMigration]) -> None:
    """Say which applied files are others now, or gone."""
    digests, names = _digests(found), set(files.names())
    for migration in applied:
        if migration.name not in names:
            warn(f"{migration.name} was applied at {migration.applied_at} and its file is gone", "restore it")
        elif digests.has_changed(migration, _read(files, migration.name)):
            warn(
                f"{migration.name} was changed after it was applied at {migration.applied_at}",
                "the database does not have the change: undo it, and make it in a new migration",
            )


def _digests(found: Database) -> Digests:
    return Digests(found.file.with_suffix(".migrations.json"))


def _files(found: Database) -> MigrationFiles:
    config = found.config
    files = MigrationFiles(found.worker.root, config.migrations_dir, config.migrations_pattern)
    if files.is_pattern_outside:
        raise UsageError(
            f'migrations_pattern "{config.migrations_pattern}" does not start with migrations_dir '
            f'"{config.migrations_dir}"',
            hint=f'write migrations_pattern = "{config.migrations_dir}/*.sql", or change migrations_dir',
        )
    return files


def _existing_files(found: Database) -> MigrationFiles:
    files = _files(found)
    if not files.path.is_dir():
        raise UsageError(
            f"No migrations present at {files.path}.",
            hint=f'make one: pyworkers d1 migrations create {found.config.binding} "message"',
        )
    return files


def _read(files: MigrationFiles, name: str) -> str:
    try:
        return files.read(name)
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{files.path / name} is not UTF-8: {error.reason} at byte {error.start}", hint="save it as UTF-8"
        ) from error
    except OSError as error:
        raise UsageError(f"{files.path / name} cannot be read: {error.strerror}", hint="check the file") from error


def _place(statements: Sequence[str], index: int | None) -> str:
    if index is None or index >= len(statements):
        return ""  # the commit, which a deferred foreign key may refuse
    return f" at statement {index + 1}: {excerpt(statements[index])}"


def _now() -> str:
    from datetime import UTC, datetime

    now = datetime.fromtimestamp(SystemClock().now_s(), UTC)
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
