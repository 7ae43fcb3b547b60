"""Instances over their lives: paused, restarted, resumed by the next process, reloaded, in another worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from flow_projects import HEAD, Running, WriteProject, indented, running, turns

from pyworkers.clock import ManualClock

Test = Callable[[Running, ManualClock], Awaitable[None]]
THREE_STEPS = """
async def note(name):
    ran.append(name)
    return name

@step.do("first")
async def first(ctx):
    return await note(f"first {ctx['attempt']}")

@step.do("second")
async def second(ctx):
    ran.append(f"second {ctx['attempt']}")
    if event["payload"].get("hangs") and ctx["attempt"] == 1:
        await asyncio.Event().wait()
    return "second"

one = await first()
await step.sleep("between", "1 hour")
two = await second()
event = await step.wait_for_event("go", "go", timeout="1 day")
return [one, two, event["payload"]]
"""


def run(folder: Path, *tests: Test) -> None:
    """Run tests one after another, each in a process of its own as far as a project can tell; the clock goes on."""
    clock = ManualClock()

    async def go(test: Test) -> None:
        async with running(folder, clock, state=folder / "state") as project:
            await test(project, clock)

    for test in tests:
        asyncio.run(go(test))


def test_instance_goes_on_after_a_restart_and_repeats_no_finished_step(write_project: WriteProject) -> None:
    async def begin(project: Running, clock: ManualClock) -> None:
        await project.env.WF.create({"id": "i"})
        await clock.advance(600)
        assert project.ran == ["first 1"]

    async def sleep_on(project: Running, clock: ManualClock) -> None:
        await clock.advance(2999)
        assert project.ran == []
        await clock.advance(1)
        assert project.ran == ["second 1"]

    async def wait_on(project: Running, clock: ManualClock) -> None:
        await clock.advance(0)
        instance = await project.env.WF.get("i")
        assert (await project.status(instance))[0] == "running"
        await instance.send_event({"type": "go", "payload": 3})
        await clock.advance(0)
        assert project.ran == []
        assert await project.status(instance) == ("complete", ["first 1", "second", 3], None)

    async def stay(project: Running, clock: ManualClock) -> None:
        await clock.advance(0)
        assert project.ran == []
        instance = await project.env.WF.get("i")
        assert await project.status(instance) == ("complete", ["first 1", "second", 3], None)

    run(write_project(THREE_STEPS), begin, sleep_on, wait_on, stay)


def test_step_that_was_interrupted_is_another_attempt(write_project: WriteProject) -> None:
    async def interrupt(project: Running, clock: ManualClock) -> None:
        await project.env.WF.create({"id": "i", "params": {"hangs": True}})
        await clock.advance(3600)
        assert project.ran == ["first 1", "second 1"]

    async def go_on(project: Running, clock: ManualClock) -> None:
        await clock.advance(0)
        assert project.ran == ["second 2"]
        error = '"success":false,"error":{"name":"WorkflowInternalError","message":"Attempt failed due to internal'
        assert error in await project.details("i")

    run(write_project(THREE_STEPS), interrupt, go_on)


def test_event_that_came_early_and_a_timeout_survive_a_restart(write_project: WriteProject) -> None:
    code = """
await step.sleep("nap", "1 minute")
event = await step.wait_for_event("a", "early")
ran.append(event["payload"])
try:
    await step.wait_for_event("b", "never", timeout="1 minute")
except Exception as error:
    return str(error)
"""

    async def send(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create({"id": "i"})
        await instance.send_event({"type": "early", "payload": {"n": 1}})
        await clock.advance(0)

    async def wait(project: Running, clock: ManualClock) -> None:
        await clock.advance(90)
        assert project.ran == [{"n": 1}]

    async def expire(project: Running, clock: ManualClock) -> None:
        await clock.advance(30)
        instance = await project.env.WF.get("i")
        text = "Error: WorkflowTimeoutError: Execution timed out after 60000ms"
        assert await project.status(instance) == ("complete", text, None)
        assert project.ran == [{"n": 1}]  # of this run; the event itself was stored

    run(write_project(code), send, wait, expire)


def test_paused_instance_stays_paused_and_sleeps_the_rest_once_resumed(write_project: WriteProject) -> None:
    async def pause(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create({"id": "i"})
        await clock.advance(600)
        await instance.pause()
        assert (await project.status(instance))[0] == "paused"
        await clock.advance(50_000)
        assert project.ran == ["first 1"]

    async def resume(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.get("i")
        assert (await project.status(instance))[0] == "paused"
        await instance.resume()
        await clock.advance(2999)
        assert project.ran == []
        await clock.advance(1)
        assert project.ran == ["second 1"]

    run(write_project(THREE_STEPS), pause, resume)


def test_pause_waits_for_the_step_that_runs(write_project: WriteProject) -> None:
    code = """
@step.do("held")
async def held():
    ran.append("begun")
    while len(ran) < 2:
        await asyncio.sleep(0)
    return "held"

await held()
ran.append("after")
"""

    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create()
        await turns()
        assert project.ran == ["begun"]
        await instance.pause()
        assert (await project.status(instance))[0] == "waitingForPause"
        project.ran.append("let go")
        await turns()
        assert (await project.status(instance))[0] == "paused"
        assert project.ran == ["begun", "let go"]
        await instance.resume()
        await clock.advance(0)
        assert project.ran == ["begun", "let go", "after"]
        assert (await project.status(instance))[0] == "complete"

    run(write_project(code), test)


def test_restart_begins_with_the_first_step(write_project: WriteProject) -> None:
    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create()
        await instance.send_event({"type": "go", "payload": "forgotten"})
        await clock.advance(600)
        await instance.restart()
        await clock.advance(3600)
        assert project.ran == ["first 1", "first 1", "second 1"]
        assert (await project.status(instance))[0] == "running"

    run(write_project(THREE_STEPS), test)


def test_terminated_instance_does_nothing_more(write_project: WriteProject) -> None:
    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create({"params": {"hangs": True}})
        await clock.advance(3600)
        assert project.ran == ["first 1", "second 1"]
        await instance.terminate()
        await clock.advance(100_000)
        assert project.ran == ["first 1", "second 1"]
        assert await project.status(instance) == ("terminated", None, None)

    run(write_project(THREE_STEPS), test)


def test_code_that_swallows_its_end_changes_nothing_any_more(write_project: WriteProject) -> None:
    code = """
@step.do("late")
async def late():
    ran.append("late")

try:
    await step.sleep("long", "1 hour")
except asyncio.CancelledError:
    ran.append("swallowed")
    await late()
"""

    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create()
        await clock.advance(0)
        await instance.terminate()
        await turns()
        assert project.ran == ["swallowed"]
        assert await project.status(instance) == ("terminated", None, None)

    run(write_project(code), test)


def test_instance_that_waits_goes_on_in_reloaded_code(write_project: WriteProject) -> None:
    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create()
        await clock.advance(600)
        write_project(THREE_STEPS.replace('return "second"', 'return "second, new"'))
        project.runtime.load("flows")
        await clock.advance(3000)
        await instance.send_event({"type": "go", "payload": 1})
        await clock.advance(0)
        assert await project.status(instance) == ("complete", ["first 1", "second, new", 1], None)

    run(write_project(THREE_STEPS), test)


def test_class_of_another_worker(write_project: WriteProject) -> None:
    folder = write_project('return [event["payload"], self.env.WHO]', extra='\n[vars]\nWHO = "the owner"\n')
    caller = folder / "caller"
    caller.mkdir()
    (caller / "entry.py").write_text(HEAD + indented("raise RuntimeError"))
    (caller / "wrangler.toml").write_text(
        'name = "caller"\nmain = "entry.py"\ncompatibility_date = "2026-04-01"\n'
        'compatibility_flags = ["python_workers"]\nworkflows = [{ binding = "FAR", name = "orders", '
        'class_name = "Orders", script_name = "flows" }]\n'
    )

    async def go() -> None:
        from pyworkers.config import load_project
        from pyworkers.runtime.runtime import Runtime
        from pyworkers.runtime.stores import Stores

        clock = ManualClock()
        project = load_project(folder, [caller / "wrangler.toml", folder / "wrangler.toml"])
        async with Runtime(project, Stores(None, project, clock), clock=clock) as runtime:
            isolate = runtime.primary
            instance = await isolate.sdk._EnvWrapper(isolate.env).FAR.create({"params": 7})
            await clock.advance(0)
            status = await instance.status()
            assert (status["status"], status["output"]) == ("complete", [7, "the owner"])

    asyncio.run(go())


def test_missing_class_fails_the_instance(write_project: WriteProject) -> None:
    folder = write_project("return 1")
    text = (folder / "wrangler.toml").read_text()
    (folder / "wrangler.toml").write_text(text.replace('class_name = "Orders"', 'class_name = "Nothing"'))

    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create()
        await clock.advance(0)
        error = ("TypeError", 'The entrypoint "Nothing" was not found: flows has no such workflow')
        assert await project.status(instance) == ("errored", None, error)

    run(folder, test)


def test_id_that_is_there_is_warned_of(write_project: WriteProject, caplog: pytest.LogCaptureFixture) -> None:
    async def test(project: Running, clock: ManualClock) -> None:
        await project.env.WF.create({"id": "i", "params": 1})
        await clock.advance(0)
        instance = await project.env.WF.create({"id": "i", "params": 2})
        await clock.advance(0)
        assert await project.status(instance) == ("complete", 1, None)

    run(write_project('return event["payload"]'), test)
    assert caplog.messages == ["workflow orders: there is an instance i already; production refuses this"]


def test_params_that_cannot_be_stored_are_told_of(write_project: WriteProject, caplog: Any) -> None:
    async def test(project: Running, clock: ManualClock) -> None:
        for name, params in (("large", "x" * 3_000_000), ("function", len)):
            await project.env.WF.create({"id": name, "params": params})
            assert await _error(project.env.WF.get(name)) == "Error: instance.not_found"
        await clock.advance(0)

    run(write_project("return 1"), test)
    assert [message.partition(": ")[2][:45] for message in caplog.messages] == [
        "the instance large was not created: its param",
        "the instance function was not created: #<Obje",
    ]


async def _error(awaitable: Awaitable[Any]) -> str:
    try:
        await awaitable
    except Exception as error:
        return str(error)
    return ""


def test_busy_instance_goes_on_in_reloaded_code_once_it_waits(write_project: WriteProject) -> None:
    code = """
@step.do("held")
async def held():
    while event["payload"]["held"] and not ran:
        await asyncio.sleep(0)
    return "old"

value = await held()
await step.sleep("nap", 1000)
return [value, "old"]
"""

    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create({"params": {"held": True}})
        await turns()
        ran = project.ran
        write_project(code.replace('"old"]', '"new"]'))
        project.runtime.load("flows")
        ran.append("let go")
        await turns()
        await clock.advance(1)
        assert await project.status(instance) == ("complete", ["old", "new"], None)

    run(write_project(code), test)


def test_instance_waits_for_code_that_can_be_loaded(write_project: WriteProject) -> None:
    async def begin(project: Running, clock: ManualClock) -> None:
        await project.env.WF.create({"id": "i"})
        await clock.advance(0)

    folder = write_project(THREE_STEPS)
    run(folder, begin)

    async def go() -> None:
        from pyworkers.config import load_project
        from pyworkers.errors import WorkerLoadError
        from pyworkers.runtime.runtime import Runtime
        from pyworkers.runtime.stores import Stores

        good = (folder / "entry.py").read_text()
        (folder / "entry.py").write_text("def broken(:\n")
        clock = ManualClock(1_700_010_000)
        project = load_project(folder, [folder / "wrangler.toml"])
        async with Runtime(project, Stores(folder / "state", project, clock), clock=clock) as runtime:
            assert isinstance(runtime.load_errors["flows"], WorkerLoadError)
            await clock.advance(0)
            workflow = runtime.workflows.get("orders")
            assert workflow is not None
            assert workflow.status("i").status == "running"
            (folder / "entry.py").write_text(good)
            runtime.load("flows")
            await clock.advance(0)
            assert Running(runtime, clock).ran == ["second 1"]

    asyncio.run(go())


def test_broken_state_is_told_of_and_stops_nothing(write_project: WriteProject, caplog: Any) -> None:
    folder = write_project("return 1")
    (folder / "state" / "workflows").mkdir(parents=True)
    (folder / "state" / "workflows" / "orders.sqlite").write_bytes(b"no database" * 1000)

    async def test(project: Running, clock: ManualClock) -> None:
        text = "Error: WorkflowInternalError: Storage failure due to internal error."
        assert await _error(project.env.WF.create()) == text
        assert await _error(project.env.WF.get("i")) == text

    run(folder, test)
    reason = f"{folder}/state/workflows/orders.sqlite cannot be read as a SQLite database: file is not a database"
    told = f"{reason}; move the file away, or restore a copy"
    assert caplog.messages == [f"workflow orders: its instances cannot be read: {reason}", told, told]


def test_each_attempt_has_cpu_time_of_its_own(write_project: WriteProject) -> None:
    code = """
from time import thread_time

@step.do("work")
async def work():
    begun = thread_time()
    while thread_time() - begun < 0.02:
        pass

for _ in range(3):
    await work()
return True
"""

    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create()
        await clock.advance(0)
        assert (await project.status(instance))[:2] == ("complete", True)
        assert project.runtime.metrics.workers["flows"].cpu_s >= 0.06

    run(write_project(code), test)


def test_instance_may_terminate_itself(write_project: WriteProject) -> None:
    code = """
@step.do("never")
async def never():
    ran.append("never")

own = await self.env.WF.get(event["instanceId"])
pending = asyncio.ensure_future(never())
await asyncio.sleep(0)
await own.terminate()
await asyncio.sleep(0)
ran.append("after")
"""

    async def test(project: Running, clock: ManualClock) -> None:
        instance = await project.env.WF.create()
        await clock.advance(1)
        assert project.ran == []
        assert await project.status(instance) == ("terminated", None, None)

    run(write_project(code), test)


def test_binding_as_the_sdk_has_it(write_project: WriteProject) -> None:
    async def test(project: Running, clock: ManualClock) -> None:
        flow = project.env.WF
        first = await flow.create(id="one", params={"n": 1})
        batch = await flow.create_batch([{"id": "two", "params": 2}, {"id": "three"}])
        await clock.advance(0)
        assert [instance.id for instance in (first, *batch)] == ["one", "two", "three"]
        outputs = [(await (await flow.get(name)).status())["output"] for name in ("one", "two", "three")]
        assert outputs == [{"n": 1}, 2, {}]
        assert (await first.restart(), await first.pause(), await first.resume()) == (None, None, None)
        assert await _error(flow.create_batch([])) == (
            "Error: WorkflowError: batchCreate should have at least 1 instance"
        )

    run(write_project('return event["payload"]'), test)
