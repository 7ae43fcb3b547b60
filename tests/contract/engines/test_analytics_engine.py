"""The laws of Analytics Engine engines, each under its own words, on every engine."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pyworkers.engines.analytics import ENGINES, AnalyticsEngine, DataPoint
from pyworkers.engines.analytics.sqlite_engine import SqliteAnalyticsEngine
from pyworkers.engines.sqlite import open_database
from pyworkers.errors import EngineBusy, EngineClosed, EngineError

Open = Callable[[], AnalyticsEngine]
Program = Callable[[AnalyticsEngine], Awaitable[None]]
FULL = DataPoint(
    "d",
    1_700_000_000_123,
    "i",
    tuple(f"b{n}" for n in range(20)),
    tuple(float(n) for n in range(20)),
    sample_interval=2,
)


@pytest.fixture(params=["sqlite", "sqlite-memory"])
def open_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    path = tmp_path / "ae" / "analytics.sqlite" if request.param == "sqlite" else None
    return lambda: SqliteAnalyticsEngine(path)


def run(open_engine: Open, program: Program) -> None:
    async def main() -> None:
        async with open_engine() as engine:
            await program(engine)

    asyncio.run(main())


def test_a_write_returns_at_once_and_the_point_is_there_after_a_flush(open_engine: Open) -> None:
    async def program(engine: AnalyticsEngine) -> None:
        engine.write(FULL)
        await engine.flush()
        await engine.flush()
        assert await engine.read("d") == [FULL]

    run(open_engine, program)


def test_points_of_a_dataset_are_read_in_the_order_in_which_they_were_written(open_engine: Open) -> None:
    async def program(engine: AnalyticsEngine) -> None:
        for number in range(500):
            engine.write(DataPoint("d", 1000 - number, str(number)))
            if number % 7 == 0:
                await asyncio.sleep(0)
        assert [point.index for point in await engine.read("d")] == [str(number) for number in range(500)]

    run(open_engine, program)


def test_a_blob_that_was_left_out_reads_as_the_empty_text_a_double_as_0(open_engine: Open) -> None:
    async def program(engine: AnalyticsEngine) -> None:
        engine.write(DataPoint("d", 5, blobs=(None, b"\x00\xff", "x"), doubles=(1.5,)))
        expected = DataPoint("d", 5, "", ("", b"\x00\xff", "x", *[""] * 17), (1.5, *[0.0] * 19))
        assert await engine.read("d") == [expected]

    run(open_engine, program)


def test_a_double_that_is_no_number_reads_as_nan(open_engine: Open) -> None:
    async def program(engine: AnalyticsEngine) -> None:
        engine.write(DataPoint("d", 5, doubles=(math.nan, math.inf)))
        (point,) = await engine.read("d")
        assert math.isnan(point.doubles[0])
        assert point.doubles[1:] == (math.inf, *[0.0] * 18)

    run(open_engine, program)


def test_datasets_are_apart(open_engine: Open) -> None:
    async def program(engine: AnalyticsEngine) -> None:
        engine.write(DataPoint("a", 1))
        engine.write(DataPoint("b", 2))
        assert [point.timestamp_ms for point in await engine.read("a")] == [1]
        assert [point.timestamp_ms for point in await engine.read("b")] == [2]
        assert await engine.read("c") == []

    run(open_engine, program)


def test_what_was_flushed_is_there_after_the_engine_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "analytics.sqlite"

    async def write(engine: AnalyticsEngine) -> None:
        engine.write(FULL)

    async def read(engine: AnalyticsEngine) -> None:
        assert await engine.read("d") == [FULL]
        other = sqlite3.connect(path)
        assert other.execute("SELECT index1, blob2, double3, _sample_interval FROM points").fetchall() == [
            ("i", "b1", 2.0, 2)
        ]
        other.close()

    run(lambda: SqliteAnalyticsEngine(path), write)
    run(lambda: SqliteAnalyticsEngine(path), read)


def test_close_flushes_is_idempotent_and_every_use_after_it_raises_engine_closed(open_engine: Open) -> None:
    async def main() -> None:
        engine = open_engine()
        engine.write(FULL)
        await engine.close()
        await engine.close()
        with pytest.raises(EngineClosed, match="the Analytics Engine is closed"):
            engine.write(FULL)
        with pytest.raises(EngineClosed):
            await engine.read("d")

    asyncio.run(main())


def test_a_storage_failure_is_raised_by_the_next_flush(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def program(engine: AnalyticsEngine) -> None:
        engine.write(FULL)
        with pytest.raises(EngineError, match="cannot be made: Not a directory"):
            await engine.flush()
        await engine.flush()

    run(lambda: SqliteAnalyticsEngine(tmp_path / "file" / "x" / "a.sqlite"), program)


def test_points_that_met_a_lock_of_another_process_are_stored_after_it_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, path = "pyworkers.engines.analytics.sqlite_engine", tmp_path / "analytics.sqlite"
    monkeypatch.setattr(f"{module}.open_database", partial(open_database, busy_timeout_ms=0))

    async def main() -> None:
        async with SqliteAnalyticsEngine(path) as engine:
            engine.write(replace(FULL, index="before"))
            await engine.flush()
            other = open_database(path)
            other.execute("BEGIN IMMEDIATE")
            for index in ("first", "second"):
                engine.write(replace(FULL, index=index))
                with pytest.raises(EngineBusy) as raised:
                    await engine.flush()
                assert raised.value.message == f"{path} is locked by another process"
            other.execute("COMMIT")
            other.close()
            assert [point.index for point in await engine.read("d")] == ["before", "first", "second"]

    asyncio.run(main())


def test_the_table_names_classes_that_exist() -> None:
    assert ENGINES == {"sqlite": "pyworkers.engines.analytics.sqlite_engine:SqliteAnalyticsEngine"}
