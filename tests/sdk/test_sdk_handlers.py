"""Which function handles an event, what it gets, and what becomes of its result."""

import js
import pytest
from dated import Dated
from js import Object
from pyodide.ffi import jsnull, to_js
from shown import error_of

from pyworkers.js.values import JsProxy, js_method
from pyworkers.runtime.handlers import describe_misnamed
from workers import python_to_rpc

COLOR = '[vars]\nCOLOR = "blue"\n'
NOT_A_RESPONSE = "TypeError: Incorrect type for Promise: the Promise did not resolve to 'Response'."


class Message(JsProxy):
    """One message of a batch, as the platform makes it; ``calls`` records what is asked for."""

    def __init__(self, body, calls):
        self.id, self.body, self.attempts = "m1", body, 1
        self._calls = calls

    @js_method
    def ack(self):
        self._calls.append(("ack",))

    @js_method
    def retry(self, options=None):
        self._calls.append(("retry", js.JSON.stringify(options)))


class QueueController(JsProxy):
    """A batch, as the platform makes it."""

    def __init__(self, bodies, calls):
        self.queue = "jobs"
        self.messages = js.Array.of(*[Message(body, calls) for body in bodies])
        self._calls = calls

    @js_method
    def ackAll(self):
        self._calls.append(("ackAll",))


def batch_of(*bodies, calls=None):
    """Return a batch of JavaScript values."""
    return QueueController([python_to_rpc(body) for body in bodies], [] if calls is None else calls)


# ---- module style


@pytest.mark.worker_config(Dated("module/arities.py", more=COLOR))
async def test_a_function_gets_request_env_and_ctx(worker):
    assert await (await worker.fetch("/")).text() == (
        "workers.request.Request workers.rpc._EnvWrapper pyodide.ffi.JsProxy blue"
    )


@pytest.mark.parametrize(
    ("worker_config", "status", "text"),
    [
        (Dated("module/one.py"), 200, "one GET"),
        (Dated("module/none.py"), 201, "none"),
        (Dated("module/rest.py"), 200, "3"),
        (Dated("module/imported_fetch.py"), 200, "the class"),
    ],
    indirect=["worker_config"],
    ids=["one", "none", "rest", "imported"],
)
async def test_a_function_may_take_less(worker, status, text):
    response = await worker.fetch("/")
    assert (response.status, await response.text()) == (status, text)


@pytest.mark.worker_config(Dated("module/arities.py", more=COLOR))
async def test_other_functions_of_the_module(worker, capsys):
    await worker.scheduled(cron="*/5 * * * *", scheduled_time_ms=1000)
    assert "pyodide.ffi.JsProxy */5 * * * * 1000 workers.rpc._EnvWrapper pyodide.ffi.JsProxy" in capsys.readouterr().out
    result = await worker.isolate.trigger("queue", batch_of(1, {"a": None}))
    assert result.to_py() == ["workers.rpc._BindingWrapper", "jobs", [1, {"a": jsnull}], "workers.rpc._EnvWrapper"]
    events = to_js([{"scriptName": "x"}], dict_converter=Object.fromEntries)
    assert (await worker.isolate.trigger("tail", events)).to_py() == ["builtins.list", [{"scriptName": "x"}]]


@pytest.mark.worker_config(Dated("module/returns.py"))
@pytest.mark.parametrize("kind", ["none", "str", "dict", "list", "bytes", "int", "object", "class", "clone", "request"])
async def test_results_that_are_no_response(worker, kind):
    assert await error_of(lambda: worker.fetch(f"/?{kind}")) == ("pyodide.ffi.JsException", NOT_A_RESPONSE)


@pytest.mark.worker_config(Dated("module/returns.py"))
async def test_a_tuple_is_refused_by_the_sdk(worker):
    assert await error_of(lambda: worker.fetch("/?tuple")) == (
        "builtins.TypeError",
        "<class 'tuple'> cannot be sent over RPC.",
    )


@pytest.mark.worker_config(Dated("module/returns.py"))
@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [("coroutine", 200, "late"), ("js", 200, "js"), ("redirect", 302, ""), ("promise", 200, "promise")],
)
async def test_results_that_are_responses(worker, kind, status, text):
    response = await worker.fetch(f"/?{kind}")
    assert (response.status, await response.text()) == (status, text)


# ---- class style


@pytest.mark.worker_config(Dated("scheduled/classes.py"))
async def test_scheduled_gets_the_controller_and_two_nones(worker):
    controller = await worker.scheduled(cron="0 0 * * *", scheduled_time_ms=5)
    assert await (await worker.fetch("/")).text() == (
        "[['scheduled', 'pyodide.ffi.JsProxy', '0 0 * * *', 5, None, None], None]"
    )
    assert (controller.constructor.name, repr(controller)) == ("ScheduledController", "[object ScheduledController]")


@pytest.mark.worker_config(Dated("scheduled/classes.py"))
async def test_queue_gets_a_wrapped_batch_and_two_nones(worker):
    calls = []
    assert await worker.isolate.trigger("queue", batch_of({"n": [1, None]}, calls=calls)) == "queued"
    assert await (await worker.fetch("/")).text() == (
        "[['workers.rpc._BindingWrapper', 'jobs', 'builtins.list', 'workers.rpc._BindingWrapper', "
        "{'n': [1, None]}, None, None], [None, None, None, None]]"
    )
    assert calls == [
        ("ack",),
        ("retry", '{"delaySeconds":5}'),
        ("retry", '{"delaySeconds":6}'),
        ("ackAll",),
    ]


@pytest.mark.worker_config(Dated("scheduled/classes.py"))
async def test_tail_trace_and_test(worker):
    events = to_js([{"event": None}], dict_converter=Object.fromEntries)
    await worker.isolate.trigger("tail", events)
    await worker.isolate.trigger("trace", to_js([]))
    await worker.isolate.trigger("test", Object.new())
    assert await (await worker.fetch("/")).text() == (
        "[['builtins.list', [{'event': None}], None, None], ['trace', [], None, None], 'test']"
    )


@pytest.mark.worker_config(Dated("scheduled/lax.py"))
async def test_scheduled_and_queue_must_take_three_arguments(worker):
    assert await error_of(worker.scheduled) == (
        "builtins.TypeError",
        "Default.scheduled() takes 2 positional arguments but 4 were given",
    )
    assert await error_of(lambda: worker.isolate.trigger("queue", batch_of(1))) == (
        "builtins.TypeError",
        "Default.queue() takes 2 positional arguments but 4 were given",
    )


@pytest.mark.worker_config(Dated("scheduled/lax.py"))
async def test_handlers_that_are_not_there(worker):
    assert await error_of(lambda: worker.fetch("/")) == (
        "pyodide.ffi.JsException",
        "TypeError: Method fetch does not exist",
    )
    assert await error_of(lambda: worker.isolate.trigger("tail", to_js([]))) == (
        "pyodide.ffi.JsException",
        "TypeError: Method tail does not exist",
    )


@pytest.mark.worker_config(Dated("plain/unawaited.py", "2026-09-10"))
async def test_a_class_may_return_a_promise_but_no_awaitable_of_python(worker):
    assert await (await worker.fetch("/promise")).text() == "a promise"
    assert (await error_of(lambda: worker.fetch("/later")))[0] == "builtins.TypeError"


# ---- legacy handlers


@pytest.mark.worker_config(Dated("legacy/raw.py", "2025-08-13", more=COLOR))
async def test_legacy_handlers_get_raw_objects(worker):
    assert await (await worker.fetch("/")).text() == (
        "GET pyodide.ffi.JsProxy:Request pyodide.ffi.JsProxy:Object pyodide.ffi.JsProxy:ExecutionContext blue"
    )
    assert await (await worker.fetch("/js")).text() == "raw"
    await worker.scheduled(cron="* * * * *")
    await worker.isolate.trigger("queue", batch_of(1))
    assert await worker.isolate.trigger("test", Object.new()) == "blue"
    assert worker.isolate.namespace.import_module("raw").got == [
        ["pyodide.ffi.JsProxy:ScheduledController", "* * * * *", "blue"],
        ["pyodide.ffi.JsProxy:QueueController", "jobs"],
    ]


@pytest.mark.worker_config(Dated("legacy/raw.py", "2026-09-10", ("disable_python_no_global_handlers",), COLOR))
async def test_a_flag_brings_legacy_handlers_back(worker):
    assert await (await worker.fetch("/js")).text() == "raw"


@pytest.mark.worker_config(Dated("legacy/decorated.py", "2025-08-13", more=COLOR))
async def test_the_decorator_converts(worker):
    assert await (await worker.fetch("/")).text() == "workers.request.Request workers.rpc._EnvWrapper blue on_fetch"


@pytest.mark.worker_config(Dated("legacy/unawaited.py", "2025-08-13"))
@pytest.mark.parametrize(
    ("path", "text"), [("/promise", "a promise"), ("/sdk", "of the SDK"), ("/coroutine", "a coroutine")]
)
async def test_legacy_handlers_may_return_what_has_to_be_awaited(worker, path, text):
    assert await (await worker.fetch(path)).text() == text


@pytest.mark.worker_config(Dated("legacy/classes.py", "2025-08-13", more=COLOR))
async def test_legacy_classes_handle_on_fetch(worker, capsys):
    assert await (await worker.fetch("/")).text() == "Request blue"
    await worker.scheduled(cron="1 2 3 4 5")
    assert "cron 1 2 3 4 5" in capsys.readouterr().out


@pytest.mark.worker_config(Dated("legacy/classes.py", "2025-08-14", more=COLOR))
async def test_later_classes_do_not(worker):
    assert await error_of(lambda: worker.fetch("/")) == (
        "pyodide.ffi.JsException",
        "TypeError: Method fetch does not exist",
    )


@pytest.mark.worker_config(Dated("legacy/nothing.py", "2025-08-13"))
async def test_a_legacy_handler_that_is_not_there(worker):
    name, text = await error_of(lambda: worker.fetch("/"))
    assert (name, text.partition(": ")[2]) == (
        "pyodide.ffi.JsException",
        'Python entrypoint "nothing.py" does not export a handler named "on_fetch"',
    )


@pytest.mark.parametrize("worker_config", [Dated("legacy/nothing.py", "2025-08-14")], indirect=True)
def test_legacy_handlers_alone_do_not_load_later(worker_config, event_loop_runner, clock, outbound, request):
    from pyworkers.errors import WorkerLoadError

    with pytest.raises(WorkerLoadError) as info:
        request.getfixturevalue("runtime")
    assert info.value.message.startswith("nothing.py has no handler: ")
    assert info.value.hint == (
        "on_scheduled is only called at compatibility dates before 2025-08-14: "
        "call it scheduled, or set an earlier date"
    )


@pytest.mark.worker_config(Dated("legacy/imported.py"))
async def test_a_fetch_that_is_imported_from_js_is_no_handler(worker):
    await worker.scheduled(cron="* * * * *")
    assert await error_of(lambda: worker.fetch("/")) == (
        "pyodide.ffi.JsException",
        'TypeError: Python entrypoint "imported.py" does not export a handler named "fetch"',
    )


@pytest.mark.parametrize(
    ("worker_config", "expected"),
    [
        (
            Dated("legacy/classes.py", "2025-08-14"),
            ["on_fetch of Default is not called at the compatibility date 2025-08-14: call it fetch"],
        ),
        (Dated("legacy/classes.py", "2025-08-13"), []),
        (
            Dated("legacy/later.py", "2025-08-13"),
            [
                "fetch of Default is not called at the compatibility date 2025-08-13: "
                "call it on_fetch, or set a date from 2025-08-14"
            ],
        ),
        (Dated("legacy/later.py", "2025-08-14"), []),
        (Dated("legacy/imported.py", "2025-08-14"), []),
    ],
    indirect=["worker_config"],
)
def test_a_handler_named_for_the_other_side_of_the_date_is_told(runtime, expected):
    assert describe_misnamed(runtime.primary.handlers, runtime.primary.config) == expected
