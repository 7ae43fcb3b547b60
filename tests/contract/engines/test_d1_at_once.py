"""What the D1 engine runs on the event loop, and what it leaves to its thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import apsw
import pytest

from pyworkers.engines.d1 import D1Answer, D1Statement, D1Value, SqlError, database
from pyworkers.engines.d1.known import Pace
from pyworkers.engines.d1.sqlite_engine import SqliteD1Engine
from pyworkers.engines.sqlite import CHECKPOINT_PAGES, LONG_LOG_PAGES, LogMover, open_database

SELECT = "SELECT b FROM t WHERE a = ?"
RANGE = "SELECT total(a) FROM t WHERE a <= ?"
INSERT = "INSERT INTO t (a, b) VALUES (?, ?)"
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
SLOW = ENDLESS.replace("SELECT i + 1 FROM n", "SELECT i + 1 FROM n LIMIT 1000")


def with_engine(path: Path | None, program: Callable[[SqliteD1Engine], Awaitable[None]]) -> None:
    async def main() -> None:
        async with SqliteD1Engine(path, max_query_s=30) as engine:
            await engine.run([D1Statement("CREATE TABLE t (a INTEGER PRIMARY KEY, b)")])
            await engine.run([D1Statement(INSERT, (number, f"row {number}")) for number in range(1, 9)])
            await program(engine)

    asyncio.run(main())


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a call runs at once is not to depend on how busy this machine is."""
    monkeypatch.setattr(database, "AT_ONCE_S", 3_600.0)
    monkeypatch.setattr("pyworkers.engines.d1.known.EXPECTED_S", 3_600.0)


async def is_at_once(engine: SqliteD1Engine, *statements: D1Statement) -> bool:
    """Make a call and tell whether the thread had no part in it."""
    hops, run = 0, engine._thread.run

    def counted(work):
        nonlocal hops
        hops += 1
        return run(work)

    engine._thread.run = counted
    try:
        await engine.run(statements)
    finally:
        engine._thread.run = run
    return hops == 0


async def rows(engine: SqliteD1Engine, sql: str, *params: D1Value) -> list[tuple[D1Value, ...]]:
    return (await engine.run([D1Statement(sql, params)])).results[0].rows


def test_a_statement_runs_at_once_when_it_has_run_before() -> None:
    async def program(engine: SqliteD1Engine) -> None:
        calls = [await is_at_once(engine, D1Statement(SELECT, (number,))) for number in (1, 2, 3)]
        assert calls == [False, True, True]
        assert await rows(engine, SELECT, 3) == [("row 3",)]
        assert await is_at_once(engine, *[D1Statement(INSERT, (number, None)) for number in range(10, 20)])
        assert await rows(engine, "SELECT count(*) FROM t") == [(18,)]

    with_engine(None, program)


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("SELECT count(*) FROM t", ()),
        ("SELECT b, (SELECT count(*) FROM t) FROM t WHERE a = ?", (1,)),
        ("SELECT hex(zeroblob(?))", (8,)),
        ("SELECT a FROM t WHERE b LIKE '%a%b%'", ()),
        ("DELETE FROM t", ()),
        ("PRAGMA table_info(t)", ()),
        ("SELECT value FROM json_each(?)", (f'["{"x" * 70_000}"]',)),
        ("CREATE TABLE IF NOT EXISTS t (a)", ()),
        ("SELECT 1; SELECT 2", ()),
        ("SELECT * FROM words", ()),
        ("INSERT INTO words VALUES ('a')", ()),
    ],
)
def test_what_may_take_long_in_few_steps_is_left_to_the_thread(sql: str, params: tuple[D1Value, ...]) -> None:
    async def program(engine: SqliteD1Engine) -> None:
        await engine.run([D1Statement("CREATE VIRTUAL TABLE words USING fts5 (word)")])
        assert [await is_at_once(engine, D1Statement(sql, params)) for _ in range(3)] == [False, False, False]

    with_engine(None, program)


def test_what_counts_rows_one_by_one_runs_at_once() -> None:
    async def program(engine: SqliteD1Engine) -> None:
        sql = "SELECT count(*) FROM t WHERE a < ?"
        assert [await is_at_once(engine, D1Statement(sql, (number,))) for number in (3, 4)] == [False, True]
        assert await rows(engine, sql, 5) == [(4,)]

    with_engine(None, program)


def test_a_call_may_take_what_its_statements_took_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async def program(engine: SqliteD1Engine) -> None:
        await engine.run([D1Statement(SELECT, (1,)), D1Statement(RANGE, (1,))])
        known = engine._database._known
        for sql, taken_s in ((SELECT, 0.25), (RANGE, 2.0)):
            pace = known.get(sql).pace
            pace.taken_s = taken_s
        monkeypatch.setattr("pyworkers.engines.d1.known.EXPECTED_S", 3.0)
        brief = [D1Statement(SELECT, (1,)), D1Statement(RANGE, (1,)), *[D1Statement(SELECT, (1,))] * 3]
        assert known.are_brief(brief)
        assert not known.are_brief([*brief, D1Statement(SELECT, (1,))])

    with_engine(None, program)


def test_brief_calls_behind_a_long_one_wait_for_the_thread_and_do_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def program(engine: SqliteD1Engine) -> None:
        order: list[str] = []
        on_thread: list[str] = []
        run = engine._database.run

        def noted(statements: Sequence[D1Statement]) -> D1Answer:
            on_thread.append(statements[0].sql)
            return run(statements)

        async def call(name: str, sql: str, *params: D1Value) -> str | list[tuple[D1Value, ...]]:
            try:
                return await rows(engine, sql, *params)
            except SqlError as error:
                return error.message
            finally:
                order.append(name)

        await rows(engine, SELECT, 1)
        await rows(engine, INSERT, 9, None)
        monkeypatch.setattr(engine._database, "run", noted)
        found = await asyncio.gather(
            call("slow", SLOW),
            call("brief", SELECT, 1),
            call("wrong", INSERT, 3, None),
            call("unknown", "SELECT a FROM t WHERE a = 9"),
            call("last", SELECT, 2),
        )
        assert found == [[(1_000,)], [("row 1",)], "UNIQUE constraint failed: t.a", [(9,)], [("row 2",)]]
        assert order == ["slow", "brief", "wrong", "unknown", "last"]
        assert on_thread == [SLOW, "SELECT a FROM t WHERE a = 9"]

    with_engine(None, program)


def test_what_waits_for_the_thread_ends_with_the_engine() -> None:
    async def program(engine: SqliteD1Engine) -> None:
        await rows(engine, SELECT, 1)
        calls = [asyncio.ensure_future(rows(engine, ENDLESS)), asyncio.ensure_future(rows(engine, SELECT, 1))]
        await asyncio.sleep(0)
        await engine.close()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error).__name__ for error in ended] == ["SqlError", "SqlError"]

    with_engine(None, program)


def test_a_caller_that_no_longer_waits_holds_nobody_up() -> None:
    async def program(engine: SqliteD1Engine) -> None:
        await rows(engine, SELECT, 1)
        calls = [
            asyncio.ensure_future(rows(engine, sql, *values)) for sql, *values in ((SLOW,), (SELECT, 1), (SELECT, 2))
        ]
        await asyncio.sleep(0)
        calls[0].cancel()
        calls[1].cancel()
        assert await calls[2] == [("row 2",)]

    with_engine(None, program)


def test_what_took_long_is_left_to_the_thread_until_it_is_brief_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def program(engine: SqliteD1Engine) -> None:
        await rows(engine, SELECT, 1)
        monkeypatch.setattr("pyworkers.engines.d1.known.EXPECTED_S", -1.0)
        assert not await is_at_once(engine, D1Statement(SELECT, (1,)))
        monkeypatch.setattr("pyworkers.engines.d1.known.EXPECTED_S", 3_600.0)
        assert await is_at_once(engine, D1Statement(SELECT, (1,)))

    with_engine(None, program)


def test_a_query_that_overruns_is_run_again_on_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def program(engine: SqliteD1Engine) -> None:
        await engine.run([D1Statement(INSERT, (number, None)) for number in range(100, 10_100)])
        await rows(engine, RANGE, 1)
        assert await is_at_once(engine, D1Statement(RANGE, (2,)))
        monkeypatch.setattr(database, "AT_ONCE_S", -1.0)
        assert not await is_at_once(engine, D1Statement(RANGE, (20_000,)))
        assert await rows(engine, RANGE, 20_000) == [(sum(range(1, 9)) + sum(range(100, 10_100)),)]

    with_engine(None, program)


def test_a_statement_that_overruns_again_and_again_stays_on_the_thread_ever_longer() -> None:
    def runs_until_trusted() -> int:
        pace.note_overrun()
        runs = 0
        while pace.taken_s > 1:
            pace.note(1.0)
            runs += 1
        return runs

    pace = Pace()
    assert [runs_until_trusted() for _ in range(12)] == [1, 3, 7, 15, 31, 63, 127, 255, 511, 1_001, 1_001, 1_001]
    pace.note(1.0)  # it did not overrun
    assert runs_until_trusted() == 1


def test_a_batch_that_overruns_is_undone_and_happens_once_on_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def program(engine: SqliteD1Engine) -> None:
        monkeypatch.setattr(database, "AT_ONCE_S", -1.0)
        batch = [D1Statement("INSERT INTO t (b) VALUES (?)", (number,)) for number in range(50)]
        assert not await is_at_once(engine, *batch)  # not known yet
        assert not await is_at_once(engine, *batch)
        assert await rows(engine, "SELECT count(*), max(a) FROM t") == [(108, 108)]
        monkeypatch.setattr(database, "AT_ONCE_S", 3_600.0)
        assert await is_at_once(engine, *batch)
        assert await rows(engine, "SELECT count(*), max(a) FROM t") == [(158, 158)]

    with_engine(None, program)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_call_whose_commit_takes_long_has_happened_once(at_once: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    # SQLite looks at the time after a statement, too, though seldom: every time, here.
    monkeypatch.setattr("pyworkers.engines.d1.apsw_connection.STEPS_BETWEEN_QUICK_LOOKS", 1)
    monkeypatch.setattr("pyworkers.engines.d1.apsw_connection.STEPS_BETWEEN_LOOKS", 1)
    monkeypatch.setattr(database, "perf_counter", lambda: now_s)  # before the engine is made

    def commit() -> bool:
        nonlocal now_s
        now_s += 86_400
        return False

    async def program(engine: SqliteD1Engine) -> None:
        new = D1Statement("INSERT INTO t (b) VALUES ('new')")
        if at_once:
            await engine.run([new])
        connection = engine._database._connected
        connection._database.set_commit_hook(commit)
        assert await is_at_once(engine, new) is at_once
        connection._database.set_commit_hook(None)
        assert await rows(engine, "SELECT count(*) FROM t WHERE b = 'new'") == [(1 + at_once,)]

    with_engine(None, program)


def test_what_is_learned_of_statements_is_not_asked_of_what_was_compiled_under_another_schema(tmp_path: Path) -> None:
    async def program(engine: SqliteD1Engine) -> None:
        for number in range(3):
            await engine.run([D1Statement(INSERT, (None, number))])
            with open_database(tmp_path / "d1.sqlite") as another:
                another.execute(f"CREATE TABLE more_{number} (a)")
            another.close()
        assert await rows(engine, "SELECT count(*) FROM t") == [(11,)]
        kept = engine._database._connected._database.cache_stats(include_entries=True)["entries"]
        assert [entry["query"] for entry in kept if entry["query"].startswith("EXPLAIN")] == []
        assert INSERT in [entry["query"] for entry in kept]

    with_engine(tmp_path / "d1.sqlite", program)


def test_sqlites_errors_are_the_same_at_once_and_the_call_is_undone() -> None:
    async def program(engine: SqliteD1Engine) -> None:
        batch = [D1Statement(INSERT, (20, None)), D1Statement(INSERT, (3, None))]
        for _ in range(3):
            with pytest.raises(SqlError) as caught:
                await engine.run(batch)
            error = caught.value
            assert (error.message, error.statement) == ("UNIQUE constraint failed: t.a", 1)
            assert error.extended_code == "SQLITE_CONSTRAINT_PRIMARYKEY"
        assert await rows(engine, "SELECT count(*) FROM t") == [(8,)]

    with_engine(None, program)


def test_a_lock_of_another_process_is_waited_for_on_the_thread(tmp_path: Path) -> None:
    async def program(engine: SqliteD1Engine) -> None:
        statement = D1Statement("INSERT INTO t (b) VALUES (?)", (1,))
        assert [await is_at_once(engine, statement) for _ in range(2)] == [False, True]
        other = apsw.Connection(str(tmp_path / "db.sqlite"))
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.ensure_future(is_at_once(engine, statement))
        await asyncio.sleep(0)  # it has met the lock; the loop runs on
        assert not writing.done()
        other.execute("COMMIT")
        other.close()
        assert await writing is False
        assert await rows(engine, "SELECT count(*) FROM t") == [(11,)]

    with_engine(tmp_path / "db.sqlite", program)


def test_nothing_overtakes_a_call_that_was_made_before() -> None:
    async def program(engine: SqliteD1Engine) -> None:
        order: list[str] = []

        async def call(name: str, sql: str) -> None:
            await rows(engine, sql)
            order.append(name)

        await call("known", "SELECT b FROM t")
        slow = ENDLESS.replace("SELECT i + 1 FROM n", "SELECT i + 1 FROM n LIMIT 100000")
        await asyncio.gather(call("slow", slow), call("brief", "SELECT b FROM t"))
        assert order == ["known", "slow", "brief"]

    with_engine(None, program)


def test_calls_one_after_another_let_others_have_a_turn() -> None:
    async def program(engine: SqliteD1Engine) -> None:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        await rows(engine, SELECT, 1)
        taking = asyncio.ensure_future(other())
        await asyncio.sleep(0)
        began = turns
        while turns == began:  # without turns this would not end
            assert await rows(engine, SELECT, 1) == [("row 1",)]
        taking.cancel()
        await asyncio.wait([taking])

    with_engine(None, program)


def test_a_long_log_is_moved_into_the_file_by_a_thread(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    connection = open_database(path)
    mover = LogMover(path, "mover")
    mover.watch(connection)
    connection.execute("CREATE TABLE t (a)")
    size_bytes = path.stat().st_size
    connection.execute("INSERT INTO t VALUES (zeroblob(?))", (CHECKPOINT_PAGES * 4_096,))
    mover.join()
    assert path.stat().st_size > size_bytes + CHECKPOINT_PAGES * 4_000
    connection.close()


def test_a_log_that_is_read_is_looked_at_once_in_a_thousand_pages(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    connection, reader = open_database(path), open_database(path)
    mover = LogMover(path, "mover")
    mover.watch(connection)
    connection.execute("CREATE TABLE t (a)")
    moves, move = 0, mover._move

    def counted() -> None:
        nonlocal moves
        moves += 1
        move()

    mover._move = counted
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM t").fetchall()
    for _ in range(12):
        connection.execute("INSERT INTO t VALUES (zeroblob(?))", (CHECKPOINT_PAGES // 2 * 4_096,))
        mover.join()
    assert moves == 6
    reader.close()
    connection.close()


@pytest.mark.parametrize(("pages", "is_anew"), [(LONG_LOG_PAGES // 2, False), (LONG_LOG_PAGES, True)])
def test_a_long_log_that_is_written_all_the_time_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, pages: int, is_anew: bool
) -> None:
    path = tmp_path / "db.sqlite"
    connection, writer = open_database(path), open_database(path)
    mover = LogMover(path, "mover")
    mover.watch(connection)
    connection.execute("CREATE TABLE t (a)")
    insert = "INSERT INTO t VALUES (zeroblob(?))"

    class Busy(apsw.Connection):
        """One that is written to while it moves the log."""

        def wal_checkpoint(self, dbname: str | None = None, mode: int = 0) -> tuple[int, int]:
            if mode != apsw.SQLITE_CHECKPOINT_PASSIVE:
                return super().wal_checkpoint(dbname, mode)
            reader = open_database(path)
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM t").fetchall()
            writer.execute(insert, (1,))
            found = super().wal_checkpoint(dbname, mode)
            reader.close()
            return found

    def open_busy(path: Path, **_: object) -> Busy:
        busy = Busy(str(path))
        busy.execute("PRAGMA journal_mode = WAL")
        return busy

    monkeypatch.setattr("pyworkers.engines.sqlite.open_database", open_busy)
    connection.execute(insert, (pages * 4_096,))
    mover.join()
    monkeypatch.undo()
    log = path.with_name("db.sqlite-wal")
    size_bytes = log.stat().st_size
    connection.execute(insert, (1,))
    mover.join()
    assert (log.stat().st_size == size_bytes) is is_anew
    for each in (writer, connection):
        each.close()
