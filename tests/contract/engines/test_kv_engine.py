"""The laws of KV engines, each under its own words, on every engine."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import apsw
import pytest
from redis.asyncio import Redis
from redis_servers import MakeClient, fake_redis

from pyworkers.clock import ManualClock
from pyworkers.engines.kv import ENGINES, KVEngine, KVEntry, KVKey, KVPage, KVWrite
from pyworkers.engines.kv.redis_engine import RedisKVEngine
from pyworkers.engines.kv.sqlite_engine import SqliteKVEngine
from pyworkers.errors import EngineBusy, EngineClosed, EngineCorrupt, EngineError

NOW_S = 1_700_000_000
Program = Callable[[KVEngine], Awaitable[None]]


class Bench:
    """Makes engines of one kind on one clock.

    Args:
        place: the file of SQLite, None for memory, or what makes a client of Redis.
    """

    def __init__(self, place: Path | MakeClient | None) -> None:
        self.place = place
        self.clock = ManualClock(NOW_S)
        self._client: Any = None

    def open(self) -> KVEngine:
        if callable(self.place):
            self._client = self.place()
            return RedisKVEngine(self._client, "ns", clock=self.clock)
        return SqliteKVEngine(self.place, clock=self.clock)

    def main(self, program: Program) -> None:
        async def main() -> None:
            try:
                await program(self.open())
            finally:
                if self._client is not None:
                    await self._client.aclose()

        asyncio.run(main())

    def run(self, program: Program) -> None:
        async def in_context(engine: KVEngine) -> None:
            async with engine:
                await program(engine)

        self.main(in_context)


@pytest.fixture(params=["sqlite", "sqlite-memory", "redis-fake", "redis-valkey"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    if request.param == "redis-fake":
        return Bench(fake_redis())
    if request.param == "redis-valkey":
        return Bench(request.getfixturevalue("valkey"))
    return Bench(tmp_path / "kv" / "ns.sqlite" if request.param == "sqlite" else None)


@pytest.mark.parametrize("size", [0, 1, 1024, 1025, 3_000_000])
def test_a_put_value_comes_back_whole(bench: Bench, size: int) -> None:
    value = bytes(range(256)) * (size // 256) + b"\x00" * (size % 256)

    async def program(engine: KVEngine) -> None:
        await engine.put("日本/🌍\n\x00", value, metadata='{"a":1}', expires_at_s=NOW_S + 60)
        assert await engine.get("日本/🌍\n\x00") == KVEntry(value, '{"a":1}', NOW_S + 60)
        assert await engine.get("日本/🌍\n") is None

    bench.run(program)


@pytest.mark.parametrize("sizes", [(1, 2), (1, 5000), (5000, 1), (5000, 6000)])
def test_a_put_replaces_value_metadata_and_expiry_together(bench: Bench, sizes: tuple[int, int]) -> None:
    async def program(engine: KVEngine) -> None:
        await engine.put("k", b"x" * sizes[0], metadata='"m"', expires_at_s=NOW_S + 60)
        await engine.put("k", b"y" * sizes[1])
        assert await engine.get("k") == KVEntry(b"y" * sizes[1])
        assert await engine.list_keys() == KVPage([KVKey("k")], True)

    bench.run(program)


@pytest.mark.parametrize("size", [1, 5000])
def test_a_deleted_key_is_gone_and_deleting_an_absent_key_is_no_error(bench: Bench, size: int) -> None:
    async def program(engine: KVEngine) -> None:
        await engine.put("k", b"x" * size)
        await engine.delete("k")
        await engine.delete("k")
        assert await engine.get("k") is None
        assert await engine.list_keys() == KVPage([], True)
        await engine.put("k", b"small")
        assert await engine.get("k") == KVEntry(b"small")

    bench.run(program)


def test_an_expired_key_is_never_returned_never_listed_and_can_be_put_anew(bench: Bench) -> None:
    async def program(engine: KVEngine) -> None:
        await engine.put("k", b"x" * 5000, expires_at_s=NOW_S + 60)
        await engine.put("other", b"o")
        bench.clock.advance(59)
        assert await engine.get("k") == KVEntry(b"x" * 5000, None, NOW_S + 60)
        bench.clock.advance(1)
        assert await engine.get("k") is None
        assert await engine.get_many(["k", "other"]) == [None, KVEntry(b"o")]
        assert await engine.list_keys(limit=1) == KVPage([KVKey("other")], True)
        await engine.put("k", b"new")
        assert await engine.get("k") == KVEntry(b"new")

    bench.run(program)


def test_get_many_answers_in_the_order_asked_none_for_an_absent_key(bench: Bench) -> None:
    async def program(engine: KVEngine) -> None:
        await engine.put_many([KVWrite("a", b"1"), KVWrite("z", b"2", "3")])
        assert await engine.get_many(["z", "m", "a", "z"]) == [
            KVEntry(b"2", "3"),
            None,
            KVEntry(b"1"),
            KVEntry(b"2", "3"),
        ]
        assert await engine.get_many([]) == []

    bench.run(program)


def test_writes_of_one_key_happen_in_the_order_in_which_they_were_made(bench: Bench) -> None:
    async def program(engine: KVEngine) -> None:
        for last in (b"9", None):
            writes = [engine.put("k", str(n).encode()) for n in range(10)]
            await asyncio.gather(*writes, *([] if last else [engine.delete("k")]))
            assert await engine.get("k") == (last and KVEntry(last))

    bench.run(program)


def test_put_many_is_atomic(bench: Bench) -> None:
    async def program(engine: KVEngine) -> None:
        bad = KVWrite("b", object())  # type: ignore[arg-type]  # what no storage takes
        with pytest.raises(TypeError):
            await engine.put_many([KVWrite("a", b"1"), bad])
        assert await engine.list_keys() == KVPage([], True)
        await engine.put_many([KVWrite("a", b"1"), KVWrite("b", b"2")])
        await engine.delete_many(["a", "b", "absent"])
        assert await engine.list_keys() == KVPage([], True)

    bench.run(program)


def test_a_listing_is_in_the_order_of_the_keys_utf8_bytes(bench: Bench) -> None:
    keys = ["\uffff", "😀", "z", "", "a", "B", "10", "9", "é", "a\U00010000", "a\uffff"]

    async def program(engine: KVEngine) -> None:
        await engine.put_many([KVWrite(key, b"") for key in keys])
        page = await engine.list_keys()
        assert [key.name for key in page.keys] == sorted(keys, key=str.encode)

    bench.run(program)


@pytest.mark.parametrize("prefix", ["a", "a:", "é", "", "\ud7ff", "\U0010ffff", "zz", "a%"])
def test_a_listing_holds_the_keys_that_start_with_the_prefix(bench: Bench, prefix: str) -> None:
    keys = [
        "a",
        "a:1",
        "a:2",
        "ab",
        "b",
        "e",
        "é1",
        "é2",
        "\ud7ff1",
        "\ue000",
        "\U0010ffff",
        "\U0010ffff9",
        "a%b",
        "a_b",
    ]

    async def program(engine: KVEngine) -> None:
        await engine.put_many([KVWrite(key, b"") for key in keys])
        page = await engine.list_keys(prefix=prefix)
        expected = sorted((key for key in keys if key.startswith(prefix)), key=str.encode)
        assert page == KVPage([KVKey(key) for key in expected], True)

    bench.run(program)


def test_a_listing_holds_at_most_limit_keys_after_after_and_is_complete_when_none_follows(bench: Bench) -> None:
    async def program(engine: KVEngine) -> None:
        await engine.put_many([KVWrite(f"k{i}", b"") for i in range(5)] + [KVWrite("z", b"")])
        first = await engine.list_keys(prefix="k", limit=2)
        assert first == KVPage([KVKey("k0"), KVKey("k1")], False)
        assert await engine.list_keys(prefix="k", limit=3, after="k1") == KVPage(
            [KVKey("k2"), KVKey("k3"), KVKey("k4")], True
        )
        assert await engine.list_keys(after="k3x", limit=1) == KVPage([KVKey("k4")], False)
        assert await engine.list_keys(prefix="k", after="z") == KVPage([], True)

    bench.run(program)


def test_what_was_acknowledged_is_there_after_the_engine_is_opened_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "ns.sqlite")

    async def write(engine: KVEngine) -> None:
        await engine.put("small", b"1", metadata="{}", expires_at_s=NOW_S + 60)
        await engine.put("large", b"x" * 100_000)
        await engine.put("gone", b"")
        await engine.delete("gone")

    async def read(engine: KVEngine) -> None:
        assert await engine.get_many(["small", "large", "gone"]) == [
            KVEntry(b"1", "{}", NOW_S + 60),
            KVEntry(b"x" * 100_000),
            None,
        ]

    bench.run(write)
    bench.run(read)


def test_close_is_idempotent_and_every_use_after_it_raises_engine_closed(bench: Bench) -> None:
    async def program(engine: KVEngine) -> None:
        await engine.put("k", b"1")
        await engine.close()
        await engine.close()
        with pytest.raises(EngineClosed, match="the KV namespace is closed"):
            await engine.get("k")
        with pytest.raises(EngineClosed):
            await engine.put("k", b"1")
        with pytest.raises(EngineClosed):
            await engine.list_keys()

    bench.main(program)


def test_the_table_names_classes_that_exist() -> None:
    for place in ENGINES.values():
        module, _, name = place.partition(":")
        assert callable(getattr(import_module(module), name))


def test_another_program_reads_the_file_while_it_is_open(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "ns.sqlite")

    async def program(engine: KVEngine) -> None:
        await engine.put("k", b"v")
        other = sqlite3.connect(tmp_path / "ns.sqlite")
        assert other.execute("SELECT key, value FROM entries").fetchall() == [("k", b"v")]
        other.execute("UPDATE entries SET value = x'78' WHERE key = 'k'")
        other.commit()
        other.close()
        assert await engine.get("k") == KVEntry(b"x")

    bench.run(program)


def test_a_lock_of_another_process_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyworkers.engines.kv.sqlite_engine.LOCK_WAIT_S", 0.02)
    bench = Bench(tmp_path / "ns.sqlite")

    async def program(engine: KVEngine) -> None:
        await engine.put("k", b"v")
        holder = apsw.Connection(str(tmp_path / "ns.sqlite"))
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(EngineBusy, match=r"ns\.sqlite is locked by another process"):
            await engine.put("k", b"w")
        assert await engine.get("k") == KVEntry(b"v")
        monkeypatch.setattr("pyworkers.engines.kv.sqlite_engine.LOCK_WAIT_S", 60.0)
        waiting = asyncio.ensure_future(engine.put("k", b"w"))
        await asyncio.sleep(0)
        holder.execute("ROLLBACK")
        await waiting
        holder.close()
        assert await engine.get("k") == KVEntry(b"w")

    bench.run(program)


def test_a_file_that_is_no_database_is_an_engine_error_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "ns.sqlite"
    path.write_bytes(b"not a database" * 1000)

    async def program(engine: KVEngine) -> None:
        with pytest.raises(EngineCorrupt, match="cannot be read as a SQLite database"):
            await engine.get("k")
        with pytest.raises(EngineCorrupt):
            await engine.put("k", b"")

    Bench(path).run(program)
    assert path.read_bytes() == b"not a database" * 1000


def test_a_folder_that_cannot_be_made_is_an_engine_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def program(engine: KVEngine) -> None:
        with pytest.raises(EngineError, match="cannot be made: Not a directory"):
            await engine.get("k")

    Bench(tmp_path / "file" / "sub" / "ns.sqlite").run(program)


def test_a_long_log_is_moved_into_the_file_while_the_engine_is_open(tmp_path: Path) -> None:
    path = tmp_path / "ns.sqlite"

    async def program(engine: KVEngine) -> None:
        for index in range(30):
            await engine.put(f"k{index}", b"x" * 200_000)

    Bench(path).run(program)
    assert path.stat().st_size > 5_000_000


@pytest.mark.parametrize("bench", ["redis-fake", "redis-valkey"], indirect=True)
def test_what_was_acknowledged_is_there_for_another_engine_on_the_same_server(bench: Bench) -> None:
    async def write(engine: KVEngine) -> None:
        await engine.put("k", b"v", metadata="{}", expires_at_s=NOW_S + 60)

    async def read(engine: KVEngine) -> None:
        assert await engine.get("k") == KVEntry(b"v", "{}", NOW_S + 60)

    bench.run(write)
    bench.run(read)


@pytest.mark.parametrize("bench", ["redis-fake", "redis-valkey"], indirect=True)
def test_namespaces_on_one_server_are_apart_and_leave_nothing_behind(bench: Bench) -> None:
    async def program(engine: KVEngine) -> None:
        client = bench._client
        other = RedisKVEngine(client, "ns}:k", clock=bench.clock)
        await engine.put("k", b"1", metadata="1", expires_at_s=NOW_S + 60)
        await other.put("k", b"2")
        assert await engine.get("k") == KVEntry(b"1", "1", NOW_S + 60)
        assert await other.get("k") == KVEntry(b"2")
        await other.delete("k")
        bench.clock.advance(60)
        await engine.put("new", b"")  # a write removes what has expired
        assert sorted(await client.keys("*")) == [b"pyworkers:kv:{ns}:i", b"pyworkers:kv:{ns}:k:new"]

    bench.run(program)


@pytest.mark.parametrize("bench", ["redis-fake", "redis-valkey"], indirect=True)
def test_a_long_listing_passes_over_expired_keys(bench: Bench) -> None:
    async def program(engine: KVEngine) -> None:
        expiring = [KVWrite(f"a{n:04}", b"", expires_at_s=NOW_S + 60) for n in range(2_500)]
        await engine.put_many([*expiring, KVWrite("b", b""), KVWrite("c", b"", '"m:1"')])
        assert len((await engine.list_keys(limit=3_000)).keys) == 2_502
        bench.clock.advance(60)
        assert await engine.list_keys(limit=2) == KVPage([KVKey("b"), KVKey("c", '"m:1"')], True)
        assert await engine.list_keys(limit=1, after="a2") == KVPage([KVKey("b")], False)

    bench.run(program)


def test_a_server_that_is_not_there_is_an_engine_error() -> None:
    async def main() -> None:
        client = Redis(host="127.0.0.1", port=1, retry=None)
        engine = RedisKVEngine(client, "ns")
        with pytest.raises(EngineBusy, match=r"the Redis server cannot be reached: .*127\.0\.0\.1:1"):
            await engine.get("k")
        await client.aclose()

    asyncio.run(main())
