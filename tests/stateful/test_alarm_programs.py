"""Random programs against the alarms of three Durable Objects and a plain-Python model of them.

Alarms are set, moved and removed, inside transactions and handlers too; handlers succeed, fail and reset their object;
objects leave the memory, and the whole runtime ends and begins again on the same files.

`PYWORKERS_PROGRAMS` says how many are run; 200 where it is not set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import MANY, PROGRAMS, STEPS, collect_before, worker_in

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.js.primitives import jsnull
from pyworkers.js.values import JsException
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

OBJECTS = 3
RETRIES = 6
AGAIN_MS = 1_500

HANDLERS = ("succeed", "fail", "reset", "set again", "remove", "set again and fail", "remove and fail")

objects = st.integers(0, OBJECTS - 1)
times = st.integers(-2_000, 20_000)
steps = st.one_of(
    st.tuples(st.just("set"), objects, times),
    st.tuples(st.just("remove"), objects, st.none()),
    st.tuples(st.just("look"), objects, st.none()),
    st.tuples(st.just("set and fail"), objects, times),
    st.tuples(st.just("set and reset"), objects, times),
    st.tuples(st.just("remove and roll back"), objects, st.none()),
    st.tuples(st.just("set in a transaction"), objects, times),
    st.tuples(st.just("handler"), objects, st.sampled_from(HANDLERS)),
    st.tuples(st.just("advance"), st.integers(0, 12), st.none()),
    st.tuples(st.just("advance"), st.integers(0, 90), st.none()),
    st.tuples(st.sampled_from(["evict", "evict", "evict", "restart"]), st.none(), st.none()),
)


@dataclass
class Alarm:
    """What an object's alarm should be.

    Attributes:
        time_ms: what it was set to; None where there is none.
        due_ms: when its handler runs next.
        attempts: how often that has failed.
    """

    time_ms: int | None = None
    due_ms: int = 0
    attempts: int = 0
    handler: str = "succeed"

    def set(self, time_ms: int | None) -> None:
        self.time_ms, self.due_ms, self.attempts = time_ms, time_ms or 0, 0

    def fire(self, now_ms: int) -> None:
        """Do what the handler does, and what becomes of the alarm then."""
        if "set again" in self.handler:
            self.set(now_ms + AGAIN_MS)
        elif self.handler in ("fail", "reset") and self.attempts < RETRIES:
            self.due_ms, self.attempts = now_ms + (2_000 << self.attempts), self.attempts + 1
        else:
            self.set(None)


@dataclass
class Model:
    """What the objects should be; ``fired``: when a handler ran, whose, for what time, after how many failures."""

    now_ms: int
    alarms: list[Alarm] = field(default_factory=lambda: [Alarm() for _ in range(OBJECTS)])
    fired: list[tuple[int, int, int, int]] = field(default_factory=list)

    def go_to(self, now_ms: int) -> None:
        """Time passes; every alarm fires at its time."""
        while True:
            due = [(alarm.due_ms, number) for number, alarm in enumerate(self.alarms) if alarm.time_ms is not None]
            if not due or min(due)[0] > now_ms:
                break
            due_ms, number = min(due)
            alarm = self.alarms[number]
            self.now_ms = max(self.now_ms, due_ms)
            self.fired.append((self.now_ms, number, alarm.time_ms or 0, alarm.attempts))
            alarm.fire(self.now_ms)
        self.now_ms = now_ms


class System:
    """The objects, in a runtime that programs share and may end."""

    def __init__(self, runner: asyncio.Runner, folder: Path) -> None:
        self.runner = runner
        self.folder = folder
        self.clock = ManualClock()
        self.count = 0
        self.model = Model(self.clock.now_ms())
        self.fired: list[tuple[int, int, int, int]] = []

    async def start(self) -> None:
        project = load_project(self.folder, [self.folder / "wrangler.toml"], environ={})
        self.runtime = Runtime(project, Stores(self.folder / "state", project, self.clock), clock=self.clock)
        await self.runtime.__aenter__()
        self.code = self.runtime.primary.namespace.import_module("entry").CODE
        self.code["alarm"] = self.alarm

    async def run(self, program: list[tuple[Any, ...]]) -> None:
        collect_before(self.count)
        self.count += 1
        self.model, self.fired = Model(self.clock.now_ms()), []
        for number, (kind, *args) in enumerate(program):
            where = f"step {number} of {program}"
            seen = await self.step(kind, *args)
            expected = self.step_of_model(kind, *args)
            assert seen == expected, where
            await self.clock.settle()
            self.model.go_to(self.clock.now_ms())
            # Alarms of one moment are fired together.
            assert sorted(self.fired) == sorted(self.model.fired), where
            assert [one[0] for one in self.fired] == [one[0] for one in self.model.fired], where
        for number in range(OBJECTS):
            await self.inside(number, lambda ctx: ctx.storage.deleteAlarm())

    async def alarm(self, ctx: Any, info: Any) -> None:
        """What the class does when an alarm fires."""
        number = int(ctx.id.name.rpartition(" ")[2])
        self.fired.append((self.clock.now_ms(), number, info.scheduledTime, info.retryCount))
        handler = self.model.alarms[number].handler
        assert await ctx.storage.getAlarm() is jsnull  # an alarm whose handler runs is none
        if "set again" in handler:
            await ctx.storage.setAlarm(self.clock.now_ms() + AGAIN_MS)
        if "remove" in handler:
            await ctx.storage.deleteAlarm()
        if "reset" in handler:
            ctx.abort("as the program says")
        if "fail" in handler:
            raise JsException("Error", "as the program says")

    async def inside(self, number: int, function: Any) -> Any:
        async def step(ctx: Any) -> Any:
            result = function(ctx)
            return await result if hasattr(result, "__await__") else result

        self.code["step"] = step
        return await self.runtime.primary.env.DO.getByName(f"program {self.count}, object {number}").step()

    async def step(self, kind: str, which: Any, value: Any) -> Any:
        """Take a step; return what the object said."""
        if kind == "advance":
            self.clock.advance(which)
        elif kind == "evict":
            for one in self.runtime.durable_objects._classes.values():
                one.evict(self.clock.now_s())
        elif kind == "restart":
            await self.runtime.close()
            await self.start()
        elif kind == "look":
            found = await self.inside(which, lambda ctx: ctx.storage.getAlarm())
            return None if found is jsnull else found
        elif kind != "handler":
            try:
                await self.inside(which, lambda ctx: change(ctx, kind, self.clock.now_ms() + (value or 0)))
            except JsException as error:
                return error.message
        return None

    def step_of_model(self, kind: str, which: Any, value: Any) -> Any:
        now_ms = self.model.now_ms
        if kind in ("advance", "evict", "restart"):
            return None
        alarm = self.model.alarms[which]
        if kind == "handler":
            alarm.handler = value
        elif kind == "look":
            return alarm.time_ms
        elif kind == "remove":
            alarm.set(None)
        elif kind in ("set", "set and fail", "set in a transaction"):
            alarm.set(now_ms + max(0, value))
        return "on purpose" if kind in ("set and fail", "set and reset") else None


async def change(ctx: Any, kind: str, time_ms: int) -> None:
    """Change an alarm from within its object."""
    if kind in ("set", "set and fail", "set and reset"):
        await ctx.storage.setAlarm(time_ms)
    elif kind == "remove":
        await ctx.storage.deleteAlarm()
    else:
        await ctx.storage.transaction(lambda txn: transact(txn, kind, time_ms))
    if kind == "set and reset":
        ctx.abort("on purpose")
    if kind == "set and fail":
        raise JsException("Error", "on purpose")


async def transact(txn: Any, kind: str, time_ms: int) -> None:
    if kind == "set in a transaction":
        await txn.setAlarm(time_ms)
    else:
        await txn.deleteAlarm()
        txn.rollback()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("alarms")
    with worker_in(folder), asyncio.Runner() as runner:
        system = System(runner, folder)
        runner.run(system.start())
        try:
            yield system
        finally:
            runner.run(system.runtime.close())


@pytest.mark.timeout(MANY)
@settings(max_examples=PROGRAMS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(program=st.lists(steps, min_size=STEPS, max_size=STEPS))
def test_alarms_fire_as_their_model_says(system: System, program: list[tuple[Any, ...]]) -> None:
    system.runner.run(system.run(program))
