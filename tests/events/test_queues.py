"""Queues in a running project: batches, retries, dead letters, concurrency, restarts, reloads, the pytest plugin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.engines.queues import NewMessage
from pyworkers.errors import ConfigError, EngineBusy, EngineError
from pyworkers.runtime import queue_consumer
from pyworkers.runtime.queues import WORKER_OWNER
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

PRODUCER = """
from workers import Response


async def fetch(request, env):
    await env.JOBS.send({"path": request.url.split("/", 3)[3]})
    return Response("sent")
"""
CONSUMER = """
import asyncio

batches = []
gate = asyncio.Event()
running = 0
most = 0


async def fetch(request, env):
    pass


async def queue(batch, env, ctx):
    global running, most
    batches.append((batch.queue, [(message.body, message.attempts) for message in batch.messages]))
    for message in batch.messages:
        act = message.body.get("act") if isinstance(message.body, dict) else None
        if act == "retry":
            message.retry()
        elif act == "later":
            message.retry(delaySeconds=message.body["delay"])
        elif act == "throw":
            raise ValueError("boom")
        elif act == "wait":
            running += 1
            most = max(most, running)
            await gate.wait()
            running -= 1
"""


def write(folder: Path, name: str, source: str, config: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "entry.py").write_text(source)
    path = folder / name / "wrangler.toml"
    path.write_text(f'name = "{name}"\nmain = "entry.py"\ncompatibility_date = "2026-04-01"\n{config}')
    return path


def producer(folder: Path) -> Path:
    return write(folder, "sender", PRODUCER, '[[queues.producers]]\nbinding = "JOBS"\nqueue = "jobs"\n')


def consumer(folder: Path, options: str = "", *, name: str = "taker") -> Path:
    return write(folder, name, CONSUMER, f'[[queues.consumers]]\nqueue = "jobs"\n{options}\n')


class Bench:
    """A running project of a sender and a taker."""

    def __init__(self, runtime: Runtime, clock: ManualClock) -> None:
        self.runtime = runtime
        self.clock = clock
        self.jobs = runtime.isolates["sender"].env.JOBS if "sender" in runtime.isolates else None
        self.module = runtime.isolates["taker"].namespace.import_module("entry")

    @property
    def batches(self) -> list[Any]:
        found: list[Any] = self.module.batches
        return found

    async def send(self, *bodies: object, **options: object) -> None:
        from pyworkers.runtime.environment import js_value

        assert self.jobs is not None
        for body in bodies:
            await self.jobs.send(js_value(body), js_value(options))  # type: ignore[arg-type]  # JSON, all of it


@asynccontextmanager
async def running(
    configs: list[Path], clock: ManualClock, *, state: Path | None = None, delivers: bool = True
) -> AsyncIterator[Bench]:
    project = load_project(configs[0].parent.parent, configs, environ={})
    runtime = Runtime(project, Stores(state, project, clock), clock=clock)
    async with runtime:
        for error in runtime.load_errors.values():
            raise error
        yield Bench(runtime, clock)


def run(folder: Path, options: str, program: Any, **more: Any) -> None:
    configs = [producer(folder), consumer(folder, options)]

    async def main() -> None:
        async with running(configs, ManualClock(), **more) as bench:
            await program(bench)

    asyncio.run(main())


def test_a_batch_goes_when_it_is_full_or_its_time_has_come(tmp_path: Path) -> None:
    async def program(bench: Bench) -> None:
        await bench.send(1, 2, 3)
        await bench.clock.advance(0)
        assert bench.batches == [("jobs", [(1, 1), (2, 1)])]
        await bench.clock.advance(9.99)
        assert len(bench.batches) == 1
        await bench.clock.advance(0.01)
        assert bench.batches[1:] == [("jobs", [(3, 1)])]

    run(tmp_path, "max_batch_size = 2\nmax_batch_timeout = 10", program)


def test_a_delayed_message_waits(tmp_path: Path) -> None:
    async def program(bench: Bench) -> None:
        await bench.send("later", delaySeconds=60)
        await bench.send("now")
        await bench.clock.advance(59)
        assert bench.batches == [("jobs", [("now", 1)])]
        await bench.clock.advance(2)
        assert bench.batches[1:] == [("jobs", [("later", 1)])]

    run(tmp_path, "", program)


def test_messages_whose_attempts_are_used_up_go_to_the_dead_letter_queue(tmp_path: Path) -> None:
    async def program(bench: Bench) -> None:
        await bench.send({"act": "retry", "n": 1})
        await bench.clock.advance(1)
        assert [batch[1] for batch in bench.batches] == [[({"act": "retry", "n": 1}, at)] for at in (1, 2)]
        [dead] = await bench.runtime.queues.queue("dead").engine.take(10, owner="test", lease_ms=1000)
        assert (dead.body, dead.attempts) == (b'{"act":"retry","n":1}', 1)
        assert (await bench.runtime.queues.queue("jobs").engine.backlog()).count == 0

    run(tmp_path, 'max_retries = 1\nmax_batch_timeout = 0\ndead_letter_queue = "dead"', program)


class FailsOnce:
    """Does what it stands for, but once it fails, before it or after it."""

    def __init__(self, work: Any, *, is_done: bool = False) -> None:
        self._work = work
        self._is_done = is_done
        self._has_failed = False

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._has_failed:
            return await self._work(*args, **kwargs)
        self._has_failed = True
        if self._is_done:
            await self._work(*args, **kwargs)
        raise EngineBusy("it is locked")


def test_a_dead_letter_is_there_once_where_the_batch_is_settled_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def program(bench: Bench) -> None:
        engine = bench.runtime.queues.queue("jobs").engine
        monkeypatch.setattr(queue_consumer, "AGAIN_S", 0.0)
        monkeypatch.setattr(engine, "settle", FailsOnce(engine.settle))
        await bench.send({"act": "retry"})
        await bench.clock.advance(10)
        taken = await bench.runtime.queues.queue("dead").engine.take(10, owner="test", lease_ms=1000)
        assert [message.body for message in taken] == [b'{"act":"retry"}']
        assert await engine.release("") == 0

    run(tmp_path, 'max_retries = 0\nmax_batch_timeout = 0\ndead_letter_queue = "dead"', program)
    texts = [record.getMessage() for record in caplog.records if record.name == "pyworkers.queues"]
    assert [text.split('"', 1)[0] for text in texts] == [
        "Moved message ",
        "the queue jobs cannot be written, a batch waits to be settled: it is locked",
    ]


@pytest.mark.parametrize(
    ("method", "is_done", "attempts"), [("take", True, 2), ("take", False, 1), ("backlog", False, 1)]
)
def test_messages_come_though_the_storage_failed_while_they_were_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, *, is_done: bool, attempts: int
) -> None:
    async def program(bench: Bench) -> None:
        engine = bench.runtime.queues.queue("jobs").engine
        await bench.send("first")
        monkeypatch.setattr(engine, method, FailsOnce(getattr(engine, method), is_done=is_done))
        await bench.clock.advance(10)
        assert bench.batches == [("jobs", [("first", attempts)])]
        assert await engine.release("") == 0

    run(tmp_path, "max_batch_timeout = 1", program)


def test_without_a_dead_letter_queue_they_are_dropped_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def program(bench: Bench) -> None:
        await bench.send({"act": "throw"})
        await bench.clock.advance(1)
        assert len(bench.batches) == 1

    run(tmp_path, "max_retries = 0\nmax_batch_timeout = 0", program)
    [record] = [record for record in caplog.records if record.name == "pyworkers.queues"]
    assert record.getMessage().startswith('Dropped message "')
    assert record.getMessage().endswith('" on queue "jobs" after 1 failed attempt')


def test_a_delay_of_a_retry_goes_before_that_of_the_configuration(tmp_path: Path) -> None:
    async def program(bench: Bench) -> None:
        await bench.send({"act": "retry"}, {"act": "later", "delay": 2})
        await bench.clock.advance(1)
        assert len(bench.batches) == 1
        await bench.clock.advance(2)
        assert bench.batches[1:] == [("jobs", [({"act": "later", "delay": 2}, 2)])]
        await bench.clock.advance(100)
        assert [body["act"] for _, batch in bench.batches for body, _ in batch].count("retry") == 3

    run(tmp_path, "retry_delay = 20\nmax_batch_timeout = 0", program)


@pytest.mark.parametrize(("options", "most"), [("", 1), ("max_concurrency = 3", 3)])
def test_so_many_batches_are_out_at_once(tmp_path: Path, options: str, most: int) -> None:
    async def program(bench: Bench) -> None:
        await bench.send(*[{"act": "wait", "n": n} for n in range(5)])
        bench.clock.advance(1)
        for _ in range(50):
            await asyncio.sleep(0)
        assert (bench.module.running, len(bench.batches)) == (most, most)
        bench.module.gate.set()
        await bench.clock.settle()
        assert (bench.module.most, len(bench.batches)) == (most, 5)

    run(tmp_path, f"max_batch_size = 1\nmax_batch_timeout = 0\n{options}", program)


def test_a_consumer_may_send_to_its_own_queue(tmp_path: Path) -> None:
    source = (
        CONSUMER.replace("async def fetch", "async def unused").replace(
            'act = message.body.get("act") if isinstance(message.body, dict) else None',
            "act = None\n        if message.body:\n            await env.AGAIN.send(message.body - 1)",
        )
        + "\n\nasync def fetch(request, env):\n    await env.AGAIN.send(3)\n"
    )
    path = write(
        tmp_path,
        "taker",
        source,
        '[[queues.producers]]\nbinding = "AGAIN"\nqueue = "jobs"\n'
        '[[queues.consumers]]\nqueue = "jobs"\nmax_batch_size = 1\nmax_batch_timeout = 0\n',
    )

    async def main() -> None:
        async with running([path], ManualClock()) as bench:
            await bench.runtime.primary.env.AGAIN.send(3)
            await bench.clock.advance(1)
            assert [batch[0][0] for _, batch in bench.batches] == [3, 2, 1, 0]

    asyncio.run(main())


def test_messages_survive_a_restart_and_those_of_a_process_that_died_come_again(tmp_path: Path) -> None:
    configs = [producer(tmp_path / "project"), consumer(tmp_path / "project", "max_batch_timeout = 0")]
    clock = ManualClock()

    async def first() -> None:
        async with running(configs[:1], clock, state=tmp_path / "state") as _:
            pass

    async def leave() -> None:
        project = load_project(configs[0].parent, configs, environ={})
        stores = Stores(tmp_path / "state", project, clock)
        engine = stores.engine("queues", "jobs")
        now_ms = clock.now_ms()
        await engine.send([NewMessage(f"{at:032x}", f"{at}".encode(), "json", now_ms, now_ms) for at in range(3)])
        await engine.take(2, owner=f"{WORKER_OWNER}of a process that was killed", lease_ms=60_000)
        await stores.close()

    async def second() -> None:
        async with running(configs, clock, state=tmp_path / "state") as bench:
            await clock.advance(1)
            messages = [message for _, batch in bench.batches for message in batch]
            assert sorted(messages) == [(0, 2), (1, 2), (2, 1)]

    asyncio.run(leave())
    asyncio.run(second())


def test_what_another_process_holds_comes_when_its_lease_ends(tmp_path: Path) -> None:
    configs = [producer(tmp_path / "project"), consumer(tmp_path / "project", "max_batch_timeout = 0")]
    clock = ManualClock()

    async def main() -> None:
        async with running(configs, clock, state=tmp_path / "state") as bench:
            engine = bench.runtime.queues.queue("jobs").engine
            now_ms = clock.now_ms()
            await engine.send([NewMessage("a", b"1", "json", now_ms, now_ms)])
            await engine.take(1, owner=f"{WORKER_OWNER}other", lease_ms=60_000)
            await clock.advance(59)
            assert bench.batches == []
            await clock.advance(2)
            assert bench.batches == [("jobs", [(1, 2)])]

    asyncio.run(main())


def test_what_was_sent_without_a_consumer_is_there_when_one_comes(tmp_path: Path) -> None:
    sender = producer(tmp_path / "project")
    clock = ManualClock()

    async def send() -> None:
        project = load_project(sender.parent, [sender], environ={})
        async with Runtime(project, Stores(tmp_path / "state", project, clock), clock=clock) as runtime:
            await runtime.primary.env.JOBS.send("kept")

    async def take() -> None:
        async with running([sender, consumer(tmp_path / "project")], clock, state=tmp_path / "state") as bench:
            await clock.advance(2)
            assert bench.batches == [("jobs", [("kept", 1)])]

    asyncio.run(send())
    asyncio.run(take())


def test_a_queue_has_one_consumer(tmp_path: Path) -> None:
    configs = [consumer(tmp_path), consumer(tmp_path, name="other")]

    async def main() -> None:
        async with running(configs, ManualClock()):
            raise AssertionError

    with pytest.raises(ConfigError) as caught:
        asyncio.run(main())
    assert caught.value.message == 'the queue "jobs" has two consumers, taker and other; it can have one'


def test_a_worker_that_does_not_load_keeps_its_messages_waiting(tmp_path: Path) -> None:
    configs = [producer(tmp_path), consumer(tmp_path, "max_batch_timeout = 0")]
    source = configs[1].with_name("entry.py")

    async def main() -> None:
        clock = ManualClock()
        project = load_project(tmp_path, configs, environ={})
        source.write_text("raise ValueError('broken')")
        async with Runtime(project, Stores(None, project, clock), clock=clock) as runtime:
            await runtime.isolates["sender"].env.JOBS.send("waits")
            await clock.advance(10)
            source.write_text(CONSUMER)
            runtime.load("taker")
            await clock.advance(2)
            assert Bench(runtime, clock).batches == [("jobs", [("waits", 1)])]

    asyncio.run(main())


def test_metrics_count_batches_as_events(tmp_path: Path) -> None:
    async def program(bench: Bench) -> None:
        await bench.send(1, {"act": "throw"})
        await bench.clock.advance(5)
        counted = bench.runtime.metrics.workers["taker"].events["queue"]
        assert (counted.calls, counted.errors) == (3, 3)

    run(tmp_path, "max_batch_size = 2", program)


@pytest.fixture
def worker_config(tmp_path: Path) -> list[Path]:
    return [consumer(tmp_path)]


async def test_the_plugin_delivers_a_batch_directly(worker: Any) -> None:
    outcome = await worker.queue("jobs", [1, {"act": "retry"}, "text"])
    assert (outcome.acknowledged, outcome.retried) == ([1, "text"], [{"act": "retry"}])
    with pytest.raises(ValueError, match="boom"):
        await worker.queue("jobs", [{"act": "throw"}])


def test_a_state_folder_that_cannot_be_made_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "entry.py").write_text("async def fetch(request, env): pass\nasync def queue(batch, env, ctx): pass\n")
    (tmp_path / "wrangler.toml").write_text(
        'name = "w"\nmain = "entry.py"\ncompatibility_date = "2026-04-01"\n[[queues.consumers]]\nqueue = "q"\n'
    )
    state = tmp_path / "entry.py" / "state"
    clock = ManualClock()
    project = load_project(tmp_path, environ={})

    async def start() -> None:
        async with Runtime(project, Stores(state, project, clock), clock=clock):
            pass

    with pytest.raises(EngineError) as caught:
        asyncio.run(start())
    assert caught.value.message == f"{state}/queues/.consumer cannot be used: Not a directory"
    assert caught.value.hint == "choose another --persist-to folder"
