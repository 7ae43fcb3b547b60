"""``pyworkers d1 migrations``: wrangler's table and order, a transaction each, and what changed since."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest
from cli_call import CONFIG, Done, call, printed
from dev_process import StartDev, run_command

WORKER = """
from workers import Response

async def fetch(request, env):
    found = await env.DB.prepare("SELECT name FROM users").all()
    return Response.json(found.results)
"""
USERS = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO users VALUES (1, 'a;b');\n"
TABLE = """CREATE TABLE "d1_migrations"(
\t\tid         INTEGER PRIMARY KEY AUTOINCREMENT,
\t\tname       TEXT UNIQUE,
\t\tapplied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)"""
APPLY = ("d1", "migrations", "apply", "DB")
LIST = ("d1", "migrations", "list", "DB")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    (tmp_path / "entry.py").write_text(WORKER)
    (tmp_path / "migrations").mkdir()
    return tmp_path


def write(folder: Path, **migrations: str) -> None:
    for name, sql in migrations.items():
        (folder / "migrations" / f"{name.removeprefix('m')}.sql").write_text(sql)


def query(folder: Path, sql: str) -> list[dict[str, object]]:
    answers = json.loads(printed(folder, "d1", "execute", "DB", "--json", "--command", sql))
    found: list[dict[str, object]] = answers[-1]["results"]
    return found


def table(title: str, *names: str) -> str:
    width = max(map(len, names))
    rows = f"\n├{'─' * (width + 2)}┤\n".join(f"│ {name:<{width}} │" for name in (title, *names))
    return f"┌{'─' * (width + 2)}┐\n{rows}\n└{'─' * (width + 2)}┘\n"


def test_a_migration_is_created_with_the_next_number(tmp_path: Path) -> None:
    (tmp_path / "wrangler.toml").write_text(CONFIG)  # the worker's module is not written yet
    out = printed(tmp_path, "d1", "migrations", "create", "database", "add users")
    file = tmp_path / "migrations" / "0001_add_users.sql"
    assert out == (
        "✅ Successfully created Migration '0001_add_users.sql'!\n\n"
        f"The migration is available for editing here\n{file}\n"
    )
    assert re.fullmatch(r"-- Migration number: 0001 \t \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\n", file.read_text())
    (tmp_path / "migrations" / "0041_x.sql").touch()
    printed(tmp_path, "d1", "migrations", "create", "DB", "next")
    assert (tmp_path / "migrations" / "0042_next.sql").is_file()
    assert call(tmp_path, "d1", "migrations", "create", "DB", "a/b") == Done(
        2, "", 'Error: the message "a/b" holds a path separator\n  leave / and \\ out\n'
    )


def test_migrations_are_listed_and_applied_once(folder: Path) -> None:
    write(folder, m0001_users=USERS, m0002_index="CREATE INDEX by_name ON users (name);")
    assert printed(folder, *LIST) == "Migrations to be applied:\n" + table("Name", "0001_users.sql", "0002_index.sql")
    assert printed(folder, *APPLY) == (
        "Migrations to be applied:\n"
        + table("name", "0001_users.sql", "0002_index.sql")
        + "┌────────────────┬────────┐\n"
        "│ name           │ status │\n"
        "├────────────────┼────────┤\n"
        "│ 0001_users.sql │ ✅     │\n"
        "├────────────────┼────────┤\n"
        "│ 0002_index.sql │ ✅     │\n"
        "└────────────────┴────────┘\n"
    )
    assert printed(folder, *LIST) == printed(folder, *APPLY) == "✅ No migrations to apply!\n"
    assert query(folder, "SELECT * FROM users") == [{"id": 1, "name": "a;b"}]
    rows = query(folder, "SELECT * FROM d1_migrations")
    assert [(row["id"], row["name"]) for row in rows] == [(1, "0001_users.sql"), (2, "0002_index.sql")]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", str(row["applied_at"])) for row in rows)
    assert query(folder, "SELECT sql FROM sqlite_master WHERE name = 'd1_migrations'") == [{"sql": TABLE}]
    listed = json.loads(printed(folder, *LIST, "--json"))
    assert [(row["name"], row["applied"]) for row in listed] == [("0001_users.sql", True), ("0002_index.sql", True)]


def test_a_failing_migration_is_named_with_its_statement_and_the_ones_before_it_stay(folder: Path) -> None:
    write(
        folder,
        m0001_users=USERS,
        m0002_wrong="-- first\nCREATE TABLE other (id);\n\n-- why\nINSERT INTO missing\n  VALUES (1);\nSELECT 1;",
        m0003_later="CREATE TABLE later (id);",
    )
    done = call(folder, *APPLY)
    assert (done.status, done.err) == (
        1,
        "Error: Migration 0002_wrong.sql failed at statement 2: INSERT INTO missing VALUES (1);\n"
        "  no such table: missing: SQLITE_ERROR\n"
        "  nothing of it was applied, everything before it was; mend it and apply again\n",
    )
    assert done.out.endswith(
        "│ 0001_users.sql │ ✅     │\n├────────────────┼────────┤\n│ 0002_wrong.sql │ ❌     │\n"
        + "├────────────────┼────────┤\n│ 0003_later.sql │ 🕒️     │\n└────────────────┴────────┘\n"
    )
    names = query(folder, "SELECT name FROM sqlite_master WHERE name IN ('users', 'other', 'later')")
    assert names == [{"name": "users"}]
    write(folder, m0002_wrong="CREATE TABLE other (id);")
    assert call(folder, *APPLY).status == 0
    assert [row["name"] for row in query(folder, "SELECT name FROM d1_migrations")] == [
        "0001_users.sql",
        "0002_wrong.sql",
        "0003_later.sql",
    ]


def test_a_foreign_key_that_fails_at_the_commit_undoes_the_migration(folder: Path) -> None:
    write(
        folder,
        m0001_keys="PRAGMA defer_foreign_keys = on;\n"
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);\nCREATE TABLE child (p REFERENCES parent (id));\n"
        "INSERT INTO child VALUES (7);",
    )
    done = call(folder, *APPLY)
    assert (done.status, done.err) == (
        1,
        "Error: Migration 0001_keys.sql failed\n"
        "  FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)\n"
        "  nothing of it was applied, everything before it was; mend it and apply again\n",
    )
    assert query(folder, "SELECT name FROM sqlite_master WHERE name = 'child'") == []


def test_an_applied_file_that_changed_or_went_is_reported(folder: Path) -> None:
    write(folder, m0001_users=USERS, m0002_other="CREATE TABLE other (id);")
    call(folder, *APPLY)
    [at] = {
        row["applied_at"] for row in json.loads(printed(folder, *LIST, "--json")) if row["name"] == "0001_users.sql"
    }
    write(folder, m0001_users=USERS + "-- changed\n")
    changed = (
        f"Warning: 0001_users.sql was changed after it was applied at {at}\n"
        "  the database does not have the change: undo it, and make it in a new migration\n"
    )
    for command in (LIST, APPLY):
        assert call(folder, *command) == Done(0, "✅ No migrations to apply!\n", changed)
    (folder / "migrations" / "0002_other.sql").unlink()
    done = call(folder, *LIST)
    assert done.err.startswith(changed + "Warning: 0002_other.sql was applied at ")
    assert done.err.endswith(" and its file is gone\n  restore it\n")
    write(folder, m0001_users=USERS, m0002_other="CREATE TABLE other (id);")
    assert call(folder, *LIST) == Done(0, "✅ No migrations to apply!\n", "")


def test_the_digests_of_another_database_report_nothing(folder: Path) -> None:
    write(folder, m0001_users=USERS)
    call(folder, *APPLY)
    for file in (folder / ".pyworkers" / "state" / "d1").glob("*.sqlite*"):
        file.unlink()
    with sqlite3.connect(folder / ".pyworkers" / "state" / "d1" / "database.sqlite") as other:
        other.execute(TABLE)
        other.execute("INSERT INTO d1_migrations VALUES (1, '0001_users.sql', '2020-01-01 00:00:00')")
    other.close()
    write(folder, m0001_users=USERS + "-- changed\n")
    assert call(folder, *LIST) == Done(0, "✅ No migrations to apply!\n", "")


def test_what_wrangler_applied_is_not_applied_again(folder: Path) -> None:
    query(folder, f"{TABLE}; INSERT INTO d1_migrations (name) VALUES ('0001_users.sql')")
    write(folder, m0001_users=USERS, m0002_other="CREATE TABLE other (id);")
    assert printed(folder, *LIST) == "Migrations to be applied:\n" + table("Name", "0002_other.sql")


def test_numbers_order_migrations_as_numbers(folder: Path) -> None:
    write(folder, m2_b="", m10_c="", m1_a="", mlast="", m02_a="")
    (folder / "migrations" / "readme.md").touch()
    (folder / "migrations" / ".hidden.sql").touch()
    names = [row["name"] for row in json.loads(printed(folder, *LIST, "--json"))]
    assert names == ["1_a.sql", "02_a.sql", "2_b.sql", "10_c.sql", "last.sql"]


def test_folder_table_and_pattern_are_the_configurations(folder: Path) -> None:
    keys = 'migrations_dir = "drizzle"\nmigrations_table = "my table"\nmigrations_pattern = "drizzle/*/migration.sql"\n'
    config = (folder / "wrangler.toml").read_text()
    (folder / "wrangler.toml").write_text(config.replace("[[r2", f"{keys}[[r2"))
    (folder / "drizzle" / "0000_first").mkdir(parents=True)
    (folder / "drizzle" / "0000_first" / "migration.sql").write_text(USERS)
    (folder / "drizzle" / "not_one.sql").write_text("nonsense")
    assert call(folder, *APPLY, "--yes").status == 0
    assert query(folder, 'SELECT id, name FROM "my table"') == [{"id": 1, "name": "0000_first/migration.sql"}]
    assert call(folder, "d1", "migrations", "create", "DB", "x") == Done(
        2,
        "",
        'Error: 0001_x.sql would not match migrations_pattern "drizzle/*/migration.sql"\n'
        "  create it with the tool whose layout the pattern is, or change the pattern\n",
    )


def test_a_missing_folder_says_how_to_begin(folder: Path) -> None:
    (folder / "migrations").rmdir()
    assert call(folder, *APPLY) == Done(
        2,
        "",
        f"Error: No migrations present at {folder}/migrations.\n"
        '  make one: pyworkers d1 migrations create DB "message"\n',
    )


def test_a_running_server_sees_what_is_applied(folder: Path, start_dev: StartDev) -> None:
    dev = start_dev(folder=folder)
    assert dev.get("/").status_code == 500
    write(folder, m0001_users=USERS)
    assert run_command(folder, *APPLY).returncode == 0
    assert dev.get("/").json() == [{"name": "a;b"}]
    write(folder, m0002_more="INSERT INTO users VALUES (2, 'more'); ALTER TABLE users ADD COLUMN age INTEGER;")
    assert run_command(folder, *APPLY).returncode == 0
    assert dev.get("/").json() == [{"name": "a;b"}, {"name": "more"}]


def test_a_migration_that_is_no_text_says_so(folder: Path) -> None:
    write(folder, m0001_users=USERS)
    (folder / "migrations" / "0002_binary.sql").write_bytes(b"\xff\xfe")
    done = call(folder, *APPLY)
    assert (done.status, done.err) == (
        2,
        f"Error: {folder}/migrations/0002_binary.sql is not UTF-8: invalid start byte at byte 0\n  save it as UTF-8\n",
    )
