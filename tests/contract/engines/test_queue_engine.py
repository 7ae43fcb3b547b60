"""The laws of queue engines, each under its own words, on every engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis_servers import MakeClient, fake_redis

from pyworkers.clock import ManualClock
from pyworkers.engines.queues import Backlog, NewMessage, QueueEngine, QueueState, TakenMessage
from pyworkers.engines.queues.redis_engine import RedisQueueEngine
from pyworkers.engines.queues.sqlite_engine import SqliteQueueEngine
from pyworkers.errors import EngineBusy, EngineClosed, EngineCorrupt, EngineError

NOW_S = 1_700_000_000
NOW_MS = NOW_S * 1000
Program = Callable[[QueueEngine], Awaitable[None]]


class Bench:
    """Makes engines of one kind on one clock.

    Args:
        place: the file of SQLite, None for memory, or what makes a client of Redis.
    """

    def __init__(self, place: Path | MakeClient | None) -> None:
        self.place = place
        self.clock = ManualClock(NOW_S)
        self._clients: list[Any] = []

    def open(self) -> QueueEngine:
        if callable(self.place):
            self._clients.append(self.place())
            return RedisQueueEngine(self._clients[-1], "jobs", clock=self.clock)
        return SqliteQueueEngine(self.place, clock=self.clock)

    def run(self, program: Program) -> None:
        async def main() -> None:
            try:
                async with self.open() as engine:
                    await program(engine)
            finally:
                for client in self._clients:
                    await client.aclose()

        asyncio.run(main())

    def message(self, name: str, *, body: bytes = b"body", delay_s: float = 0) -> NewMessage:
        now_ms = self.clock.now_ms()
        return NewMessage(name, body, "json", now_ms, now_ms + int(delay_s * 1000))

    async def send(self, engine: QueueEngine, *names: str, delay_s: float = 0) -> None:
        await engine.send([self.message(name, delay_s=delay_s) for name in names])


@pytest.fixture(params=["sqlite", "sqlite-memory", "redis-fake", "redis-valkey"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    if request.param == "redis-fake":
        return Bench(fake_redis())
    if request.param == "redis-valkey":
        return Bench(request.getfixturevalue("valkey"))
    return Bench(tmp_path / "queues" / "jobs.sqlite" if request.param == "sqlite" else None)


async def take(engine: QueueEngine, limit: int = 100, *, owner: str = "me", lease_s: float = 30) -> list[TakenMessage]:
    return await engine.take(limit, owner=owner, lease_ms=int(lease_s * 1000))


def shown(messages: list[TakenMessage]) -> list[tuple[str, int]]:
    return [(message.id, message.attempts) for message in messages]


def test_a_sent_message_is_taken_with_body_type_id_and_time_of_sending_as_they_were(bench: Bench) -> None:
    bodies = [b"", b"\x00\xff\r\n", "é€".encode(), bytes(range(256)) * 500]

    async def program(engine: QueueEngine) -> None:
        await engine.send(
            [NewMessage(f"{at:032x}", body, "bytes", NOW_MS - at, NOW_MS) for at, body in enumerate(bodies)]
        )
        taken = await take(engine)
        assert [message[:5] for message in taken] == [
            (f"{at:032x}", body, "bytes", NOW_MS - at, 1) for at, body in enumerate(bodies)
        ]

    bench.run(program)


def test_send_is_atomic(bench: Bench) -> None:
    async def program(engine: QueueEngine) -> None:
        broken: Any = NewMessage("b", object(), "json", NOW_MS, NOW_MS)  # type: ignore[arg-type]  # what cannot be kept
        with pytest.raises(Exception, match=r"."):
            await engine.send([bench.message("a"), broken])
        assert await take(engine) == []

    bench.run(program)


def test_messages_are_taken_in_the_order_in_which_they_became_visible_then_in_which_they_were_sent(
    bench: Bench,
) -> None:
    async def program(engine: QueueEngine) -> None:
        await bench.send(engine, "late", delay_s=5)
        await bench.send(engine, "a", "b")
        await bench.send(engine, "middle", delay_s=2)
        bench.clock.advance(10)
        await bench.send(engine, "c")
        assert shown(await take(engine, 2)) == [("a", 1), ("b", 1)]
        assert shown(await take(engine)) == [("middle", 1), ("late", 1), ("c", 1)]

    bench.run(program)


def test_a_message_is_not_taken_before_it_becomes_visible(bench: Bench) -> None:
    async def program(engine: QueueEngine) -> None:
        await bench.send(engine, "a", delay_s=5)
        assert await engine.look(10, owner="me") == QueueState(0, None, NOW_MS + 5_000)
        bench.clock.advance(4.999)
        assert await take(engine) == []
        bench.clock.advance(0.001)
        assert await engine.look(10, owner="me") == QueueState(1, NOW_MS + 5_000, None)
        assert shown(await take(engine)) == [("a", 1)]

    bench.run(program)


def test_a_taken_message_is_not_taken_again_until_its_lease_ends(bench: Bench) -> None:
    async def program(engine: QueueEngine) -> None:
        await bench.send(engine, "a", "b")
        assert shown(await take(engine, 1, lease_s=10)) == [("a", 1)]
        bench.clock.advance(9.999)
        assert await engine.look(10, owner="other") == QueueState(1, NOW_MS, NOW_MS + 10_000)
        assert shown(await take(engine, owner="other")) == [("b", 1)]
        assert await take(engine, owner="other") == []

    bench.run(program)


def test_a_lease_that_ended_makes_the_message_ready_again_its_attempts_counted(bench: Bench) -> None:
    async def program(engine: QueueEngine) -> None:
        await bench.send(engine, "a")
        await take(engine, owner="killed", lease_s=10)
        bench.clock.advance(10)
        assert await engine.look(10, owner="other") == QueueState(1, NOW_MS + 10_000, None)
        assert shown(await take(engine, owner="other")) == [("a", 2)]

    bench.run(program)


def test_an_owner_never_takes_what_it_holds_itself_however_long(bench: Bench) -> None:
    async def program(engine: QueueEngine) -> None:
        await bench.send(engine, "a")
        await take(engine, lease_s=10)
        bench.clock.advance(1000)
        assert await engine.look(10, owner="me") == QueueState(0, None, None)
        assert await take(engine) == []
        assert shown(await take(engine, owner="other")) == [("a", 2)]

    bench.run(program)


def test_a_lease_lasts_as_long_as_it_is_extended(bench: Bench) -> None:
    async def program(engine: QueueEngine) -> None:
        await bench.send(engine, "a")
        [message] = await take(engine, lease_s=10)
        bench.clock.advance(8)
        await engine.extend([message.lease, "nonsense"], lease_ms=10_000)
        bench.clock.advance(9.999)
        assert await take(engine, owner="other") == []
        bench.clock.advance(0.001)
        assert shown(await take(engine, owner="other")) == [("a", 2)]

    bench.run(program)


def test_what_was_released_can_be_taken_at_once_by_everybody(bench: Bench) -> None:
    async def program(engine: QueueEngine) -> None:
        await bench.send(engine, "a", "b", "c")
        await take(engine, 1, owner="one")
        await take(engine, 1, owner="two")
        assert await engine.release("one") == 1
        assert await engine.release("nobody") == 0
        assert sorted(shown(await take(engine, owner="one"))) == [("a", 2), ("c", 1)]
        assert await engine.release() == 3
        assert sorted(shown(await take(engine))) == [("a", 3), ("b", 2), ("c", 2)]

    bench.run(program)


def test_an_acknowledged_message_is_gone(bench: Bench) -> None:
    async def program(engine: QueueEngine) -> None:
        await bench.send(engine, "a", "b")
        first, second = await take(engine)
        assert await engine.settle([first.lease]) == (1, 0)
        bench.clock.advance(1000)
        assert [message.id for message in await take(engine, owner="other")] == [second.id]

    bench.run(program)


def test_a_retried_message_comes_after_those_that_are_ready_with_its_attempts_counted(bench: Bench) -> None:
    async def program(engine: QueueEngine) -> None:
        await bench.send(engine, "a", "b", "c")
        first, second = await take(engine, 2)
        assert await engine.settle([], [(first.lease, NOW_MS), (second.lease, NOW_MS + 5_000)]) == (0, 2)
        assert shown(await take(engine)) == [("c", 1), ("a", 2)]
        bench.clock.advance(5)
        assert shown(await take(engine)) == [("b", 2)]

    bench.run(program)


def test_a_lease_that_is_over_acknowledges_and_retries_nothing(bench: Bench) -> None:
    async def program(engine: QueueEngine) -> None:
        await bench.send(engine, "a", "b")
        first, second = await take(engine, lease_s=10)
        bench.clock.advance(10)
        taken = await take(engine, owner="other")
        assert await engine.settle([first.lease], [(second.lease, NOW_MS)]) == (0, 0)
        assert await engine.settle(["nonsense", "1.", "", "9" * 50 + ".1"]) == (0, 0)
        assert await engine.settle([message.lease for message in taken]) == (2, 0)
        assert await engine.settle([message.lease for message in taken]) == (0, 0)

    bench.run(program)


def test_the_backlog_is_what_could_be_taken(bench: Bench) -> None:
    async def program(engine: QueueEngine) -> None:
        assert await engine.backlog() == Backlog(0, 0, None)
        await engine.send([bench.message("a", body=b"123"), bench.message("b", body=b"12345")])
        bench.clock.advance(1)
        await engine.send([bench.message("c", body=b"1"), bench.message("later", body=b"long", delay_s=9)])
        assert await engine.backlog() == Backlog(3, 9, NOW_MS)
        [first, second] = await take(engine, 2)
        assert await engine.backlog() == Backlog(1, 1, NOW_MS + 1_000)
        await engine.settle([first.lease], [(second.lease, bench.clock.now_ms())])
        assert await engine.backlog() == Backlog(2, 6, NOW_MS + 1_000)
        bench.clock.advance(9)
        left = await engine.backlog()
        assert (left.count, left.size_bytes) == (3, 10)

    bench.run(program)


def test_purge_forgets_every_message(bench: Bench) -> None:
    async def program(engine: QueueEngine) -> None:
        await bench.send(engine, "a", "b")
        await bench.send(engine, "c", delay_s=5)
        [taken] = await take(engine, 1)
        assert await engine.purge() == 3
        bench.clock.advance(100)
        assert await engine.settle([taken.lease]) == (0, 0)
        assert await take(engine, owner="other") == []
        assert await engine.backlog() == Backlog(0, 0, None)
        await bench.send(engine, "d")
        assert shown(await take(engine)) == [("d", 1)]

    bench.run(program)


def test_every_message_is_taken_once_by_many_at_the_same_time(bench: Bench) -> None:
    async def program(engine: QueueEngine) -> None:
        await bench.send(engine, *(f"m{at}" for at in range(60)))
        batches = await asyncio.gather(*(take(engine, 7, owner=f"owner {at}") for at in range(9)))
        names = [message.id for batch in batches for message in batch]
        assert sorted(names) == sorted(f"m{at}" for at in range(60))

    bench.run(program)


def test_what_was_acknowledged_as_sent_is_there_after_the_engine_is_opened_again(bench: Bench) -> None:
    if bench.place is None:
        pytest.skip("memory keeps nothing")

    async def program(engine: QueueEngine) -> None:
        await bench.send(engine, "a", "b", "c")
        [first, *_] = await take(engine, 2, owner="killed", lease_s=10)
        await engine.settle([first.lease])
        await engine.close()
        async with bench.open() as again:
            assert shown(await take(again, owner="other")) == [("c", 1)]
            bench.clock.advance(10)
            assert shown(await take(again, owner="other")) == [("b", 2)]

    bench.run(program)


def test_close_is_idempotent_and_every_use_after_it_raises_engine_closed(bench: Bench) -> None:
    async def program(engine: QueueEngine) -> None:
        await bench.send(engine, "a")
        await engine.close()
        await engine.close()
        for use in (
            lambda: engine.send([bench.message("b")]),
            lambda: take(engine),
            lambda: engine.settle(["1.1"]),
            lambda: engine.extend(["1.1"], lease_ms=1),
            lambda: engine.release(),
            lambda: engine.look(1, owner="me"),
            lambda: engine.backlog(),
            lambda: engine.purge(),
        ):
            with pytest.raises(EngineClosed, match=r"^the queue is closed$"):
                await use()

    bench.run(program)


def test_two_engines_share_one_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "jobs.sqlite")

    async def program(engine: QueueEngine) -> None:
        async with bench.open() as other:
            assert (engine.is_shared, other.is_shared) == (True, True)
            await bench.send(other, "a", "b")
            assert shown(await take(engine, 1)) == [("a", 1)]
            assert shown(await take(other, owner="other")) == [("b", 1)]

    bench.run(program)


def test_a_file_that_is_no_database_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(b"not a database" * 100)

    async def main() -> None:
        async with SqliteQueueEngine(path) as engine:
            with pytest.raises(EngineCorrupt, match="cannot be read as a SQLite database"):
                await engine.backlog()

    asyncio.run(main())


def test_a_server_that_is_not_there_is_busy() -> None:
    async def main() -> None:
        client = Redis(port=1)
        async with RedisQueueEngine(client, "jobs", owns_client=True) as engine:
            with pytest.raises(EngineBusy, match="the Redis server cannot be reached"):
                await engine.backlog()

    asyncio.run(main())


def test_a_wrong_address_is_named() -> None:
    with pytest.raises(EngineError, match="is no address of a Redis server"):
        RedisQueueEngine.connect("http://example.com", "jobs")


@pytest.mark.parametrize(("first", "second"), [("a{b", "a%7Bb"), ("a}", "a%7D"), ("%", "%25")])
def test_queues_of_odd_names_are_not_mixed(first: str, second: str) -> None:
    bench = Bench(fake_redis())

    async def main() -> None:
        client = bench.place()  # type: ignore[misc,operator]  # the maker of clients
        async with RedisQueueEngine(client, first) as one, RedisQueueEngine(client, second) as two:
            await bench.send(one, "x")
            assert (await one.backlog()).count == 1
            assert (await two.backlog()).count == 0
        await client.aclose()

    asyncio.run(main())
