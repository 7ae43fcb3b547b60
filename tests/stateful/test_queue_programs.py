"""Random programs against a queue and a plain-Python model of it: the engines, and what a consumer gets.

`PYWORKERS_PROGRAMS` says how many are run; 200 where it is not set.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis, FakeServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import MANY, PROGRAMS, STEPS

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.engines.queues import NewMessage, QueueEngine
from pyworkers.engines.queues.redis_engine import RedisQueueEngine
from pyworkers.engines.queues.sqlite_engine import SqliteQueueEngine
from pyworkers.runtime.environment import js_value
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

OWNERS = ("one", "two")

owners = st.sampled_from(OWNERS)
seconds = st.integers(0, 5)
steps = st.one_of(
    st.tuples(st.just("send"), st.lists(seconds | st.just(0), min_size=1, max_size=3)),
    st.tuples(st.just("advance"), st.integers(1, 6)),
    st.tuples(st.just("take"), owners, st.integers(1, 4), st.integers(1, 8)),
    st.tuples(st.just("ack"), st.integers(0, 30)),
    st.tuples(st.just("retry"), st.integers(0, 30), seconds),
    st.tuples(st.just("extend"), st.integers(0, 30), st.integers(1, 8)),
    st.tuples(st.just("release"), owners),
    st.tuples(st.just("look"), owners),
)


@dataclass
class Held:
    """A message of the model."""

    name: str
    visible_at_ms: int
    turn: int
    attempts: int = 0
    owner: str | None = None
    lease: str | None = None

    @property
    def order(self) -> tuple[int, int]:
        return self.visible_at_ms, self.turn


@dataclass
class Model:
    """A queue, as a list."""

    clock: ManualClock
    messages: list[Held] = field(default_factory=list)
    turns: int = 0

    def next_turn(self) -> int:
        self.turns += 1
        return self.turns

    def ready(self, owner: str | None) -> list[Held]:
        now_ms = self.clock.now_ms()
        found = [
            one for one in self.messages if one.visible_at_ms <= now_ms and (one.owner is None or one.owner != owner)
        ]
        return sorted(found, key=lambda one: one.order)

    def holder(self, lease: str) -> Held | None:
        return next((one for one in self.messages if one.lease == lease), None)


class Program:
    """Runs steps on an engine and the model.

    Args:
        is_ordered: whether the engine keeps the order also of what came back by itself.
    """

    def __init__(self, engine: QueueEngine, clock: ManualClock, *, is_ordered: bool) -> None:
        self.engine = engine
        self.clock = clock
        self.model = Model(clock)
        self.is_ordered = is_ordered
        self.leases: list[str] = []

    async def run(self, program: list[Any]) -> None:
        for name, *args in program:
            await getattr(self, name)(*args)
            backlog = await self.engine.backlog()
            assert backlog.count == len(self.model.ready(None))
            assert backlog.size_bytes == sum(len(one.name) for one in self.model.ready(None))

    async def send(self, delays: list[int]) -> None:
        now_ms = self.clock.now_ms()
        held = [Held("", now_ms + 1000 * delay, self.model.next_turn()) for delay in delays]
        for one in held:
            one.name = f"m{one.turn}"
        await self.engine.send(
            [NewMessage(one.name, one.name.encode(), "text", now_ms, one.visible_at_ms) for one in held]
        )
        self.model.messages += held

    async def advance(self, by_s: int) -> None:
        self.clock.advance(by_s)

    async def take(self, owner: str, limit: int, lease_s: int) -> None:
        taken = await self.engine.take(limit, owner=owner, lease_ms=lease_s * 1000)
        ready = self.model.ready(owner)
        by_name = {one.name: one for one in ready}
        assert len(taken) == min(limit, len(ready))
        assert {message.id for message in taken} <= by_name.keys()
        if self.is_ordered:
            assert [message.id for message in taken] == [one.name for one in ready[:limit]]
        for message in taken:
            held = by_name[message.id]
            held.attempts += 1
            held.owner, held.lease = owner, message.lease
            held.visible_at_ms = self.clock.now_ms() + lease_s * 1000
            assert (message.attempts, message.body) == (held.attempts, message.id.encode())
            self.leases.append(message.lease)

    def lease(self, index: int) -> str | None:
        return self.leases[-1 - index % len(self.leases)] if self.leases else None

    async def ack(self, index: int) -> None:
        lease = self.lease(index)
        if lease is None:
            return
        held = self.known(lease)
        assert await self.engine.settle([lease]) == (int(held is not None), 0)
        if held is not None:
            self.model.messages.remove(held)

    async def retry(self, index: int, delay_s: int) -> None:
        lease = self.lease(index)
        if lease is None:
            return
        held = self.known(lease)
        when_ms = self.clock.now_ms() + delay_s * 1000
        assert await self.engine.settle([], [(lease, when_ms)]) == (0, int(held is not None))
        if held is not None:
            held.owner = held.lease = None
            held.visible_at_ms, held.turn = when_ms, self.model.next_turn()

    async def extend(self, index: int, lease_s: int) -> None:
        lease = self.lease(index)
        if lease is None:
            return
        held = self.known(lease)
        await self.engine.extend([lease], lease_ms=lease_s * 1000)
        if held is not None:
            held.visible_at_ms = self.clock.now_ms() + lease_s * 1000

    async def release(self, owner: str) -> None:
        held = [one for one in self.model.messages if one.owner == owner]
        await self.look("nobody")  # what Redis gives back on its own it does now
        gone = [one for one in held if self.is_over(one)]
        assert await self.engine.release(owner) == len(held) - len(gone)
        for one in held:
            if one not in gone:
                one.owner = one.lease = None
                one.visible_at_ms = self.clock.now_ms()

    async def look(self, owner: str) -> None:
        state = await self.engine.look(3, owner=owner)
        ready = self.model.ready(owner)
        later = [
            one.visible_at_ms
            for one in self.model.messages
            if one.visible_at_ms > self.clock.now_ms() and (one.owner is None or one.owner != owner)
        ]
        assert state.ready == min(3, len(ready))
        assert state.next_ms == min(later, default=None)
        if self.is_ordered:
            assert state.oldest_ms == (ready[0].visible_at_ms if ready else None)
        else:
            for one in ready:
                self.give_back(one)

    def known(self, lease: str) -> Held | None:
        """Return who holds by a lease; what is over and was given back holds no more."""
        held = self.model.holder(lease)
        return None if held is None or self.is_over(held) else held

    def is_over(self, held: Held) -> bool:
        """Tell whether Redis has given a message back by itself, which `backlog` after every step makes it do."""
        if self.is_ordered or held.visible_at_ms > self.clock.now_ms():
            return False
        return held.lease is None

    def give_back(self, held: Held) -> None:
        held.owner = held.lease = None


class RedisProgram(Program):
    """What ended is appended to the stream anew by whoever looks first: then its old lease is nobody's."""

    async def run(self, program: list[Any]) -> None:
        for name, *args in program:
            await getattr(self, name)(*args)
            backlog = await self.engine.backlog()
            for one in self.model.ready(None):
                self.give_back(one)
            assert backlog.count == len(self.model.ready(None))


@pytest.mark.timeout(MANY)
@settings(max_examples=PROGRAMS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(program=st.lists(steps, min_size=STEPS, max_size=STEPS))
def test_a_queue_in_sqlite_does_what_the_model_does(program: list[Any]) -> None:
    async def main() -> None:
        clock = ManualClock()
        async with SqliteQueueEngine(None, clock=clock) as engine:
            await Program(engine, clock, is_ordered=True).run(program)

    asyncio.run(main())


@pytest.mark.timeout(MANY)
@settings(max_examples=max(1, PROGRAMS // 8), deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(program=st.lists(steps, min_size=STEPS, max_size=STEPS))
def test_a_queue_in_redis_does_what_the_model_does(program: list[Any]) -> None:
    async def main() -> None:
        clock = ManualClock()
        client = FakeAsyncRedis(server=FakeServer())
        async with RedisQueueEngine(client, "jobs", clock=clock, owns_client=True) as engine:
            await RedisProgram(engine, clock, is_ordered=False).run(program)

    asyncio.run(main())


# ---- a consumer

WORKER = """
fates = {}
seen = []


async def fetch(request, env):
    pass


async def queue(batch, env, ctx):
    seen.append((batch.queue, [(message.body, message.attempts) for message in batch.messages]))
    for message in batch.messages:
        fate = fates[message.body][min(message.attempts, len(fates[message.body])) - 1]
        if fate == "ack":
            message.ack()
        elif fate == "retry":
            message.retry()
        elif fate == "later":
            message.retry(delaySeconds=7)
        elif fate == "throw":
            raise ValueError("boom")
"""
KINDS = ("done", "ack", "retry", "later", "throw")
# What becomes of a message at its first deliveries, of one, two or three, each number as likely; one draw, not several.
fates = st.sampled_from([fate for n in (1, 2, 3) for fate in 5 ** (3 - n) * list(product(KINDS, repeat=n))])
moves = st.one_of(
    st.tuples(st.just("send"), fates, st.integers(0, 10)),
    st.tuples(st.just("advance"), st.integers(0, 12), st.none()),
)


@pytest.fixture(scope="module")
def consumer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs") / "worker"
    folder.mkdir()
    (folder / "entry.py").write_text(WORKER)
    return folder


@pytest.mark.timeout(MANY)
@settings(max_examples=PROGRAMS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    program=st.lists(moves, min_size=STEPS, max_size=STEPS),
    size=st.integers(1, 4),
    timeout_s=st.integers(0, 3),
    retries=st.integers(0, 3),
    concurrency=st.integers(1, 3),
)
def test_every_message_is_delivered_until_it_is_done_or_dead(
    consumer_folder: Path, program: list[Any], size: int, timeout_s: int, retries: int, concurrency: int
) -> None:
    (consumer_folder / "wrangler.toml").write_text(
        'name = "w"\nmain = "entry.py"\ncompatibility_date = "2026-04-01"\n'
        '[[queues.producers]]\nbinding = "Q"\nqueue = "q"\n'
        f'[[queues.consumers]]\nqueue = "q"\nmax_batch_size = {size}\nmax_batch_timeout = {timeout_s}\n'
        f'max_retries = {retries}\nmax_concurrency = {concurrency}\ndead_letter_queue = "dead"\n'
    )

    async def main() -> None:
        clock = ManualClock()
        project = load_project(consumer_folder, environ={})
        async with Runtime(project, Stores(None, project, clock), clock=clock) as runtime:
            module = runtime.primary.namespace.import_module("entry")
            for name, value, delay in program:
                if name == "send":
                    number = len(module.fates)
                    module.fates[number] = value
                    await runtime.primary.env.Q.send(number, js_value({"delaySeconds": delay}))
                else:
                    await clock.advance(value)
            await clock.advance(1000)
            await check(runtime, module, size=size, attempts=retries + 1)

    asyncio.run(main())


async def check(runtime: Runtime, module: Any, *, size: int, attempts: int) -> None:
    delivered: dict[int, list[int]] = {number: [] for number in module.fates}
    failed: dict[int, list[bool]] = {number: [] for number in module.fates}
    for queue, batch in module.seen:
        assert queue == "q"
        assert 1 <= len(batch) <= size
        chosen = [module.fates[number][min(attempt, len(module.fates[number])) - 1] for number, attempt in batch]
        for (number, attempt), fate in zip(batch, chosen, strict=True):
            delivered[number].append(attempt)
            # A handler that throws has the whole batch again, whatever it acknowledged.
            failed[number].append("throw" in chosen or fate in ("retry", "later"))
    for number, seen in delivered.items():
        assert seen == list(range(1, len(seen) + 1))
        assert 1 <= len(seen) <= attempts
        assert all(failed[number][:-1])
        assert not failed[number][-1] or len(seen) == attempts
    dead = await runtime.queues.queue("dead").engine.take(1000, owner="test", lease_ms=1000)
    assert sorted(int(message.body) for message in dead) == sorted(number for number in failed if failed[number][-1])
    assert (await runtime.queues.queue("q").engine.look(1, owner="test")).ready == 0
