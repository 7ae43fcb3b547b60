"""``pyworkers d1``: SQL and exports, with D1's texts, on the data of a running server."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from cli_call import CONFIG, Done, call, printed
from dev_process import StartDev, run_command

WORKER = """
from workers import Response

async def fetch(request, env):
    if request.method == "PUT":
        await env.DB.prepare("INSERT INTO notes (body) VALUES (?)").bind(await request.text()).run()
    found = await env.DB.prepare("SELECT * FROM notes ORDER BY id").all()
    return Response.json(found.results)
"""
SCHEMA = "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);\n"
RUNNING = "Executing on local database database from .pyworkers/state/d1/database.sqlite:\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    (tmp_path / "entry.py").write_text(WORKER)
    return tmp_path


def run_json(folder: Path, sql: str) -> list[list[dict[str, object]]]:
    answers = json.loads(printed(folder, "d1", "execute", "DB", "--command", sql, "--json"))
    assert all(set(answer) == {"results", "success", "meta"} and answer["success"] for answer in answers)
    assert all(set(answer["meta"]) == {"duration"} for answer in answers)
    return [answer["results"] for answer in answers]


def test_statements_are_run_and_their_rows_printed_as_wranglers_json(folder: Path) -> None:
    assert run_json(folder, "SELECT 1 AS one, NULL AS n, 1.5 AS f, 2.0 AS whole, x'0102' AS b, 'ü' AS t; SELECT 2") == [
        [{"one": 1, "n": None, "f": 1.5, "whole": 2, "b": "[1, 2]", "t": "ü"}],
        [{"2": 2}],
    ]
    assert run_json(folder, f"{SCHEMA} INSERT INTO notes (body) VALUES ('a;b'), ('c') -- done") == [[], []]
    assert run_json(folder, "SELECT body FROM notes") == [[{"body": "a;b"}, {"body": "c"}]]


@pytest.mark.parametrize("name", ["DB", "database", "11111111-2222-3333-4444-555555555555"])
def test_a_database_is_named_by_name_binding_or_id(folder: Path, name: str) -> None:
    done = call(folder, "d1", "execute", name, "--command", "SELECT 1 AS n", "--local", "-y")
    assert (done.status, done.err) == (0, f"{RUNNING}1 command executed successfully.\n")
    assert json.loads(done.out)[0]["results"] == [{"n": 1}]


def test_a_file_is_run_whole_or_not_at_all(folder: Path) -> None:
    (folder / "schema.sql").write_text(f"{SCHEMA}INSERT INTO notes VALUES (1, 'x');\n\nINSERT INTO nope VALUES (1);\n")
    assert call(folder, "d1", "execute", "DB", "--file", "schema.sql") == Done(
        1,
        "",
        f"{RUNNING}Error: no such table: nope: SQLITE_ERROR\n"
        "  at statement 3 of 3: INSERT INTO nope VALUES (1); nothing of it was done\n",
    )
    told = json.loads(call(folder, "d1", "execute", "DB", "--file", "schema.sql", "--json").out)
    assert told["error"] == {
        "text": "no such table: nope: SQLITE_ERROR",
        "notes": [{"text": "at statement 3 of 3: INSERT INTO nope VALUES (1); nothing of it was done"}],
    }
    assert run_json(folder, "SELECT name FROM sqlite_master WHERE name = 'notes'") == [[]]
    (folder / "schema.sql").write_text(SCHEMA)
    assert call(folder, "d1", "execute", "DB", "--file", "schema.sql", "--yes").status == 0
    assert run_json(folder, "SELECT name FROM sqlite_master WHERE name = 'notes'") == [[{"name": "notes"}]]


def test_an_error_is_json_where_json_was_asked_for(folder: Path) -> None:
    done = call(folder, "d1", "execute", "DB", "--command", "SELECT * FROM zz", "--json")
    assert (done.status, done.err) == (1, "")
    assert done.out == '{\n  "error": {\n    "text": "no such table: zz: SQLITE_ERROR"\n  }\n}\n'


@pytest.mark.parametrize(
    ("args", "err"),
    [
        (("DB",), "there is no SQL to run\n  pass --command SQL or --file FILE"),
        (("DB", "--command", "-- nothing"), "the SQL holds no statement\n  write at least one, such as SELECT 1"),
        (("DB", "--command", "SELECT 1", "--file", "f"),
         "--command and --file exclude each other\n  pass --command SQL or --file FILE"),
        (("BD", "--command", "SELECT 1"),
         'D1 database "BD" is not in the d1_databases of wrangler.toml\n  there are database, DB'),
        (("databse", "--command", "SELECT 1"),
         'D1 database "databse" is not in the d1_databases of wrangler.toml\n  did you mean "database"?'),
    ],
)  # fmt: skip
def test_a_wrong_command_says_what_is_wrong_and_what_to_do(folder: Path, args: tuple[str, ...], err: str) -> None:
    assert call(folder, "d1", "execute", *args) == Done(2, "", f"Error: {err}\n")


def test_a_file_that_is_no_sql_text_is_refused(folder: Path) -> None:
    assert call(folder, "d1", "execute", "DB", "--file", "none.sql").err == (
        f'Error: Unable to read SQL text file "{folder}/none.sql": No such file or directory.\n'
        "  check the file path and try again\n"
    )
    sqlite3.connect(folder / "x.sqlite").execute("CREATE TABLE t (a)").connection.close()
    assert call(folder, "d1", "execute", "DB", "--file", "x.sqlite").err == (
        f"Error: {folder}/x.sqlite is a SQLite database, not a file of SQL text\n"
        f"  make one: sqlite3 {folder}/x.sqlite .dump > x.sql\n"
    )


def test_a_dump_of_the_sqlite_shell_is_taken(folder: Path) -> None:
    with sqlite3.connect(":memory:") as shell:
        shell.executescript(f"{SCHEMA} INSERT INTO notes VALUES (1, 'BEGIN TRANSACTION; COMMIT;');")
        (folder / "dump.sql").write_text("PRAGMA foreign_keys=OFF;\n" + "\n".join(shell.iterdump()))
    shell.close()
    assert call(folder, "d1", "execute", "DB", "--file", "dump.sql").status == 0
    assert run_json(folder, "SELECT * FROM notes") == [[{"id": 1, "body": "BEGIN TRANSACTION; COMMIT;"}]]


AWKWARD = """
CREATE TABLE "odd ""name" (a INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT, c BLOB, d REAL, e AS (a + 1));
CREATE TABLE child (id INTEGER, parent INTEGER REFERENCES "odd ""name" (a));
CREATE INDEX by_parent ON child (parent);
CREATE VIEW parents AS SELECT parent FROM child;
CREATE TRIGGER log AFTER INSERT ON child BEGIN UPDATE "odd ""name" SET d = d; END;
INSERT INTO "odd ""name" VALUES (7, 'it''s' || char(10) || 'two' || char(13), x'00ff', 1e300);
INSERT INTO "odd ""name" VALUES (8, '\\n is no' || char(10) || 'break', NULL, 2.0);
INSERT INTO "odd ""name" VALUES (9, 'zero' || char(0) || 'byte ü', x'', -0.5);
INSERT INTO child VALUES (1, 7);
"""


def test_an_export_makes_the_same_database_again(folder: Path, tmp_path: Path) -> None:
    (folder / "schema.sql").write_text(AWKWARD)
    assert call(folder, "d1", "execute", "DB", "--file", "schema.sql").status == 0
    done = call(folder, "d1", "export", "DB", "--local", "--output", "out.sql", "-y")
    assert done == Done(
        0, "", "Exporting local database database from .pyworkers/state/d1/database.sqlite to out.sql\nDone!\n"
    )
    rows = 'SELECT a, hex(b) AS b, hex(c) AS c, d, e FROM "odd ""name"; SELECT * FROM child;'
    schema = """SELECT type, name, replace(sql, 'IF NOT EXISTS ', '') AS sql
        FROM sqlite_master WHERE name <> '_cf_METADATA' ORDER BY 1, 2"""
    again = ("--persist-to", str(tmp_path / "again"))
    assert call(folder, "d1", "execute", "DB", "--file", "out.sql", *again).status == 0
    execute = ("d1", "execute", "DB", "--json", "--command", rows + schema)
    first, second = json.loads(printed(folder, *execute)), json.loads(printed(folder, *execute, *again))
    assert [answer["results"] for answer in first] == [answer["results"] for answer in second]
    assert run_json(folder, "SELECT seq FROM sqlite_sequence") == [[{"seq": 9}]]


def test_an_export_holds_what_was_asked_for(folder: Path) -> None:
    run_json(
        folder, f"{SCHEMA} CREATE TABLE other (a); INSERT INTO notes VALUES (1, 'x'); INSERT INTO other VALUES (2)"
    )
    head = "PRAGMA defer_foreign_keys=TRUE;\n"
    notes, other = "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);\n", "CREATE TABLE other (a);\n"
    export = ("d1", "export", "database", "--output", "-")
    assert printed(folder, *export) == (
        head + notes + "INSERT INTO \"notes\" VALUES(1,'x');\n" + other + 'INSERT INTO "other" VALUES(2);\n'
    )
    assert printed(folder, *export, "--no-data") == head + notes + other
    assert printed(folder, *export, "--no-schema", "--table", "other") == head + 'INSERT INTO "other" VALUES(2);\n'
    assert call(folder, *export, "--no-schema", "--no-data") == Done(
        2, "", "Error: --no-schema and --no-data leave nothing to export\n  pass one of the two\n"
    )


def test_an_export_of_a_table_that_is_not_there_is_an_error(folder: Path) -> None:
    assert call(folder, "d1", "execute", "DB", "--command", SCHEMA).status == 0
    assert call(folder, "d1", "export", "DB", "--output", "-", "--table", "note") == Done(
        1, "", 'Error: there is no table "note" to export\n  there are notes\n'
    )


def test_an_export_that_fails_leaves_no_file(folder: Path) -> None:
    run_json(folder, "CREATE VIRTUAL TABLE words USING fts5(body)")
    assert call(folder, "d1", "export", "DB", "--output", "out.sql") == Done(
        1,
        "",
        "Exporting local database database from .pyworkers/state/d1/database.sqlite to out.sql\n"
        "Error: D1 Export error: cannot export databases with Virtual Tables (fts5)\n  name the others with --table\n",
    )
    assert not list(folder.glob("out.sql*"))


def test_databases_are_listed_and_described(folder: Path) -> None:
    run_json(folder, SCHEMA)
    file = folder / ".pyworkers" / "state" / "d1" / "database.sqlite"
    row = {
        "uuid": "11111111-2222-3333-4444-555555555555",
        "name": "database",
        "binding": "DB",
        "worker": "data",
        "num_tables": 1,
        "file_size": file.stat().st_size,
        "file": str(file),
    }
    assert json.loads(printed(folder, "d1", "list", "--json")) == [row]
    assert json.loads(printed(folder, "d1", "info", "database", "--json")) == row
    assert printed(folder, "d1", "info", "DB").splitlines()[1:3] == ["name        database", "binding     DB"]
    assert printed(folder, "d1", "list").splitlines()[1] == "│ name     │ binding │ num_tables │ file_size │"


def test_a_database_of_another_worker_of_the_project_is_found(folder: Path) -> None:
    for name in ("data", "front"):
        (folder / "workers" / name).mkdir(parents=True)
        (folder / "workers" / name / "entry.py").touch()
    front = folder / "workers" / "front"
    (folder / "wrangler.toml").rename(folder / "workers" / "data" / "wrangler.toml")
    (front / "wrangler.toml").write_text(
        'name = "front"\nmain = "entry.py"\ncompatibility_date = "2026-04-01"\n'
        '[[services]]\nbinding = "DATA"\nservice = "data"\n'
    )
    (folder / "pyproject.toml").write_text('[tool.pyworkers]\nworkers = ["workers/*"]\n')
    run_json(front, SCHEMA)
    assert (folder / ".pyworkers" / "state" / "d1" / "database.sqlite").is_file()
    assert run_json(folder / "workers" / "data", "SELECT count(*) AS n FROM notes") == [[{"n": 0}]]


def test_the_running_server_and_the_command_see_the_same_data(folder: Path, start_dev: StartDev) -> None:
    dev = start_dev(folder=folder)
    # The command makes the table while the server has the database open.
    assert dev.get("/").status_code == 500
    execute = ("d1", "execute", "DB", "--json", "--command")
    assert run_command(folder, *execute, SCHEMA).returncode == 0
    assert dev.client.put("/", content="of the server").json() == [{"id": 1, "body": "of the server"}]
    done = run_command(folder, *execute, "SELECT body FROM notes; INSERT INTO notes (body) VALUES ('of the command')")
    assert [answer["results"] for answer in json.loads(done.stdout)] == [[{"body": "of the server"}], []]
    # A column that the server's compiled statements do not know yet.
    run_command(folder, *execute, "ALTER TABLE notes ADD COLUMN tag TEXT DEFAULT 'new'")
    assert dev.get("/").json() == [
        {"id": 1, "body": "of the server", "tag": "new"},
        {"id": 2, "body": "of the command", "tag": "new"},
    ]
    assert "of the server" in run_command(folder, "d1", "export", "DB", "--output", "-").stdout


def test_a_corrupt_file_is_named_and_kept(folder: Path) -> None:
    run_json(folder, SCHEMA)
    file = folder / ".pyworkers" / "state" / "d1" / "database.sqlite"
    file.write_bytes(b"no database " * 1000)
    done = call(folder, "d1", "execute", "DB", "--command", "SELECT 1")
    assert done == Done(
        1,
        "",
        f"{RUNNING}Error: {file} cannot be read as a SQLite database: file is not a database\n"
        "  move the file away, or restore a copy\n",
    )
    assert file.read_bytes() == b"no database " * 1000
