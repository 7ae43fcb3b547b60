"""WorkflowEntrypoint and its steps, on a step that stands for the engine's."""

import js
import pytest
from dated import Dated
from js import Object
from pyodide.ffi import to_js
from shown import error_of, type_name

from pyworkers.js.promise import js_async, settle
from pyworkers.js.values import JsProxy

IMPLICIT = Dated("workflows/implicit.py")
EXPLICIT = Dated("workflows/explicit.py", "2026-02-24")


def plain(value):
    return to_js(value, dict_converter=Object.fromEntries)


class WorkflowStep(JsProxy):
    """What the engine hands to ``run``: it runs every step at once and records what it was asked."""

    def __init__(self):
        self.asked = []

    @js_async
    async def do(self, name, *rest):
        *config, callback = rest
        self.asked.append(["do", name, *[each.to_py() for each in config]])
        return await settle(callback(plain({"step": {"name": name, "count": 1}, "attempt": 1, "config": {}})))

    @js_async
    async def sleep(self, name, duration):
        self.asked.append(["sleep", name, duration])

    @js_async
    async def sleepUntil(self, name, moment):
        self.asked.append(["sleepUntil", name, moment if isinstance(moment, str) else moment.toISOString()])

    @js_async
    async def waitForEvent(self, name, options):
        self.asked.append(["waitForEvent", name, options.to_py()])
        return plain({"type": options.type, "payload": {"by": name}, "timestamp": None})


@pytest.fixture
def run(worker):
    """Run a workflow class of the worker; returns (its result, what the step was asked)."""

    async def run(name, payload=None):
        isolate = worker.isolate
        instance = isolate.handlers.workflows[name](Object.new(), isolate.env)
        event = {"payload": payload, "timestamp": js.Date.new(0), "instanceId": "i1", "workflowName": "flow"}
        step = WorkflowStep()
        return await instance.run(plain(event), step), step.asked

    return run


def ran(worker):
    return worker.isolate.namespace.import_module("implicit").ran


@pytest.mark.worker_config(IMPLICIT)
async def test_parameters_name_the_steps_they_depend_on(run, worker):
    result, asked = await run("Graph", {"start": 5})
    assert type_name(result) == "pyodide.ffi.JsProxy"
    assert result.to_py() == [6, 5, {"step": {"name": "third", "count": 1}, "attempt": 1, "config": {}}]
    assert ran(worker) == ["one", "second", "third"]
    assert asked == [["do", "first"], ["do", "second"], ["do", "third"]]


@pytest.mark.worker_config(IMPLICIT)
async def test_results_are_remembered_and_running_steps_shared(run, worker):
    result, asked = await run("Shared")
    assert result.to_py() == [5, 1]
    assert [each[1] for each in asked].count("base") == 2  # a step that is called itself runs anew
    assert ran(worker) == ["base", "base"]


@pytest.mark.worker_config(IMPLICIT)
async def test_a_parameter_that_is_no_step(run):
    assert await error_of(lambda: run("Unknown")) == (
        "builtins.TypeError",
        "Received unexpected parameter missing",
    )


@pytest.mark.worker_config(IMPLICIT)
async def test_depends_is_refused(run):
    name, text = await error_of(lambda: run("Depends"))
    assert name == "builtins.TypeError"
    assert text.endswith("got an unexpected keyword argument 'depends'")


@pytest.mark.worker_config(IMPLICIT)
async def test_a_steps_config_reaches_the_engine(run):
    result, asked = await run("Configured")
    assert result == 1
    assert asked == [["do", "careful", {"retries": {"limit": 2, "delay": "1 second"}, "timeout": "5 minutes"}]]


@pytest.mark.worker_config(IMPLICIT)
async def test_sleeping_and_waiting(run):
    result, asked = await run("Sleeping")
    assert asked == [
        ["sleep", "nap", "10 seconds"],
        ["sleepUntil", "date", "2030-01-01T00:00:00.000Z"],
        ["sleepUntil", "text", "2030-01-01"],
        ["waitForEvent", "approval", {"type": "approve", "timeout": "24 hours"}],
        ["waitForEvent", "other", {"type": "deny", "timeout": "1 hour"}],
    ]
    assert js.JSON.stringify(result) == (
        '[{"type":"approve","payload":{"by":"approval"},"timestamp":null},"JsDict",{"by":"other"}]'
    )


@pytest.mark.worker_config(IMPLICIT)
@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("value", ["builtins.ValueError", "ValueError: the reason: x"]),
        ("type", ["builtins.TypeError", "TypeError: the reason: x"]),
        ("stop", ["workers.workflows.NonRetryableError", "the reason: x"]),
        ("key", ["pyodide.ffi.JsException", "KeyError: 'the reason: x'"]),
    ],
)
async def test_errors_of_steps_come_back_as_python_errors(run, kind, shown):
    result, _asked = await run("Failing", kind)
    assert result.to_py() == shown


@pytest.mark.worker_config(IMPLICIT)
async def test_a_workflow_may_be_sync_and_return_nothing(run, worker):
    result, _asked = await run("Nothing")
    assert result is None
    assert ran(worker) == [["JsDict", "i1", "flow"]]


@pytest.mark.worker_config(EXPLICIT)
async def test_depends_lists_the_steps(run):
    result, asked = await run("Graph")
    assert result.to_py() == [1, 1]
    assert asked == [["do", "one"], ["do", "two"]]


@pytest.mark.worker_config(EXPLICIT)
async def test_depends_must_fit_the_parameters(run):
    result, _asked = await run("Wrong")
    assert result.to_py() == [
        "Step has 1 non-ctx parameter(s) but no 'depends' list provided",
        "Step declares 2 non-ctx parameter(s) but 'depends' has 1 item(s)",
        "'depends' entry for parameter 'value' is not a function decorated with step.do",
    ]


@pytest.mark.parametrize(
    "worker_config",
    [Dated("workflows/explicit.py", "2026-09-10", ("no_python_workflows_implicit_dependencies",))],
    indirect=True,
)
async def test_a_flag_brings_depends_back(run):
    result, _asked = await run("Graph")
    assert result.to_py() == [1, 1]
