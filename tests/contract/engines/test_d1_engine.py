"""The laws of D1 engines, each under its own words, on every engine."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import apsw
import pytest

from pyworkers.engines.d1 import (
    ENGINES,
    D1Engine,
    D1Result,
    D1Statement,
    D1Value,
    Refusal,
    SqlError,
    StatementRefused,
    database,
)
from pyworkers.engines.d1.aiosqlite_engine import AiosqliteD1Engine
from pyworkers.engines.d1.split import split_statements
from pyworkers.engines.d1.sqlite_engine import SqliteD1Engine
from pyworkers.errors import EngineClosed, EngineCorrupt

ENDLESS = "SELECT * FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n)"
Program = Callable[[D1Engine], Awaitable[None]]


class Bench:
    """Makes engines of one kind."""

    def __init__(self, path: Path | None, kind: type[SqliteD1Engine | AiosqliteD1Engine] = SqliteD1Engine) -> None:
        self.path = path
        self.kind = kind

    @property
    def has_offsets(self) -> bool:
        return self.kind is SqliteD1Engine

    def open(self, max_query_s: float = 60.0) -> D1Engine:
        return self.kind(self.path, max_query_s=max_query_s)

    def run(self, program: Program, **options: float) -> None:
        async def main() -> None:
            async with self.open(**options) as engine:
                await program(engine)

        asyncio.run(main())


@pytest.fixture(params=["sqlite", "sqlite-memory", "aiosqlite", "aiosqlite-memory"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    path = None if request.param.endswith("memory") else tmp_path / "d1" / "db.sqlite"
    return Bench(path, AiosqliteD1Engine if request.param.startswith("aiosqlite") else SqliteD1Engine)


@pytest.fixture(params=["sqlite", "aiosqlite"])
def file_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(tmp_path / "db.sqlite", AiosqliteD1Engine if request.param == "aiosqlite" else SqliteD1Engine)


async def query(engine: D1Engine, sql: str, *params: D1Value) -> D1Result:
    return (await engine.run([D1Statement(sql, params)])).results[0]


async def failure(engine: D1Engine, sql: str, *params: D1Value) -> tuple[str, str, str | None, int | None]:
    with pytest.raises(SqlError) as caught:
        await query(engine, sql, *params)
    error = caught.value
    return error.message, error.sqlite_code, error.extended_code, error.offset


async def refusal(engine: D1Engine, sql: str, *params: D1Value) -> Refusal:
    with pytest.raises(StatementRefused) as caught:
        await query(engine, sql, *params)
    return caught.value.refusal


def test_a_call_is_atomic_after_an_error_none_of_its_statements_has_happened(bench: Bench) -> None:
    async def program(engine: D1Engine) -> None:
        await query(engine, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
        calls = [
            [D1Statement("INSERT INTO t VALUES (1)"), D1Statement("SELECT * FROM nosuch")],
            [D1Statement("INSERT INTO t VALUES (1)"), D1Statement("SELEC")],
            [D1Statement("CREATE TABLE z (a)"), D1Statement("INSERT INTO t VALUES (1), (1)")],
            [D1Statement("INSERT INTO t VALUES (1); SELECT ?", ())],
            [D1Statement("INSERT INTO t VALUES (1);;")],
            [D1Statement("PRAGMA defer_foreign_keys = 1"), D1Statement("INSERT INTO t VALUES (1); COMMIT")],
        ]
        for call in calls:
            with pytest.raises((SqlError, StatementRefused)):
                await engine.run(call)
        assert (await query(engine, "SELECT * FROM t")).rows == []
        assert (await query(engine, "SELECT name FROM sqlite_master WHERE name = 'z'")).rows == []

    bench.run(program)


def test_a_deferred_foreign_key_that_stays_broken_undoes_the_call(bench: Bench) -> None:
    async def program(engine: D1Engine) -> None:
        await query(engine, "CREATE TABLE p (id INTEGER PRIMARY KEY)")
        await query(engine, "CREATE TABLE c (p REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)")
        assert await failure(engine, "INSERT INTO c VALUES (1)") == (
            "FOREIGN KEY constraint failed",
            "SQLITE_CONSTRAINT",
            "SQLITE_CONSTRAINT_FOREIGNKEY",
            None,
        )
        assert (await query(engine, "SELECT * FROM c")).rows == []

    bench.run(program)


def test_calls_happen_one_after_another_in_the_order_in_which_they_were_made(bench: Bench) -> None:
    async def program(engine: D1Engine) -> None:
        await query(engine, "CREATE TABLE t (n)")
        calls = [query(engine, "INSERT INTO t VALUES (?)", n) for n in range(50)]
        await asyncio.gather(*calls)
        assert (await query(engine, "SELECT n FROM t ORDER BY rowid")).rows == [(n,) for n in range(50)]

    bench.run(program)


def test_a_statement_sees_what_the_statements_before_it_in_the_call_did(bench: Bench) -> None:
    async def program(engine: D1Engine) -> None:
        answer = await engine.run(
            [
                D1Statement("CREATE TABLE t (id INTEGER PRIMARY KEY, a)"),
                D1Statement("INSERT INTO t (a) VALUES (?) RETURNING id", ("x",)),
                D1Statement("SELECT last_insert_rowid(), changes(), count(*) FROM t"),
            ]
        )
        assert [result.rows for result in answer.results] == [[], [(1,)], [(1, 1, 1)]]
        assert [result.columns for result in answer.results] == [
            [],
            ["id"],
            ["last_insert_rowid()", "changes()", "count(*)"],
        ]

    bench.run(program)


def test_values_come_back_as_sqlite_stores_them(bench: Bench) -> None:
    values: tuple[D1Value, ...] = (None, 1, 1.5, -0.0, "é\x00", b"\x00\xff", 2**63 - 1, "")

    async def program(engine: D1Engine) -> None:
        marks = ", ".join("?" * len(values))
        assert (await query(engine, f"SELECT {marks}", *values)).rows == [values]
        result = await query(engine, "SELECT typeof(?1), typeof(?2), 9e999, ?3", 1.0, 1, "a")
        assert result.rows == [("real", "integer", float("inf"), "a")]

    bench.run(program)


def test_an_empty_result_still_has_its_columns(bench: Bench) -> None:
    async def program(engine: D1Engine) -> None:
        result = await query(engine, "SELECT 1 AS a, 2 AS a WHERE 0")
        assert (result.columns, result.rows) == (["a", "a"], [])

    bench.run(program)


def test_the_last_of_several_statements_gives_the_rows(bench: Bench) -> None:
    async def program(engine: D1Engine) -> None:
        result = await query(engine, "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2); SELECT sum(a) + ? FROM t", 1)
        assert result.rows == [(4,)]
        assert result.meta.changes == 2
        assert await refusal(engine, "SELECT ?; SELECT 1", 1) is Refusal.EARLY_PARAMETERS
        for sql in ("", "-- only", "/* c */", ";", "SELECT 1;;", "SELECT 1; -- end"):
            assert await refusal(engine, sql) is Refusal.NO_STATEMENT
        for sql in ("SELECT ?", "SELECT ?, ?, ?"):
            assert await refusal(engine, sql, 1, 2) is Refusal.PARAMETER_COUNT

    bench.run(program)


def test_sqlites_own_message_code_and_offset_are_in_sql_error(bench: Bench) -> None:
    async def program(engine: D1Engine) -> None:
        await query(engine, "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE)")
        await query(engine, "INSERT INTO t VALUES (1, 1)")
        assert await failure(engine, "SELEC 1") == (
            'near "SELEC": syntax error',
            "SQLITE_ERROR",
            None,
            0 if bench.has_offsets else None,
        )
        assert await failure(engine, "SELECT 1; SELECT zz FROM t") == (
            "no such column: zz",
            "SQLITE_ERROR",
            None,
            7 if bench.has_offsets else None,
        )
        assert await failure(engine, "SELECT (1") == ("incomplete input", "SQLITE_ERROR", None, None)
        assert await failure(engine, "INSERT INTO t VALUES (2, 1)") == (
            "UNIQUE constraint failed: t.u",
            "SQLITE_CONSTRAINT",
            "SQLITE_CONSTRAINT_UNIQUE",
            None,
        )
        assert await failure(engine, "SELECT ?", "x" * 2_200_001) == (
            "string or blob too big",
            "SQLITE_TOOBIG",
            None,
            None,
        )

    bench.run(program)


DENIED = [
    "PRAGMA journal_mode = DELETE",
    "PRAGMA user_version = 5",
    "PRAGMA page_count",
    "PRAGMA foreign_keys = 'x'",
    "PRAGMA table_info(_cf_METADATA)",
    "ATTACH DATABASE ':memory:' AS y",
    "DETACH y",
    "INSERT INTO _cf_METADATA VALUES (9, 9)",
    "CREATE TABLE _cf_x (a)",
    "CREATE TEMP TABLE x (a)",
]


@pytest.mark.parametrize("sql", DENIED)
def test_what_d1_denies_is_denied(bench: Bench, sql: str) -> None:
    async def program(engine: D1Engine) -> None:
        await query(engine, "SELECT 1")
        assert await failure(engine, sql) == ("not authorized", "SQLITE_AUTH", None, None)

    bench.run(program)


@pytest.mark.parametrize("sql", ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT x", "RELEASE x", "BEGIN IMMEDIATE"])
def test_what_d1_denies_is_denied_transactions(bench: Bench, sql: str) -> None:
    async def program(engine: D1Engine) -> None:
        for _ in range(2):
            assert await refusal(engine, sql) is Refusal.TRANSACTION
        assert (await query(engine, "SELECT 1")).rows == [(1,)]

    bench.run(program)


def test_the_engines_own_table_is_listed_and_cannot_be_read(bench: Bench) -> None:
    async def program(engine: D1Engine) -> None:
        await query(engine, "SELECT 1")
        assert (await query(engine, "SELECT name FROM sqlite_master")).rows == [("_cf_METADATA",)]
        assert (await failure(engine, "SELECT * FROM _cf_METADATA"))[0] == ("access to _cf_METADATA.key is prohibited")
        assert (await failure(engine, "VACUUM"))[0] == "cannot VACUUM from within a transaction"

    bench.run(program)


class Passing:
    """The time by which a query has overrun; a test makes it pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed_s = 0.0
        for name in ("monotonic", "perf_counter"):
            if hasattr(database, name):
                monkeypatch.setattr(database, name, self._later(getattr(database, name)))

    def _later(self, now_s: Callable[[], float]) -> Callable[[], float]:
        return lambda: now_s() + self.passed_s


@pytest.mark.parametrize("before", ["", "-- a comment\n /* another */\ufeff", "SELECT 1; "])
def test_explain_tells_of_the_tables_that_there_are_whoever_changed_the_schema(bench: Bench, before: str) -> None:
    def tables(result: D1Result) -> list[D1Value]:
        opcode, p4 = result.columns.index("opcode"), result.columns.index("p4")
        return [row[p4] for row in result.rows if row[opcode] in ("Insert", "IdxInsert", "Delete")]

    async def program(engine: D1Engine) -> None:
        await engine.run([D1Statement("CREATE TABLE things (a, b)")])
        for number in range(20):
            await engine.run([D1Statement(f"CREATE TABLE other_{number} (a)")])
        explain = f"{before}EXPLAIN INSERT INTO things VALUES (?, ?)"
        for number in range(5):
            assert tables(await query(engine, explain, 1, 2)) == ["things"]
            await engine.run([D1Statement("INSERT INTO things VALUES (1, 2)")])
            if bench.path is not None:
                with sqlite3.connect(bench.path) as another:
                    another.execute(f"CREATE TABLE more_{number} (a)")
                another.close()
            await engine.run([D1Statement("INSERT INTO things VALUES (1, 2)")])

    bench.run(program)


async def overrun(running: asyncio.Future[Any], passing: Passing) -> None:
    """Let a query run for longer than it may."""
    while not running.done():  # its thread may not have begun yet
        passing.passed_s += 61
        await asyncio.wait([running], timeout=0.1)
    with pytest.raises(SqlError) as caught:
        await running
    assert (caught.value.message, caught.value.sqlite_code) == ("interrupted", "SQLITE_INTERRUPT")


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Passing:
    return Passing(monkeypatch)


def test_a_query_that_overruns_is_interrupted_and_the_database_stays_usable(bench: Bench, passing: Passing) -> None:
    async def program(engine: D1Engine) -> None:
        await query(engine, "CREATE TABLE t (a)")
        overrunning = asyncio.ensure_future(engine.run([D1Statement("INSERT INTO t VALUES (1)"), D1Statement(ENDLESS)]))
        await asyncio.sleep(0.01)
        assert not overrunning.done()
        await overrun(overrunning, passing)
        assert (await query(engine, "SELECT count(*) FROM t")).rows == [(0,)]

    bench.run(program)


def test_close_interrupts_a_query_that_runs(bench: Bench) -> None:
    async def main() -> None:
        engine = bench.open()
        await query(engine, "SELECT 1")
        running = asyncio.ensure_future(query(engine, ENDLESS))
        await asyncio.sleep(0)
        await engine.close()
        with pytest.raises(SqlError, match="interrupted"):
            await running

    asyncio.run(main())


def test_what_was_acknowledged_is_there_after_the_engine_is_opened_again(file_bench: Bench) -> None:
    bench = file_bench

    async def write(engine: D1Engine) -> None:
        assert (await engine.run([D1Statement("CREATE TABLE t (a)")])).bookmark == 0
        assert (await engine.run([D1Statement("INSERT INTO t VALUES (7)")])).bookmark == 1

    async def read(engine: D1Engine) -> None:
        answer = await engine.run([D1Statement("SELECT * FROM t")])
        assert answer.results[0].rows == [(7,)]
        assert answer.bookmark == 2

    bench.run(write)
    bench.run(read)


def test_close_is_idempotent_and_every_use_after_it_raises_engine_closed(bench: Bench) -> None:
    async def main() -> None:
        engine = bench.open()
        await query(engine, "SELECT 1")
        await engine.close()
        await engine.close()
        with pytest.raises(EngineClosed, match="the D1 database is closed"):
            await query(engine, "SELECT 1")

    asyncio.run(main())


def test_another_program_reads_and_writes_the_file_while_it_is_open(file_bench: Bench, tmp_path: Path) -> None:
    bench = file_bench

    async def program(engine: D1Engine) -> None:
        await query(engine, "CREATE TABLE t (a)")
        await query(engine, "INSERT INTO t VALUES (1)")
        other = sqlite3.connect(tmp_path / "db.sqlite")
        assert other.execute("SELECT * FROM t").fetchall() == [(1,)]
        other.execute("ALTER TABLE t ADD COLUMN b DEFAULT 5")
        other.commit()
        other.close()
        result = await query(engine, "SELECT * FROM t")
        assert (result.columns, result.rows) == (["a", "b"], [(1, 5)])

    bench.run(program)


def test_a_file_that_is_no_database_is_an_engine_error_and_stays(file_bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    path.write_bytes(b"not a database" * 1000)

    async def program(engine: D1Engine) -> None:
        with pytest.raises(EngineCorrupt):
            await query(engine, "SELECT 1")

    file_bench.run(program)
    assert path.read_bytes() == b"not a database" * 1000


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("CREATE TABLE x (a)", 2),
        ("CREATE TABLE x (a UNIQUE, b UNIQUE)", 4),
        ("CREATE TABLE x AS SELECT * FROM t", 4),
        ("CREATE TABLE IF NOT EXISTS t (a)", 0),
        ("CREATE INDEX x ON t (b)", 3),
        ("CREATE VIEW x AS SELECT 1", 2),
        ("INSERT INTO t VALUES (5, 5, 5)", 2),
        ("INSERT OR IGNORE INTO t VALUES (1, 1, 1)", 0),
        ("UPDATE t SET a = a + 10", 4),
        ("UPDATE t SET b = 1", 2),
        ("UPDATE t SET b = 1 WHERE 0", 0),
        ("DELETE FROM t", 2),
        ("DROP TABLE t", 0),
        ("SELECT * FROM t", 0),
    ],
)
def test_rows_written_count_rows_and_index_entries(bench: Bench, sql: str, written: int) -> None:
    async def program(engine: D1Engine) -> None:
        await query(engine, "CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE, b)")
        await query(engine, "INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)")
        assert (await query(engine, sql)).meta.rows_written == written

    bench.run(program)


def test_rows_written_of_a_statement_that_is_kept_compiled_stay_the_same(bench: Bench) -> None:
    async def program(engine: D1Engine) -> None:
        await query(engine, "CREATE TABLE t (a UNIQUE)")
        for n in range(3):
            assert (await query(engine, "INSERT INTO t VALUES (?)", n)).meta.rows_written == 2
        await query(engine, "CREATE INDEX x ON t (a)")
        assert (await query(engine, "INSERT INTO t VALUES (?)", 9)).meta.rows_written == 3

    bench.run(program)


@pytest.mark.parametrize(
    ("sql", "pieces"),
    [
        ("SELECT ';' ; SELECT 2 -- ;\n", ("SELECT ';' ;", "SELECT 2 -- ;\n")),
        ('SELECT 1 AS "a;b"; /* ; */ SELECT [;], `;`', ('SELECT 1 AS "a;b";', "/* ; */ SELECT [;], `;`")),
        (
            "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END; SELECT 3",
            ("CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END;", "SELECT 3"),
        ),
        ("SELECT 'open; ", ("SELECT 'open; ",)),
        ("SELECT 1;\n\t ", ("SELECT 1;",)),
    ],
)
def test_sql_is_cut_where_sqlite_cuts_it(sql: str, pieces: tuple[str, ...]) -> None:
    assert split_statements(sql) == pieces


def test_the_table_names_classes_that_exist() -> None:
    for place in ENGINES.values():
        module, _, name = place.partition(":")
        assert callable(getattr(import_module(module), name))


def test_sqlite_is_new_enough_to_give_offsets() -> None:
    assert tuple(int(part) for part in apsw.sqlite_lib_version().split(".")) >= (3, 45, 0)


READER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
print(database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall())
print(database.execute("SELECT count(*) FROM t").fetchone())
database.execute("INSERT INTO t VALUES (99)")
database.commit()
"""


def test_another_process_opens_the_file_while_a_query_runs(file_bench: Bench, tmp_path: Path, passing: Passing) -> None:
    async def program(engine: D1Engine) -> None:
        await engine.run([D1Statement("CREATE TABLE t (a)"), D1Statement("INSERT INTO t VALUES (1)")])
        running = asyncio.ensure_future(query(engine, ENDLESS))
        command = [sys.executable, "-c", READER, str(tmp_path / "db.sqlite")]
        shell = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
        assert shell.stdout == "[('_cf_METADATA',), ('t',)]\n(1,)\n"
        assert not running.done()
        await overrun(running, passing)
        assert (await query(engine, "SELECT a FROM t ORDER BY a")).rows == [(1,), (99,)]

    file_bench.run(program)


def test_a_slow_query_delays_no_other(bench: Bench, passing: Passing) -> None:
    """By how much it may be delayed is measured by `make bench`."""

    async def program(engine: D1Engine) -> None:
        async with SqliteD1Engine() as other:
            await query(other, "SELECT 1")
            running = asyncio.ensure_future(query(engine, ENDLESS))
            for _ in range(20):
                assert (await query(other, "SELECT 1")).rows == [(1,)]
            assert not running.done()
            await overrun(running, passing)

    bench.run(program)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("DELETE FROM t ORDER BY a DESC LIMIT 2", [(1,), (2,), (3,)]),
        ("DELETE FROM t WHERE a > 1 LIMIT 1 OFFSET 1", [(1,), (2,), (4,), (5,)]),
        ("UPDATE t SET a = a * 10 WHERE a IN (1, 2) ORDER BY a LIMIT 1; ", [(2,), (3,), (4,), (5,), (10,)]),
        ("delete from [t] /* limit */ where a = 'limit' or a = 5 -- limit\n limit 1", [(1,), (2,), (3,), (4,)]),
        ("DELETE FROM t WHERE a IN (SELECT a FROM t ORDER BY a LIMIT 2)", [(3,), (4,), (5,)]),
    ],
)
def test_updates_and_deletes_may_be_limited(bench: Bench, sql: str, rows: list[tuple[int]]) -> None:
    async def program(engine: D1Engine) -> None:
        await query(engine, "CREATE TABLE t (a)")
        await query(engine, "INSERT INTO t VALUES (1), (2), (3), (4), (5)")
        await query(engine, sql)
        assert (await query(engine, "SELECT a FROM t ORDER BY a")).rows == rows

    bench.run(program)


def test_text_that_is_not_utf8_comes_back_with_replacement_characters(bench: Bench) -> None:
    async def program(engine: D1Engine) -> None:
        sql = "SELECT CAST(x'ff41' AS TEXT) AS a, 1 AS a, x'ff' AS b, NULL AS c, ? AS d; "
        for _ in range(2):
            result = await query(engine, sql, "é")
            assert result.columns == ["a", "a", "b", "c", "d"]
            assert result.rows == [("\N{REPLACEMENT CHARACTER}A", 1, b"\xff", None, "é")]

    bench.run(program)


def test_parameters_with_names_take_the_values_in_order(bench: Bench) -> None:
    async def program(engine: D1Engine) -> None:
        assert (await query(engine, "SELECT :a, @b, $c, :a, ':d'", 1, 2, 3)).rows == [(1, 2, 3, 1, ":d")]
        assert (await query(engine, "SELECT ?2, ?1", 1, 2)).rows == [(2, 1)]
        assert await refusal(engine, "SELECT :a, :b", 1) is Refusal.PARAMETER_COUNT

    bench.run(program)
