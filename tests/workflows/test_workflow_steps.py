"""Steps through the official SDK, on a clock that the test moves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from flow_projects import Running, WriteProject, running, turns

from pyworkers.clock import ManualClock

START_S = 1_700_000_000.0


def run(folder: Any, test: Any) -> Any:
    async def go() -> Any:
        clock = ManualClock(START_S)
        async with running(folder, clock) as project:
            return await test(project, clock)

    return asyncio.run(go())


GRAPH = """
@step.do()
async def one():
    ran.append("one")
    return 1

@step.do("second", config={"retries": {"limit": 1, "delay": 1}})
async def two():
    ran.append("two")
    return 2

@step.do(concurrent=True)
async def total(one, second, ctx):
    return {"sum": one + second, "attempt": ctx["attempt"], "step": ctx["step"]["name"]}

return await total()
"""
LEGACY = """
@step.do("one")
async def one():
    return 1

@step.do("two", depends=[one], concurrent=True)
async def two(first, ctx):
    return [first, ctx["step"]["count"]]

return await two()
"""


@pytest.mark.parametrize(
    ("code", "date", "expected"),
    [
        pytest.param(GRAPH, "2026-04-01", {"sum": 3, "attempt": 1, "step": "total"}, id="implicit"),
        pytest.param(LEGACY, "2026-02-01", [1, 1], id="depends"),
    ],
)
def test_steps_depend_on_steps(write_project: WriteProject, code: str, date: str, expected: Any) -> None:
    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create({"params": {"x": 1}})
        await clock.advance(0)
        assert await project.status(instance) == ("complete", expected, None)

    run(write_project(code, date=date), test)


RETRIES = """
attempts = []

@step.do("flaky", config=event["payload"]["config"])
async def flaky():
    import js
    ran.append(js.Date.now() - 1_700_000_000_000)
    if len(ran) < event["payload"]["succeeds_at"]:
        raise ValueError(f"try {len(ran)}")
    return len(ran)

return await flaky()
"""


@pytest.mark.parametrize(
    ("backoff", "times"),
    [
        pytest.param("constant", [0, 2000, 4000, 6000], id="constant"),
        pytest.param("linear", [0, 2000, 6000, 12000], id="linear"),
        pytest.param("exponential", [0, 2000, 6000, 14000], id="exponential"),
    ],
)
def test_attempts_are_as_far_apart_as_configured(write_project: WriteProject, backoff: str, times: list[int]) -> None:
    async def test(project: Running, clock: ManualClock) -> None:
        config = {"retries": {"limit": 3, "delay": "2 seconds", "backoff": backoff}}
        instance = await project.env.WF.create({"params": {"config": config, "succeeds_at": 4}})
        await clock.advance(60)
        assert project.ran == times
        assert await project.status(instance) == ("complete", 4, None)

    run(write_project(RETRIES), test)


def test_default_configuration_tries_six_times(write_project: WriteProject) -> None:
    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create({"params": {"config": {}, "succeeds_at": 99}})
        await clock.advance(30.9)
        assert (await project.status(instance))[0] == "running"
        await clock.advance(0.1)
        assert project.ran == [0, 1000, 3000, 7000, 15000, 31000]
        status, output, error = await project.status(instance)
        assert (status, output, error[0]) == ("errored", None, "PythonError")
        assert error[1].endswith("ValueError: try 6\n")

    run(write_project(RETRIES), test)


def test_step_that_takes_too_long_is_tried_again(write_project: WriteProject) -> None:
    code = """
    @step.do("slow", config={"timeout": "5 seconds", "retries": {"limit": 1, "delay": "1 second"}})
    async def slow(ctx):
        ran.append(ctx["attempt"])
        if ctx["attempt"] == 1:
            await asyncio.Event().wait()
        return "in time"

    return await slow()
    """

    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create()
        await clock.advance(5)
        assert project.ran == [1]
        await clock.advance(1)
        assert project.ran == [1, 2]
        assert await project.status(instance) == ("complete", "in time", None)

    run(write_project(_dedent(code)), test)


def test_error_that_is_not_retryable_is_not_tried_again(write_project: WriteProject) -> None:
    code = """
    @step.do("pay")
    async def pay():
        ran.append("pay")
        raise NonRetryableError("no money")

    try:
        await pay()
    except NonRetryableError as error:
        return f"caught {error}"
    """

    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create()
        await clock.advance(0)
        assert project.ran == ["pay"]
        assert await project.status(instance) == ("complete", "caught no money", None)

    run(write_project(_dedent(code)), test)


def test_sleeps_and_waits_follow_the_clock(write_project: WriteProject) -> None:
    code = """
    from datetime import datetime, timedelta, timezone
    import js
    now = lambda: js.Date.now() - 1_700_000_000_000
    await step.sleep("nap", "10 seconds")
    ran.append(now())
    await step.sleep("nap", 500)
    ran.append(now())
    await step.sleep_until("date", js.Date.new(1_700_000_020_000))
    ran.append(now())
    event = await step.wait_for_event("approval", "approved", timeout="1 minute")
    ran.append([now(), event["payload"], event["type"]])
    try:
        await step.wait_for_event("other", "never", timeout="1 minute")
    except Exception as error:
        ran.append([now(), str(error)])
    return len(ran)
    """

    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create()
        await clock.advance(9.999)
        assert project.ran == []
        await clock.advance(15)
        assert project.ran == [10000, 10500, 20000]
        await instance.send_event({"type": "approved", "payload": {"by": "me"}})
        await clock.advance(100)
        assert project.ran[3:] == [
            [24999, {"by": "me"}, "approved"],
            [84999, "Error: WorkflowTimeoutError: Execution timed out after 60000ms"],
        ]
        assert await project.status(instance) == ("complete", 5, None)

    run(write_project(_dedent(code)), test)


def test_parallel_steps_wait_for_their_own_times(write_project: WriteProject) -> None:
    code = """
    async def branch(name, seconds):
        await step.sleep(name, f"{seconds} seconds")
        ran.append(name)
        return name

    return await asyncio.gather(branch("late", 20), branch("early", 10))
    """

    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create()
        await clock.advance(10)
        assert project.ran == ["early"]
        await clock.advance(10)
        assert project.ran == ["early", "late"]
        assert await project.status(instance) == ("complete", ["late", "early"], None)

    run(write_project(_dedent(code)), test)


def test_run_that_fails_keeps_its_traceback(write_project: WriteProject) -> None:
    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create()
        await clock.advance(0)
        status, output, error = await project.status(instance)
        assert (status, output, error[0]) == ("errored", None, "PythonError")
        assert 'entry.py", line 14, in run' in error[1]
        assert error[1].endswith("\nKeyError: 'missing'\n")

    run(write_project('raise KeyError("missing")'), test)


def test_step_limit_of_the_configuration(write_project: WriteProject) -> None:
    code = """
    @step.do("one")
    async def one():
        return 1

    await one()
    await one()
    try:
        await one()
    except Exception as error:
        return str(error)
    """

    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create()
        await clock.advance(0)
        text = (
            "Error: WorkflowFatalError: The limit of 2 steps has been reached. "
            "This limit can be changed in your worker configuration."
        )
        assert await project.status(instance) == ("complete", text, None)

    run(write_project(_dedent(code), more=", limits = { steps = 2 }"), test)


def test_run_sync_and_bindings_work_inside_a_step(write_project: WriteProject) -> None:
    code = """
    from pyodide.ffi import run_sync

    @step.do("store")
    async def store():
        run_sync(self.env.KV.put("k", event["instanceId"]))
        return await self.env.KV.get("k")

    return await store()
    """
    kv = '\n[[kv_namespaces]]\nbinding = "KV"\nid = "k"\n'

    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create({"id": "i1"})
        await clock.advance(0)
        assert await project.status(instance) == ("complete", "i1", None)

    run(write_project(_dedent(code), extra=kv), test)


def test_details_tell_of_every_attempt(write_project: WriteProject) -> None:
    async def test(project: Running, clock: ManualClock) -> None:
        config = {"retries": {"limit": 1, "delay": "2 seconds"}}
        instance = await project.env.WF.create({"id": "i1", "params": {"config": config, "succeeds_at": 2}})
        await clock.advance(2)
        assert (await project.status(instance))[0] == "complete"
        text = await project.details("i1")
        assert '"status":"complete"' in text
        assert '"queued":"2023-11-14T22:13:20.000Z","start":"2023-11-14T22:13:20.000Z"' in text
        assert '"name":"flaky-1","start":"2023-11-14T22:13:20.000Z","end":"2023-11-14T22:13:22.000Z"' in text
        assert '"success":false,"error":{"name":"PythonError"' in text
        assert '"start":"2023-11-14T22:13:22.000Z","end":"2023-11-14T22:13:22.000Z","success":true,"error":null' in text

    run(write_project(RETRIES), test)


def test_status_is_running_right_after_create(write_project: WriteProject) -> None:
    async def test(project: Running, _clock: ManualClock) -> None:
        instance = await project.env.WF.create()
        assert await project.status(instance) == ("running", None, None)
        await turns()
        assert await project.status(instance) == ("complete", None, None)

    run(write_project("return None"), test)


def _dedent(code: str) -> str:
    return "\n".join(line[4:] for line in code.strip("\n").splitlines())
