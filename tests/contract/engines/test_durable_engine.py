"""The laws of `pyworkers.engines.durable.protocol`, each under the words in which it is written there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import apsw
import pytest

from pyworkers.engines.d1.protocol import Refusal, SqlError, StatementRefused
from pyworkers.engines.durable.pool import Pool
from pyworkers.engines.durable.protocol import ObjectRecord
from pyworkers.engines.durable.sqlite_engine import SqliteDurableEngine
from pyworkers.engines.durable.store import SqliteObjectStore
from pyworkers.errors import EngineClosed

ID = "a" * 64
OTHER_ID = "b" * 64


class Place:
    """An engine that can be opened again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine = SqliteDurableEngine(path)

    def open(self, object_id: str = ID, name: str | None = "n") -> SqliteObjectStore:
        return self.engine.open(object_id, name=name, on_write=lambda: None)

    def reopen(self) -> SqliteObjectStore:
        asyncio.run(self.engine.close())
        self.engine = SqliteDurableEngine(self.path)
        return self.open()


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path / "objects")
    yield place
    asyncio.run(place.engine.close())


def rows(cursor: Any) -> list[Any]:
    found = []
    while (row := cursor.fetch()) is not None:
        found.append(row)
    return found


def test_what_was_committed_is_there_after_the_engine_is_opened_again(place):
    store = place.open()
    store.put_many([("k", b"v")])
    store.execute("CREATE TABLE t (a); INSERT INTO t VALUES (1)", ())
    store.set_alarm(5)
    store.commit()
    store = place.reopen()
    assert (store.get("k"), rows(store.execute("SELECT a FROM t", ())), store.alarm_ms()) == (b"v", [(1,)], 5)
    assert place.engine.alarms() == [ObjectRecord(ID, "n", 5)]


def test_what_was_not_committed_is_gone_after_a_rollback(place):
    store = place.open()
    store.put_many([("k", b"1")])
    store.commit()
    store.put_many([("k", b"2")])
    store.execute("CREATE TABLE t (a)", ())
    store.set_alarm(5)
    store.rollback()
    assert (store.get("k"), store.alarm_ms()) == (b"1", None)
    with pytest.raises(SqlError, match="no such table: t"):
        store.execute("SELECT * FROM t", ())


def test_keys_are_in_the_order_of_their_utf8_bytes(place):
    store = place.open()
    names = ["é", "b", "B", "\U0001f30d", "\uffee", "ab", "a"]
    store.put_many([(name, name.encode()) for name in names])
    expected = sorted(names, key=lambda name: name.encode())
    assert [key for key, _ in store.list_pairs()] == expected
    assert [key for key, _ in store.list_pairs(is_reverse=True)] == expected[::-1]
    assert [key for key, _ in store.get_many(names)] == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"start": "ab"}, ["ab", "b", "c"]),
        ({"start_after": "ab"}, ["b", "c"]),
        ({"end": "b"}, ["a", "ab"]),
        ({"prefix": "a"}, ["a", "ab"]),
        ({"prefix": "a", "start": "ab"}, ["ab"]),
        ({"prefix": "a", "is_reverse": True, "limit": 1}, ["ab"]),
        ({"start": "c", "end": "a"}, []),
        ({"limit": 2}, ["a", "ab"]),
    ],
)
def test_a_list_holds_what_its_options_ask_for(place, options, expected):
    store = place.open()
    store.put_many([(name, b"") for name in ("a", "ab", "b", "c")])
    assert [key for key, _ in store.list_pairs(**options)] == expected


def test_a_savepoint_takes_back_keys_rows_and_the_alarm_alike(place):
    store = place.open()
    store.execute("CREATE TABLE t (a)", ())
    outer = store.savepoint()
    store.put_many([("k", b"outer")])
    inner = store.savepoint()
    store.put_many([("k", b"inner")])
    store.execute("INSERT INTO t VALUES (1)", ())
    store.set_alarm(7)
    inner.rollback()
    assert (store.get("k"), rows(store.execute("SELECT * FROM t", ())), store.alarm_ms()) == (b"outer", [], None)
    outer.release()
    store.commit()
    assert place.reopen().get("k") == b"outer"


def test_deleting_all_leaves_no_key_table_or_alarm(place):
    store = place.open()
    store.put_many([("k", b"v")])
    store.execute(
        "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE c (a REFERENCES t (a));"
        "CREATE INDEX i ON c (a);"
        "INSERT INTO t VALUES (1); INSERT INTO c VALUES (1); CREATE VIEW v AS SELECT * FROM t;"
        "CREATE VIRTUAL TABLE f USING fts5 (words); INSERT INTO f VALUES ('word'); ANALYZE;"
        "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END",
        (),
    )
    store.set_alarm(5)
    store.commit()
    store.delete_all()
    store.rollback()
    assert (store.get("k"), store.alarm_ms(), rows(store.execute("SELECT count(*) FROM v", ()))) == (b"v", 5, [(1,)])
    store.delete_all()
    store.commit()
    assert (store.get("k"), store.alarm_ms(), place.engine.alarms()) == (None, None, [])
    assert rows(store.execute("SELECT name FROM sqlite_master WHERE name <> 'sqlite_sequence'", ())) == []
    store.put_many([("k", b"again")])
    store.commit()
    assert place.reopen().get("k") == b"again"


def test_an_object_that_stores_nothing_has_no_file(place):
    store = place.open()
    assert (store.get("k"), list(store.list_pairs()), store.alarm_ms(), store.delete_many(["k"])) == (None, [], None, 0)
    store.commit()
    assert not place.path.exists()


def test_a_cursor_goes_on_while_rows_are_written(place):
    store = place.open()
    store.execute("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)", ())
    cursor = store.execute("SELECT a FROM t", ())
    assert cursor.fetch() == (1,)
    store.execute("INSERT INTO t VALUES (3)", ())
    store.commit()
    assert (rows(cursor), cursor.rows_read) == ([(2,), (3,)], 3)


def test_the_rows_of_an_explain_are_there_when_its_table_is_no_more(place):
    store = place.open()
    store.execute("CREATE TABLE things (a)", ())
    explain = store.execute("EXPLAIN INSERT INTO things VALUES (1)", ())
    first = explain.fetch()
    store.execute("DROP TABLE things", ())
    for number in range(20):
        store.execute(f"CREATE TABLE other_{number} (a)", ())
    opcode, p4 = explain.columns.index("opcode"), explain.columns.index("p4")
    assert [row[p4] for row in (first, *rows(explain)) if row[opcode] == "Insert"] == ["things"]


def test_what_sql_may_not_do_is_denied_transactions_attaching_most_pragmas_the_engines_own_tables(place):
    store = place.open()
    store.put_many([("k", b"v")])
    with pytest.raises(StatementRefused) as refused:
        store.execute("BEGIN", ())
    assert refused.value.refusal is Refusal.TRANSACTION
    for sql in ("ATTACH 'x' AS y", "PRAGMA journal_mode", "DROP TABLE _cf_KV", "CREATE TABLE _cf_x (a)"):
        with pytest.raises(SqlError, match="not authorized"):
            store.execute(sql, ())


def test_text_that_is_not_utf8_comes_back_with_replacement_characters(place):
    cursor = place.open().execute("SELECT CAST(x'61ff' AS TEXT) AS t, x'ff' AS b, 5 AS i, 1.5 AS r, NULL AS n", ())
    assert (cursor.columns, rows(cursor)) == (("t", "b", "i", "r", "n"), [("a\ufffd", b"\xff", 5, 1.5, None)])


def test_statements_before_a_failure_stay(place):
    store = place.open()
    with pytest.raises(SqlError):
        store.execute("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)", ())
    assert rows(store.execute("SELECT a FROM t", ())) == [(1,)]


def test_an_alarm_that_runs_is_hidden_and_still_there_should_the_process_die(place):
    store = place.open()
    store.set_alarm(5)
    store.commit()
    assert (store.begin_alarm(), store.alarm_ms()) == (5, None)
    store.put_many([("k", b"v")])
    store.commit()
    store = place.reopen()
    assert store.alarm_ms() == 5
    store.begin_alarm()
    assert store.end_alarm(is_done=True) is True
    store.commit()
    assert (place.reopen().alarm_ms(), place.engine.alarms()) == (None, [])


def test_files_beyond_the_pool_are_closed_and_opened_again(tmp_path):
    pool = Pool(4)
    engine = SqliteDurableEngine(tmp_path, pool=pool)
    stores = [engine.open(f"{number:064x}", name=None, on_write=lambda: None) for number in range(20)]
    for number, store in enumerate(stores):
        store.put_many([("k", str(number).encode())])
        store.commit()
    assert pool.count == 4
    assert [store.get("k") for store in stores] == [str(number).encode() for number in range(20)]
    assert pool.count == 4
    busy = [store.execute("CREATE TABLE t (a)", ()) for store in stores[:6]]
    assert (pool.count, len(busy)) == (6, 6)
    asyncio.run(engine.close())


def test_a_file_is_an_ordinary_database(place):
    store = place.open()
    store.put_many([("k", b"v")])
    store.commit()
    with apsw.Connection(str(place.engine.path_of(ID))) as other:
        assert other.execute("SELECT key, value FROM _cf_KV").fetchall() == [("k", b"v")]


def test_the_disk_is_waited_for_from_the_second_commit_on(place):
    def synchronous(store: SqliteObjectStore) -> Any:
        assert store._connection is not None
        return store._connection.pragma("synchronous")

    store = place.open()
    store.put_many([("k", b"1")])
    assert synchronous(store) == 0  # a new file's log has no older one to be mixed up with
    store.commit()
    assert synchronous(store) == 1
    store = place.reopen()
    store.put_many([("k", b"2")])
    assert synchronous(store) == 1


def test_a_removed_object_is_gone(place):
    store = place.open()
    store.put_many([("k", b"v")])
    store.set_alarm(1)
    store.commit()
    place.engine.remove(ID)
    assert (place.open().get("k"), place.engine.records()) == (None, [])


def test_closing_twice_is_harmless_and_use_after_it_an_error(place):
    store = place.open(OTHER_ID, None)
    asyncio.run(place.engine.close())
    asyncio.run(place.engine.close())
    with pytest.raises(EngineClosed):
        store.put_many([("k", b"v")])
    with pytest.raises(EngineClosed):
        place.open()
