"""Random programs against a Durable Object and a plain-Python model of it: storage, SQL, transactions, alarms.

`PYWORKERS_PROGRAMS` says how many are run; 200 where it is not set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import MANY, PROGRAMS, STEPS, collect_before, worker_in

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.values import JsException, JsObject
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

RETRIES = 6

keys = st.sampled_from(["a", "ab", "b", "c", "é", "B"])
values = st.one_of(st.integers(-(2**40), 2**40), st.text(max_size=6), st.booleans())
bounds = st.fixed_dictionaries(
    {},
    optional={
        "start": keys,
        "end": keys,
        "prefix": st.sampled_from(["a", "b", ""]),
        "reverse": st.booleans(),
        "limit": st.integers(1, 4),
    },
)
writes = st.one_of(
    st.tuples(st.just("put"), keys, values),
    st.tuples(st.just("put many"), st.dictionaries(keys, values, max_size=4)),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("insert"), st.integers(0, 9)),
    st.tuples(st.just("remove"), st.integers(0, 9)),
    st.tuples(st.just("set alarm"), st.integers(-2_000, 20_000)),
    st.tuples(st.just("delete alarm")),
)
steps = st.one_of(
    writes,
    st.tuples(st.just("get"), keys),
    st.tuples(st.just("get many"), st.lists(keys, max_size=4)),
    st.tuples(st.just("list"), bounds),
    st.tuples(st.just("rows")),
    st.tuples(st.just("get alarm")),
    st.tuples(st.just("transaction"), st.lists(writes, max_size=3), st.sampled_from(["keep", "roll back", "throw"])),
    st.tuples(st.just("transaction sync"), st.lists(writes, max_size=3), st.sampled_from(["keep", "throw"])),
    st.tuples(st.just("fail after"), st.lists(writes, max_size=2)),
    st.tuples(st.just("abort after"), st.lists(writes, max_size=2)),
    st.tuples(st.just("delete all")),
    st.tuples(st.just("evict")),
    st.tuples(st.just("advance"), st.integers(0, 30)),
    st.tuples(st.just("handler"), st.sampled_from(["succeed", "fail", "set again"])),
)


class Model:
    """What an object should be."""

    def __init__(self, now_ms: int) -> None:
        self.pairs: dict[str, Any] = {}
        self.rows: list[int] = []
        self.alarm: int | None = None
        self.retry: tuple[int, int] | None = None  # when, and how often it has failed
        self.handler = "succeed"
        self.fired: list[tuple[int, int]] = []
        self.now_ms = now_ms

    def copy(self) -> tuple[Any, ...]:
        return dict(self.pairs), list(self.rows), self.alarm, self.retry

    def restore(self, kept: tuple[Any, ...]) -> None:
        self.pairs, self.rows, self.alarm, self.retry = dict(kept[0]), list(kept[1]), kept[2], kept[3]

    def write(self, step: tuple[Any, ...]) -> None:
        kind, *args = step
        if kind == "put":
            self.pairs[args[0]] = args[1]
        elif kind == "put many":
            self.pairs.update(args[0])
        elif kind == "delete":
            self.pairs.pop(args[0], None)
        elif kind == "insert":
            self.rows.append(args[0])
        elif kind == "remove":
            self.rows = [row for row in self.rows if row != args[0]]
        elif kind == "set alarm":
            self.alarm, self.retry = max(self.now_ms, self.now_ms + args[0]), None
        elif kind == "delete alarm":
            self.alarm = self.retry = None

    def listed(self, options: dict[str, Any]) -> list[tuple[str, Any]]:
        found = sorted(self.pairs.items(), key=lambda pair: pair[0].encode())
        if "start" in options:
            found = [pair for pair in found if pair[0].encode() >= options["start"].encode()]
        if "end" in options:
            found = [pair for pair in found if pair[0].encode() < options["end"].encode()]
        found = [pair for pair in found if pair[0].startswith(options.get("prefix", ""))]
        if options.get("reverse"):
            found.reverse()
        return found[: options.get("limit")]

    def go_to(self, now_ms: int) -> None:
        """Time passes; everything that becomes due happens at its time."""
        while self.alarm is not None:
            due, attempts = self.retry or (self.alarm, 0)
            if due > now_ms:
                break
            self.now_ms = max(self.now_ms, due)
            self.fired.append((self.alarm, attempts))
            if self.handler == "fail":
                if attempts >= RETRIES:
                    self.alarm = self.retry = None
                else:
                    self.retry = self.now_ms + (2_000 << attempts), attempts + 1
            elif self.handler == "set again":
                self.alarm, self.retry = self.now_ms + 1_000, None
            else:
                self.alarm = self.retry = None
        self.now_ms = now_ms


class System:
    """The objects, in a runtime that all programs share."""

    def __init__(self, runner: asyncio.Runner, runtime: Runtime, clock: ManualClock) -> None:
        self.runner = runner
        self.runtime = runtime
        self.clock = clock
        self.code = runtime.primary.namespace.import_module("entry").CODE
        self.count = 0

    def stub(self) -> Any:
        return self.runtime.primary.env.DO.getByName(f"object {self.count}")

    async def run(self, program: list[tuple[Any, ...]]) -> None:
        collect_before(self.count)
        self.count += 1
        name = f"object {self.count}"
        model = Model(self.clock.now_ms())
        fired: list[tuple[int, int]] = []

        async def alarm(ctx: Any, info: Any) -> None:
            if ctx.id.name != name:
                return
            fired.append((info.scheduledTime, info.retryCount))
            if model.handler == "fail":
                raise JsException("Error", "as the program says")
            if model.handler == "set again":
                await ctx.storage.setAlarm(self.clock.now_ms() + 1_000)

        self.code["alarm"] = alarm
        await self.inside(lambda ctx: sql(ctx, "CREATE TABLE t (v INTEGER)"))
        for number, step in enumerate(program):
            where = f"step {number} of {program}"
            seen, expected = await self.step(model, step)
            assert seen == expected, where
            await self.clock.settle()
            model.go_to(self.clock.now_ms())
            assert fired == model.fired, where
        await self.inside(lambda ctx: ctx.storage.deleteAll())

    async def inside(self, function: Any) -> Any:
        results: list[Any] = []

        async def step(ctx: Any) -> None:
            result = function(ctx)
            results.append(await result if hasattr(result, "__await__") else result)

        self.code["step"] = step
        await self.stub().step()
        return results[0]

    async def step(self, model: Model, step: tuple[Any, ...]) -> tuple[Any, Any]:
        """Take one step; return what the object said, and what it should have."""
        kind, *args = step
        if kind == "advance":
            self.clock.advance(args[0])
            return None, None
        if kind == "handler":
            model.handler = args[0]
            return None, None
        if kind == "evict":
            for objects in self.runtime.durable_objects._classes.values():
                objects.evict(self.clock.now_s())
            return None, None
        if kind == "delete all":
            await self.inside(lambda ctx: ctx.storage.deleteAll())
            await self.inside(lambda ctx: sql(ctx, "CREATE TABLE t (v INTEGER)"))
            model.pairs, model.rows, model.alarm, model.retry = {}, [], None, None
            return None, None
        if kind in ("transaction", "transaction sync", "fail after", "abort after"):
            return await self.compound(model, kind, *args)
        if kind in ("get", "get many", "list", "rows", "get alarm"):
            return await self.inside(lambda ctx: read(ctx, step)), expected_read(model, step)
        await self.inside(lambda ctx: write(ctx, step))
        model.write(step)
        return None, None

    async def compound(self, model: Model, kind: str, inner: list[Any], end: str = "throw") -> tuple[Any, Any]:
        kept = model.copy()
        for one in inner:
            model.write(one)
        if kind != "fail after" and end != "keep":
            model.restore(kept)
        bodies = {
            "transaction": transact,
            "transaction sync": transact_sync,
            "fail after": fail_after,
            "abort after": abort_after,
        }
        try:
            await self.inside(lambda ctx: bodies[kind](ctx, inner, end))
        except JsException as error:
            return error.message, "on purpose" if end == "throw" else None
        return None, "on purpose" if end == "throw" else None


def sql(ctx: Any, text: str, *params: Any) -> Any:
    return ctx.storage.sql.exec(text, *params).toArray()


async def write(ctx: Any, step: tuple[Any, ...]) -> None:
    await apply(ctx, ctx.storage, step)


async def apply(ctx: Any, target: Any, step: tuple[Any, ...]) -> None:
    kind, *args = step
    if kind == "put":
        await target.put(*args)
    elif kind == "put many":
        await target.put(JsObject(args[0]))
    elif kind == "delete":
        await target.delete(args[0])
    elif kind == "insert":
        sql(ctx, "INSERT INTO t VALUES (?)", args[0])
    elif kind == "remove":
        sql(ctx, "DELETE FROM t WHERE v = ?", args[0])
    elif kind == "set alarm":
        await target.setAlarm(ctx._host.clock.now_ms() + args[0])
    else:
        await target.deleteAlarm()


async def transact(ctx: Any, inner: list[Any], end: str) -> None:
    async def closure(txn: Any) -> None:
        for step in inner:
            await apply(ctx, txn, step)
            await asyncio.sleep(0)
        if end == "throw":
            raise JsException("Error", "on purpose")
        if end == "roll back":
            txn.rollback()

    await ctx.storage.transaction(closure)


def transact_sync(ctx: Any, inner: list[Any], end: str) -> None:
    def closure() -> None:
        for step in inner:
            run_at_once(apply(ctx, ctx.storage, step))
        if end == "throw":
            raise JsException("Error", "on purpose")

    ctx.storage.transactionSync(closure)


def run_at_once(coroutine: Any) -> None:
    with pytest.raises(StopIteration):
        coroutine.send(None)


async def fail_after(ctx: Any, inner: list[Any], _end: str) -> None:
    for step in inner:
        await apply(ctx, ctx.storage, step)
    raise JsException("Error", "on purpose")


async def abort_after(ctx: Any, inner: list[Any], _end: str) -> None:
    for step in inner:
        await apply(ctx, ctx.storage, step)
    ctx.abort("on purpose")


async def read(ctx: Any, step: tuple[Any, ...]) -> Any:
    kind, *args = step
    storage = ctx.storage
    if kind == "get":
        return await storage.get(args[0])
    if kind == "get many":
        return list((await storage.get(JsArray(args[0]))).entries_.items())
    if kind == "list":
        return list((await storage.list(JsObject(args[0]))).entries_.items())
    if kind == "rows":
        return [row.v for row in sql(ctx, "SELECT v FROM t ORDER BY rowid")]
    found = await storage.getAlarm()
    return None if found is jsnull else found


def expected_read(model: Model, step: tuple[Any, ...]) -> Any:
    kind, *args = step
    if kind == "get":
        return model.pairs.get(args[0])
    if kind == "get many":
        return [pair for pair in model.listed({}) if pair[0] in args[0]]
    if kind == "list":
        return model.listed(args[0])
    return list(model.rows) if kind == "rows" else model.alarm


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("programs")
    clock = ManualClock()
    with worker_in(folder), asyncio.Runner() as runner:
        project = load_project(folder, [folder / "wrangler.toml"])
        stores = Stores(None, project, clock, scratch_dir=folder / "state")
        runtime = Runtime(project, stores, clock=clock)
        runner.run(runtime.__aenter__())
        try:
            yield System(runner, runtime, clock)
        finally:
            runner.run(runtime.close())


@pytest.mark.timeout(MANY)
@settings(
    max_examples=PROGRAMS,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(program=st.lists(steps, min_size=STEPS, max_size=STEPS))
def test_an_object_is_what_its_model_says(system: System, program: list[tuple[Any, ...]]) -> None:
    system.runner.run(system.run(program))
