"""A clock that is moved goes from timer to timer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pyworkers.clock import ManualClock

START_S = 1_700_000_000.0


def run(test: Callable[[ManualClock, list[Any]], Awaitable[None]]) -> list[Any]:
    seen: list[Any] = []

    async def go() -> None:
        await test(ManualClock(START_S), seen)

    asyncio.run(go())
    return seen


def at(clock: ManualClock, offset_ms: int, seen: list[Any], name: str) -> None:
    clock.call_at(int(START_S * 1000) + offset_ms, lambda: seen.append((name, clock.now_ms() - int(START_S * 1000))))


def test_each_timer_happens_at_its_own_time() -> None:
    async def test(clock: ManualClock, seen: list[Any]) -> None:
        for offset_ms, name in ((2003, "later"), (1001, "sooner"), (9000, "too late")):
            at(clock, offset_ms, seen, name)
        clock.advance(5)
        assert clock.now_s() == START_S + 5

    assert run(test) == [("sooner", 1001), ("later", 2003)]


def test_what_work_sets_a_timer_for_happens_at_its_time() -> None:
    async def test(clock: ManualClock, seen: list[Any]) -> None:
        async def work() -> None:
            await asyncio.sleep(0)
            at(clock, 3000, seen, "set by the work")

        clock.call_at(int(START_S * 1000) + 1000, lambda: asyncio.ensure_future(work()))
        at(clock, 4000, seen, "set before")
        await clock.advance(10)
        assert clock.now_s() == START_S + 10

    assert run(test) == [("set by the work", 3000), ("set before", 4000)]


def test_clock_gets_there_though_nobody_awaits_the_move() -> None:
    async def test(clock: ManualClock, seen: list[Any]) -> None:
        clock.call_at(int(START_S * 1000) + 1000, lambda: asyncio.ensure_future(asyncio.sleep(0)))
        clock.advance(10)
        assert clock.now_s() == START_S + 1
        await clock.settle()
        assert clock.now_s() == START_S + 10

    assert run(test) == []


def test_cancelled_timer_is_not_stopped_at() -> None:
    async def test(clock: ManualClock, seen: list[Any]) -> None:
        timer = clock.call_at(int(START_S * 1000) + 500, lambda: seen.append("cancelled"))
        at(clock, 600, seen, "kept")
        timer.cancel()
        await clock.advance(1)

    assert run(test) == [("kept", 600)]


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="a clock moves forward only, not by -1 s"):
        ManualClock().advance(-1)
