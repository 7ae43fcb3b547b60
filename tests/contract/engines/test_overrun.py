"""What a worker that overruns its CPU time leaves behind in an engine."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pyworkers.engines.kv.protocol import KVEntry, KVWrite
from pyworkers.engines.kv.sqlite_engine import SqliteKVEngine
from pyworkers.js.collections import JsMap
from pyworkers.runtime.events import Event
from pyworkers.runtime.limits import CpuLimitExceeded, Watchdog, may_be_cut


def test_a_worker_that_overruns_leaves_no_transaction_of_an_engine_open(tmp_path: Path) -> None:
    event = Event(SimpleNamespace(config=SimpleNamespace(limits=SimpleNamespace(cpu_ms=1))), "fetch")
    event.cpu_s = 1.0
    began: list[str] = []

    def tick(sql: str, _nanoseconds: int) -> None:
        if sql.startswith("BEGIN"):
            began.append(sql)
            signal.raise_signal(signal.SIGALRM)

    async def handler(engine: SqliteKVEngine) -> None:
        await engine.put_many([KVWrite("a", b"1"), KVWrite("b", b"2")])
        while True:
            signal.raise_signal(signal.SIGALRM)

    async def main() -> None:
        async with SqliteKVEngine(tmp_path / "kv.sqlite") as engine:
            await engine.put("first", b"")
            assert engine._connection is not None
            engine._connection.set_profile(tick)
            event.enter()
            try:
                with pytest.raises(CpuLimitExceeded):
                    await handler(engine)
            finally:
                event.leave()
            assert (began, engine._connection.in_transaction) == (["BEGIN IMMEDIATE"], False)
        async with SqliteKVEngine(tmp_path / "kv.sqlite") as engine:
            assert await engine.get_many(["a", "b"]) == [KVEntry(b"1"), KVEntry(b"2")]

    with Watchdog():
        asyncio.run(main())


def test_code_of_a_worker_is_ended_unless_an_engine_has_called_it() -> None:
    found: list[bool] = []

    def note() -> Iterator[tuple[str, int]]:
        found.append(may_be_cut(sys._getframe()))
        yield "k", 1

    def writes() -> Iterator[KVWrite]:
        found.append(may_be_cut(sys._getframe()))
        yield KVWrite("k", b"")

    async def main() -> None:
        async with SqliteKVEngine() as engine:
            await engine.put_many(writes())

    list(note())
    JsMap(note())
    asyncio.run(main())
    assert found == [True, True, False]
