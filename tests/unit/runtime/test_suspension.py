"""run_sync on the stock event loop."""

import asyncio
import contextvars
import gc
import weakref

import pytest
from greenlet import getcurrent

from pyworkers.pyodide.suspension import MAX_IDLE, can_run_sync, run_suspendable, run_sync, suspendable

variable = contextvars.ContextVar("variable", default="unset")


async def value_later(value, delay=0.0):
    await asyncio.sleep(delay)
    return value


def test_run_sync_waits_at_any_depth_of_plain_calls():
    def deep(n):
        return run_sync(value_later("deep")) if n == 0 else deep(n - 1)

    async def handler():
        return deep(50), await value_later("awaited"), run_sync(value_later("again"))

    assert asyncio.run(run_suspendable(handler())) == ("deep", "awaited", "again")


def test_other_tasks_run_while_run_sync_waits():
    waiting = []

    async def main():
        all_wait = asyncio.Event()

        async def handler(n):
            waiting.append(n)
            if len(waiting) == 50:  # one after another they would not come this far
                all_wait.set()
            run_sync(all_wait.wait())
            return n

        return await asyncio.wait_for(asyncio.gather(*[run_suspendable(handler(n)) for n in range(50)]), 120)

    assert asyncio.run(main()) == waiting == list(range(50))


def test_an_error_of_the_awaitable_is_raised_by_run_sync():
    async def fail():
        await asyncio.sleep(0)
        raise KeyError("k")

    async def handler():
        try:
            run_sync(fail())
        except KeyError as error:
            return f"caught {error}"

    assert asyncio.run(run_suspendable(handler())) == "caught 'k'"


def test_outside_of_a_handler_there_is_no_suspender():
    async def main():
        coroutine = value_later(1)
        with pytest.raises(RuntimeError, match=r"^No suspender$"):
            run_sync(coroutine)
        coroutine.close()
        return can_run_sync()

    assert asyncio.run(main()) is False


def test_cancellation_reaches_code_that_waits_in_run_sync():
    async def main():
        seen = []

        async def handler():
            try:
                run_sync(asyncio.get_running_loop().create_future())
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        task = asyncio.ensure_future(run_suspendable(handler()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    assert asyncio.run(main()) == ["cancelled"]


def test_a_handler_sees_its_own_context_on_both_sides_of_a_wait():
    async def handler():
        before = variable.get()
        run_sync(asyncio.sleep(0))
        between = variable.get()
        await asyncio.sleep(0)
        variable.set("changed")
        run_sync(asyncio.sleep(0))
        return before, between, variable.get()

    async def main():
        context = contextvars.copy_context()
        context.run(variable.set, "inner")
        result = await suspendable(handler(), context=context)
        return result, variable.get(), context[variable]

    assert asyncio.run(main()) == (("inner", "inner", "changed"), "unset", "changed")


def test_handlers_nest_and_each_suspends_its_own_part():
    async def inner(n):
        run_sync(asyncio.sleep(0))
        return n * 2

    async def outer():
        first = await run_suspendable(inner(1))
        second = run_sync(run_suspendable(inner(2)))
        run_sync(asyncio.sleep(0))
        return first, second

    assert asyncio.run(run_suspendable(outer())) == (2, 4)


def test_closing_an_unfinished_handler_runs_its_finally():
    async def main():
        log = []

        async def handler():
            try:
                await asyncio.sleep(3600)
            finally:
                log.append("closed")

        steps = suspendable(handler())
        steps.send(None)
        steps.close()
        return log

    assert asyncio.run(main()) == ["closed"]


def test_the_meter_is_told_of_every_stretch():
    class Meter:
        def __init__(self):
            self.log = []

        def enter(self):
            self.log.append("in")

        def leave(self):
            self.log.append("out")

    async def handler():
        run_sync(asyncio.sleep(0))
        await asyncio.sleep(0)

    async def main():
        meter = Meter()
        await suspendable(handler(), meter=meter)
        return meter.log

    # Three stretches of the handler, and two of what it waits for in run_sync.
    assert asyncio.run(main()) == ["in", "out"] * 5


def test_what_ran_many_at_once_is_freed_but_for_a_few():
    made = weakref.WeakSet()

    async def handler():
        made.add(getcurrent())
        await asyncio.sleep(0)

    async def main():
        for _ in range(2):
            await asyncio.gather(*[run_suspendable(handler()) for _ in range(4 * MAX_IDLE)])
        gc.collect()
        return len(made)

    assert asyncio.run(main()) <= MAX_IDLE
