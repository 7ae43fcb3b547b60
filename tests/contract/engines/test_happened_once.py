"""What was acknowledged has happened once, what has failed has not, and nobody waits for ever; whatever goes wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest

from pyworkers.clock import ManualClock
from pyworkers.engines.cache import CachedResponse
from pyworkers.engines.cache.sqlite_engine import INLINE_BYTES, SqliteCacheEngine, _BodyWriter
from pyworkers.engines.d1 import D1Answer, D1Statement, SqlError
from pyworkers.engines.d1.apsw_connection import ApswConnection
from pyworkers.engines.d1.database import Database
from pyworkers.engines.d1.deadline import Deadline
from pyworkers.engines.d1.sqlite_engine import SqliteD1Engine
from pyworkers.engines.durable.sqlite_engine import SqliteDurableEngine
from pyworkers.engines.kv.protocol import KVEntry
from pyworkers.engines.kv.sqlite_engine import SqliteKVEngine
from pyworkers.engines.queues.protocol import NewMessage
from pyworkers.engines.queues.redis_engine import RedisQueueEngine
from pyworkers.engines.sqlite import CHECKPOINT_PAGES
from pyworkers.engines.work_thread import WorkThread
from pyworkers.engines.workflows.sqlite_engine import SqliteWorkflowEngine
from pyworkers.errors import EngineBusy, EngineError

BEGIN, INSERT = "CREATE TABLE t (a)", "INSERT INTO t VALUES (?)"


async def d1_rows(engine: SqliteD1Engine, sql: str) -> list[tuple[Any, ...]]:
    return (await engine.run([D1Statement(sql)])).results[0].rows


# ---- a system without a thread to spare


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)


@pytest.mark.usefixtures("no_threads")
def test_a_commit_has_happened_where_no_thread_can_move_the_log(tmp_path: Path) -> None:
    async def main() -> None:
        engine = SqliteKVEngine(tmp_path / "kv.sqlite")
        for _ in range(2):
            await engine.put("k", b"x" * CHECKPOINT_PAGES * 4_096)
        assert await engine.get("k") == KVEntry(b"x" * CHECKPOINT_PAGES * 4_096)
        connection, engine._connection = engine._connection, None
        assert connection is not None
        connection.close()

    asyncio.run(main())


def test_a_call_that_found_no_thread_has_not_happened_and_the_next_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    async def main() -> None:
        idle: list[bool] = []
        thread = WorkThread("work", on_idle=lambda: idle.append(thread.is_idle))
        start = threading.Thread.start
        monkeypatch.setattr(threading.Thread, "start", _refuse)
        for ask in (lambda: thread.run(lambda: done.append(1)), lambda: _posted(thread, lambda: done.append(2))):
            with pytest.raises(RuntimeError, match="can't start new thread"):
                await ask()
        monkeypatch.setattr(threading.Thread, "start", start)
        assert thread.is_idle
        await thread.run(lambda: done.append(3))
        assert (done, idle) == ([3], [True])
        await thread.close()

    asyncio.run(main())


def _refuse(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


async def _posted(thread: WorkThread, work: Callable[[], None]) -> None:
    thread.post(work)


@pytest.mark.parametrize("kind", [StopIteration, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
def test_whatever_work_on_a_thread_raises_nobody_waits_for_ever(kind: type[BaseException]) -> None:
    def work() -> None:
        raise kind("found")

    async def main() -> None:
        thread = WorkThread("work")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        thread.submit(work, future)
        await asyncio.wait([future])
        error = future.exception()
        if kind is StopIteration:
            assert (type(error), str(error)) == (RuntimeError, "the work raised StopIteration")
            assert error is not None
            error = error.__cause__
        assert (type(error), str(error)) == (kind, "found")
        assert thread.is_idle
        await thread.close()

    asyncio.run(main())


# ---- D1


def test_an_interruption_while_a_call_begins_is_not_lost() -> None:
    def now() -> float:
        if not has_begun:
            deadline.interrupt()
        return 1.0

    has_begun = False
    deadline = Deadline(now)
    deadline.begin(30)
    has_begun = True
    assert deadline.is_overdue()


class Ended(BaseException):
    """As KeyboardInterrupt, which would end the test, too."""


def test_who_waits_behind_a_call_that_ended_the_loop_has_his_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with SqliteD1Engine() as engine:
            await engine.run([D1Statement(BEGIN)])
            for _ in range(2):
                await engine.run([D1Statement(INSERT, (0,))])
            run_at_once = engine._database.run_at_once

            def interrupted(statements: Sequence[D1Statement]) -> D1Answer | None:
                if statements[0].params == (1,):
                    raise Ended
                return run_at_once(statements)

            monkeypatch.setattr(engine._database, "run_at_once", interrupted)
            monkeypatch.setattr(engine._database, "are_brief", lambda _: True)
            gate = threading.Event()
            engine._thread.submit(gate.wait, loop.create_future())
            calls = [asyncio.ensure_future(engine.run([D1Statement(INSERT, (n,))])) for n in (1, 2)]
            await asyncio.sleep(0)
            monkeypatch.setattr(engine._thread, "_on_idle", lambda: loop.call_soon(_swallowing(engine._run_waiting)))
            gate.set()
            await asyncio.wait(calls)
            assert type(calls[0].exception()) is Ended
            assert await d1_rows(engine, "SELECT a FROM t") == [(0,), (0,), (2,)]

    asyncio.run(main())


def _swallowing(work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        with pytest.raises(Ended):
            work()

    return run


@pytest.mark.parametrize("is_first", [True, False])
def test_a_call_whose_commit_fails_leaves_the_database_usable_and_is_not_counted(
    monkeypatch: pytest.MonkeyPatch, *, is_first: bool
) -> None:
    own, failures = ApswConnection.own, ["database or disk is full"]

    def full(connection: ApswConnection, sql: str, *args: Any, **kwargs: Any) -> Any:
        if sql.startswith("COMMIT") and failures:
            raise SqlError(failures.pop(), code="SQLITE_FULL")
        return own(connection, sql, *args, **kwargs)

    database = Database(lambda: ApswConnection(None), max_query_s=30)
    if not is_first:
        assert database.run([D1Statement("CREATE TABLE s (a)")]).bookmark == 0
    monkeypatch.setattr(ApswConnection, "own", full)
    with pytest.raises(SqlError, match="database or disk is full"):
        database.run([D1Statement(BEGIN)])
    answers = [database.run([D1Statement(sql)]) for sql in (BEGIN, "SELECT count(*) FROM t")]
    assert [answer.bookmark for answer in answers] == [1 - is_first, 2 - is_first]
    assert answers[1].results[0].rows == [(0,)]
    database.close()


# ---- workflows and Durable Objects


def test_a_full_disk_is_called_so_and_leaves_a_workflow_usable(tmp_path: Path) -> None:
    engine = SqliteWorkflowEngine(tmp_path / "flow.sqlite")
    engine.create("a", b"")
    connection = engine._database()
    connection.execute("PRAGMA cache_size = 1")
    most = connection.execute("PRAGMA max_page_count").get
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').get + 1}")
    with pytest.raises(EngineError, match=r"flow\.sqlite could not be written: the disk is full$"):
        engine.add_event("a", "big", b"x" * 1_000_000)
    connection.execute(f"PRAGMA max_page_count = {most}")
    engine.add_event("a", "small", b"x")
    assert [engine.next_event("a", kind) is not None for kind in ("big", "small")] == [False, True]
    asyncio.run(engine.close())


def test_a_workflow_whose_commit_fails_has_no_transaction_open() -> None:
    engine = SqliteWorkflowEngine()
    connection = engine._database()

    class FailsOnce:
        """The connection, whose next commit meets a lock."""

        has_failed = False

        def __getattr__(self, name: str) -> Any:
            return getattr(connection, name)

        def execute(self, sql: str, *args: Any) -> Any:
            if sql == "COMMIT" and not self.has_failed:
                self.has_failed = True
                raise apsw.BusyError("database is locked")
            return connection.execute(sql, *args)

    engine._connection = FailsOnce()  # type: ignore[assignment]
    with pytest.raises(EngineBusy):
        engine.create("a", b"")
    assert (engine.create("a", b""), engine.create("a", b"")) == (True, False)
    asyncio.run(engine.close())


def test_an_alarm_whose_removal_is_durable_is_removed_whatever_becomes_of_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = SqliteDurableEngine(tmp_path)
    store = engine.open("a", name=None, on_write=lambda: None)
    store.set_alarm(1_000)
    store.commit()

    def locked(*_: object) -> None:
        raise EngineBusy("index.sqlite is locked by another process")

    monkeypatch.setattr(engine, "expect", locked)
    store.put_many([("k", b"v")])
    store.set_alarm(None)
    store.commit()
    monkeypatch.undo()
    assert (store.alarm_ms(), store.get("k")) == (None, b"v")
    assert [record.object_id for record in engine.alarms()] == ["a"]  # looked at once too often
    asyncio.run(engine.close())


# ---- callers that leave


@pytest.mark.parametrize("stage", ["write", "_store"])
def test_a_caller_that_leaves_while_a_response_is_stored_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    def body(letter: bytes) -> bytes:
        return letter * (INLINE_BYTES + 1)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with SqliteCacheEngine(tmp_path / "cache.sqlite") as engine:
            response = CachedResponse(200, (), 2**52)
            await engine.put("", "k", response, body(b"a"))
            reached, gate = asyncio.Event(), threading.Event()
            owner = SqliteCacheEngine if stage == "_store" else _BodyWriter
            monkeypatch.setattr(owner, stage, _held(getattr(owner, stage), loop, reached, gate))
            putting = asyncio.ensure_future(engine.put("", "k", response, body(b"b")))
            await reached.wait()
            putting.cancel()
            await asyncio.sleep(0)
            gate.set()
            with pytest.raises(asyncio.CancelledError):
                await putting
            reading = await engine.match("", "k")
            assert reading is not None
            found = b"".join([chunk async for chunk in reading.chunks(0, reading.size)])
            assert found == body(b"b" if stage == "_store" else b"a")
            assert len(list((tmp_path / "cache.bodies").iterdir())) == 1

    asyncio.run(main())


def _held(
    work: Callable[..., Any], loop: asyncio.AbstractEventLoop, reached: asyncio.Event, gate: threading.Event
) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        loop.call_soon_threadsafe(reached.set)
        gate.wait()
        return work(*args)

    return run


# ---- answers that are lost


class LossyServer:
    """Stands between a client and a server; while it is lossy it loses the next answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.is_lossy = False
        self.port = 0

    async def __aenter__(self) -> LossyServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        asking = asyncio.ensure_future(self._copy(client, to_server))
        while data := await server.read(65_536):
            if self.is_lossy:
                self.is_lossy = False
                break
            to_client.write(data)
        to_client.close()
        to_server.close()
        await asking

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()


async def _lost(call: Awaitable[object]) -> None:
    with pytest.raises(EngineBusy, match="the Redis server cannot be reached"):
        await call


def test_messages_whose_sending_or_taking_was_not_answered_were_sent_and_taken_once(
    valkey_port: int, valkey: Any
) -> None:
    async def main() -> None:
        client, clock = valkey(), ManualClock(1_700_000_000)
        async with (
            LossyServer(valkey_port) as server,
            RedisQueueEngine.connect(f"redis://127.0.0.1:{server.port}/0", "q", clock=clock) as engine,
        ):
            await engine.send([])  # the server knows the scripts then
            assert await engine.take(1, owner="me", lease_ms=1_000) == []
            await engine.backlog()
            server.is_lossy = True
            await _lost(engine.send([NewMessage("a", b"", "json", 0, 0)]))
            assert (await engine.backlog()).count == 1
            server.is_lossy = True
            await _lost(engine.take(1, owner="me", lease_ms=1_000))
            clock.advance(2)
            taken = await engine.take(9, owner="you", lease_ms=1_000)
            assert [(message.id, message.attempts) for message in taken] == [("a", 2)]
        await client.aclose()

    asyncio.run(main())
