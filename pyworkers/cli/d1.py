"""``pyworkers d1``: SQL on the project's databases, with wrangler's verbs and flags.

Statements run through what workers' calls run through: one transaction a command, D1's limits, D1's error texts.

Source: wrangler 4.164 `wrangler d1 --help` and packages/wrangler/src/d1, checked 2026-11-23
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pyworkers.cli.commands import Group
from pyworkers.cli.d1_database import Database, database_argument, databases, find_database
from pyworkers.cli.d1_migrations import migrations
from pyworkers.cli.output import busy, note, print_json, print_table, progress
from pyworkers.cli.place import Place, place_options, platform_errors
from pyworkers.engines.files import whole_file
from pyworkers.errors import PyworkersError, UsageError

if TYPE_CHECKING:
    from pyworkers.engines.d1 import D1Result
    from pyworkers.runtime.stores import Stores

_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_TABLE_COUNT: Final = (
    "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    " AND name NOT LIKE '!_cf!_%' ESCAPE '!'"
)


@click.group(cls=Group)
def d1() -> None:
    """SQL on D1 databases."""


@d1.command(
    examples=(
        'pyworkers d1 execute DB --command "SELECT * FROM users LIMIT 5"',
        "pyworkers d1 execute DB --file schema.sql --yes",
        'pyworkers d1 execute my-database --command "SELECT count(*) AS n FROM users" --json | jq .[0].results[0].n',
    )
)
@database_argument
@click.option("--command", metavar="SQL", help="Statements, with semicolons between them.")
@click.option("--file", "file", type=click.Path(path_type=Path), metavar="FILE", help="A file of statements.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, errors too.")
@click.option("-y", "--yes", is_flag=True, help="Accepted; nothing is asked.")
@click.option("--preview", is_flag=True, hidden=True)
@place_options
def execute(
    *,
    place: Place,
    database: str,
    command: str | None,
    file: Path | None,
    as_json: bool,
    yes: bool,  # noqa: ARG001  # accepted for scripts written for wrangler
    preview: bool,  # noqa: ARG001
) -> None:
    """Run SQL on a DATABASE, its name or binding: all of it or nothing.

    Prints tables on a terminal, and JSON elsewhere.
    """
    if (command is None) == (file is None):
        raise UsageError(
            "--command and --file exclude each other" if command else "there is no SQL to run",
            hint="pass --command SQL or --file FILE",
        )
    found = find_database(place, database)
    statements = _statements(command if command is not None else _read(place.folder / str(file)))
    if not as_json:
        note(f"Executing on local database {found.name} from {_shown(found.file)}:")
    try:
        with platform_errors():
            results = place.run(lambda stores: _run(stores, found, statements))
    except PyworkersError as error:
        error.hint = error.hint or _where(error, statements)
        if not as_json:
            raise
        print_json({"error": {"text": error.message, **({"notes": [{"text": error.hint}]} if error.hint else {})}})
        raise click.exceptions.Exit(error.exit_status) from error
    if not as_json:
        note(f"{_counted(len(results), 'command')} executed successfully.")
    _print_results(results, as_json=as_json)


@d1.command(
    examples=(
        "pyworkers d1 export DB --output backup.sql",
        "pyworkers d1 export DB --output - --no-data --table users",
    )
)
@database_argument
@click.option("--output", required=True, metavar="FILE", help="The SQL file to write; - is standard output.")
@click.option("--table", "tables", multiple=True, metavar="NAME", help="Only this table; repeat for several.")
@click.option("--no-schema", is_flag=True, help="Only the rows.")
@click.option("--no-data", is_flag=True, help="Only the schema.")
@click.option("-y", "--skip-confirmation", is_flag=True, help="Accepted; nothing is asked.")
@place_options
def export(
    *,
    place: Place,
    database: str,
    output: str,
    tables: tuple[str, ...],
    no_schema: bool,
    no_data: bool,
    skip_confirmation: bool,  # noqa: ARG001  # accepted for scripts written for wrangler
) -> None:
    """Write a DATABASE, its name or binding, as SQL: of one moment, also while it is written."""
    if no_schema and no_data:
        raise UsageError("--no-schema and --no-data leave nothing to export", hint="pass one of the two")
    from pyworkers.engines.d1.dump import dump_sql

    found = find_database(place, database)
    lines = dump_sql(found.file, tables=tables, with_schema=not no_schema, with_data=not no_data)
    with closing(lines):
        if output == "-":
            for line in lines:
                click.echo(line)
            return
        note(f"Exporting local database {found.name} from {_shown(found.file)} to {output}")
        target = place.folder / output
        try:
            with (
                whole_file(target) as part,
                part.open("w", encoding="utf-8") as file,
                progress("Exporting statements", None) as advance,
            ):
                for line in lines:
                    file.write(f"{line}\n")
                    advance(1)
        except OSError as error:
            raise UsageError(f"{target} cannot be written: {error.strerror}", hint="check --output") from error
    note("Done!")


@d1.command("list", examples=("pyworkers d1 list --json",))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@place_options
def list_(*, place: Place, as_json: bool) -> None:
    """List the databases of the project."""
    rows = place.run(lambda stores: _describe_all(stores, databases(place)))
    if as_json:
        print_json(rows)
    elif rows:
        print_table([{name: row[name] for name in ("name", "binding", "num_tables", "file_size")} for row in rows])
    else:
        note("There is no database in d1_databases of this project's wrangler files.")


@d1.command(examples=("pyworkers d1 info DB --json",))
@database_argument
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@place_options
def info(*, place: Place, database: str, as_json: bool) -> None:
    """Show where a DATABASE, its name or binding, lies, and how large it is."""
    [row] = place.run(lambda stores: _describe_all(stores, [find_database(place, database)]))
    if as_json:
        print_json(row)
        return
    width = max(map(len, row))
    for name, value in row.items():
        click.echo(f"{name:<{width}}  {'' if value is None else value}")


d1.add_command(migrations)


async def _run(stores: Stores, found: Database, statements: Sequence[str]) -> list[D1Result]:
    async with busy(f"Executing {_counted(len(statements), 'statement')}"):
        return await found.run(stores, statements)


async def _describe_all(stores: Stores, found: Sequence[Database]) -> list[dict[str, Any]]:
    rows = []
    for database in found:
        is_there = database.file.exists()
        with platform_errors():
            results = await database.run(stores, [_TABLE_COUNT]) if is_there else []
        rows.append(
            {
                "uuid": database.config.database_id,
                "name": database.name,
                "binding": database.config.binding,
                "worker": database.worker.name,
                "num_tables": results[0].rows[0][0] if results else 0,
                "file_size": database.file.stat().st_size if is_there else 0,
                "file": str(database.file),
            }
        )
    return rows


def _where(error: PyworkersError, statements: Sequence[str]) -> str | None:
    """Return which of several statements an error is about."""
    from pyworkers.engines.d1 import SqlError
    from pyworkers.engines.d1.migrations import excerpt

    cause = error.__cause__.__cause__ if error.__cause__ is not None else None
    index = cause.statement if isinstance(cause, SqlError) else None
    if index is None or index >= len(statements) or len(statements) == 1:
        return None
    text = excerpt(statements[index]).rstrip(";")
    return f"at statement {index + 1} of {len(statements)}: {text}; nothing of it was done"


def _statements(sql: str) -> list[str]:
    from pyworkers.engines.d1.migrations import script_statements

    statements = script_statements(sql)
    if not statements:
        raise UsageError("the SQL holds no statement", hint="write at least one, such as SELECT 1")
    return statements


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f'Unable to read SQL text file "{path}": {error.strerror}.', hint="check the file path and try again"
        ) from error
    if data.startswith(_SQLITE_MAGIC):
        raise UsageError(
            f"{path} is a SQLite database, not a file of SQL text",
            hint=f"make one: sqlite3 {path} .dump > {path.stem}.sql",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8: {error.reason} at byte {error.start}", hint="save it as UTF-8"
        ) from error


def _print_results(results: Sequence[D1Result], *, as_json: bool) -> None:
    rows = [[dict(zip(result.columns, map(_value, row), strict=True)) for row in result.rows] for result in results]
    if not as_json and sys.stdout.isatty():
        for some in rows:
            print_table(some)
        return
    print_json(
        [
            {"results": some, "success": True, "meta": {"duration": round(result.meta.duration_ms, 3)}}
            for some, result in zip(rows, results, strict=True)
        ]
    )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _value(value: object) -> object:
    """Return a value as wrangler prints it: a blob is the text of an array of numbers."""
    return f"[{', '.join(map(str, value))}]" if isinstance(value, bytes) else value


def _shown(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
