"""Promises: eager start, inline continuation, and JavaScript's combinators."""

import asyncio

import pytest

from pyworkers.js.objects import JsArray
from pyworkers.js.promise import JsPromise, js_async
from pyworkers.js.realm import REALM, Realm
from pyworkers.js.values import JsException, JsProxy, type_error


async def value_later(value, turns=1):
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


async def fail_later(error):
    await asyncio.sleep(0)
    raise error


def test_a_host_function_runs_at_once_up_to_its_first_suspension():
    async def main():
        steps = []

        async def work():
            steps.append("started")
            await asyncio.sleep(0)
            steps.append("finished")

        promise = JsPromise.run(work())
        steps.append("called")
        await promise
        return steps

    assert asyncio.run(main()) == ["started", "called", "finished"]


def test_what_never_suspends_is_settled_when_the_call_returns():
    async def main():
        return JsPromise.run(value_later(5, turns=0)).is_settled

    assert asyncio.run(main())


def test_a_promise_can_be_awaited_again_and_by_many():
    async def main():
        promise = JsPromise.run(value_later("x", turns=3))
        return await asyncio.gather(*[_await(promise) for _ in range(3)]), await promise

    assert asyncio.run(main()) == (["x", "x", "x"], "x")


async def _await(promise):
    return await promise


def test_a_promise_nobody_awaits_runs_on():
    async def main():
        done = asyncio.Event()

        async def work():
            await asyncio.sleep(0)
            done.set()

        JsPromise.run(work())
        await asyncio.wait_for(done.wait(), 120)

    asyncio.run(main())


def test_cancelling_one_of_several_awaiters_leaves_the_promise_alone():
    async def main():
        promise = JsPromise()
        first, second = asyncio.ensure_future(_await(promise)), asyncio.ensure_future(_await(promise))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        promise.resolve("done")
        return first.cancelled(), await second

    assert asyncio.run(main()) == (True, "done")


def test_cancelling_the_awaiting_task_reaches_the_coroutine():
    async def main():
        reached = []

        async def work():
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                reached.append(True)
                raise

        task = asyncio.ensure_future(_await(JsPromise.run(work())))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return reached

    assert asyncio.run(main()) == [True]


def test_then_catch_and_finally_chain():
    async def main():
        log = []
        value = await (
            JsPromise.run(value_later(1))
            .then(lambda v: v + 1)
            .then(lambda v: value_later(v * 10))
            .finally_(lambda: log.append("finally"))
        )
        caught = await JsPromise.run(fail_later(type_error("no"))).catch(lambda error: error.message)
        return value, caught, log

    assert asyncio.run(main()) == (20, "no", ["finally"])


def test_executor_promises():
    async def main():
        constructor = JsPromise.constructor
        resolved = await constructor.new(lambda resolve, _reject: resolve(3))
        followed = await constructor.new(lambda resolve: resolve(value_later(4)))
        with pytest.raises(JsException) as rejected:
            await constructor.new(lambda _resolve, reject: reject("why"))
        return resolved, followed, str(rejected.value)

    assert asyncio.run(main()) == (3, 4, "Error: why")


def test_combinators():
    async def main():
        promise = JsPromise.constructor
        everything = await promise.all([value_later(1), 2, JsPromise.resolved(3)])
        settled = await promise.allSettled([value_later(1), fail_later(type_error("no"))])
        first = await promise.race([value_later("slow", 5), value_later("fast")])
        some = await promise.any([fail_later(type_error("no")), value_later("ok", 3)])
        with pytest.raises(JsException) as none:
            await promise.any([fail_later(type_error("no"))])
        return (
            everything.to_py(),
            [entry.status for entry in settled],
            first,
            some,
            str(none.value),
        )

    assert asyncio.run(main()) == (
        [1, 2, 3], ["fulfilled", "rejected"], "fast", "ok", "AggregateError: All promises were rejected",
    )  # fmt: skip


def test_an_unhandled_rejection_is_told_to_the_console():
    async def main():
        told = []
        token = REALM.set(Realm(console=lambda level, args: told.append((level, args))))
        JsPromise.run(fail_later(type_error("lost")))
        for _ in range(5):
            await asyncio.sleep(0)
        REALM.reset(token)
        return told

    assert asyncio.run(main()) == [("error", ("Uncaught (in promise) TypeError: lost",))]


def test_async_methods_drop_extra_arguments_and_take_keywords_as_an_object():
    class Probe(JsProxy):
        @js_async
        async def get(self, key=None, options=None):
            return JsArray([key, options])

    async def main():
        with_keywords = await Probe().get("k", type="json")
        extra = await Probe().get("k", None, "dropped")
        return with_keywords.to_py(), extra.to_py()

    assert asyncio.run(main()) == (["k", {"type": "json"}], ["k", None])


def test_a_promise_may_wait_for_what_others_await():
    async def main():
        future = asyncio.get_running_loop().create_future()
        promise = JsPromise.constructor.resolve(future)
        other = JsPromise.constructor.resolve(future)
        asyncio.get_running_loop().call_later(0, future.set_result, 5)
        return [await future, await promise, await other, await future]

    assert asyncio.run(main()) == [5, 5, 5, 5]


@pytest.mark.parametrize("inline", [True, False])
def test_a_promise_ends_for_all_who_wait_whatever_its_code_raises(inline):
    class Ended(BaseException):
        """As SystemExit, which would end the loop, too."""

    async def main():
        promise = JsPromise.run(fail_later(Ended()))

        async def wait():
            await promise

        if not inline:
            await asyncio.sleep(0)  # a task of its own carries it on
        ended = await asyncio.gather(*(wait() for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in ended] == [Ended] * 3

    asyncio.run(asyncio.wait_for(main(), 10))
