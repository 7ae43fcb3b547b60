"""What a worker's code can reach and when: env, waitUntil, run_sync, JavaScript modules."""

import datetime
import logging
import time

import pytest
from pyodide.ffi import run_sync
from shown import error_of, type_name

LIFE = "tests/sdk/workers/life/wrangler.toml"
RED = "tests/sdk/workers/twins/wrangler.red.toml"
GREEN = "tests/sdk/workers/twins/wrangler.green.toml"

pytestmark = pytest.mark.worker_config(LIFE, RED, GREEN)


# ---- env


async def test_env_can_be_read_while_the_module_is_imported(worker):
    assert (await worker.imported())[:4] == ["blue", "workers.rpc._EnvWrapper", True, False]
    assert await (await worker.fetch("/")).text() == "blue blue blue"


async def test_two_workers_of_one_source_have_their_own_env(worker):
    assert await worker.other("twin").colors() == ["red"] * 5
    assert await worker.other("twin-green").colors() == ["green"] * 5
    assert await worker.env.OTHER.colors() == ["red"] * 5
    assert (await worker.imported())[-1] == "blue"


async def test_what_env_is(env):
    assert type_name(env) == "workers.rpc._EnvWrapper"
    assert (env.COLOR, getattr(env, "NONE", "default"), hasattr(env, "NONE")) == ("blue", "default", False)
    assert await error_of(lambda: env.NONE) == ("builtins.AttributeError", "NONE")
    assert await error_of(lambda: env["COLOR"]) == (
        "builtins.TypeError",
        "'_EnvWrapper' object is not subscriptable",
    )
    assert await error_of(lambda: "COLOR" in env) == (
        "builtins.TypeError",
        "argument of type '_EnvWrapper' is not iterable",
    )
    assert type_name(env.SETTINGS) == "pyodide.ffi.JsProxy"
    assert env.SETTINGS.to_py() == {"deep": {"on": True}}


# ---- waitUntil


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("keep_coroutine", ["coroutine"]),
        ("keep_task", ["task"]),
        ("keep_promise", ["promise 5"]),
        ("keep_proxy", ["proxy"]),
        ("keep_by_module", ["module", "module camel"]),
        ("keep_nothing", []),
    ],
)
async def test_wait_until_goes_on_after_the_answer(worker, method, expected):
    assert await getattr(worker, method)() in (None, [])
    await worker.settle()
    assert await worker.done() == expected


async def test_errors_of_wait_until_are_logged(worker, caplog):
    with caplog.at_level(logging.ERROR, logger="pyworkers.worker"):
        assert await worker.keep_failing() == "answered"
        await worker.settle()
    (record,) = [record for record in caplog.records if record.name == "pyworkers.worker"]
    lines = record.getMessage().splitlines()
    assert (lines[0], lines[1], lines[-1]) == (
        "life: uncaught in waitUntil",
        "Traceback (most recent call last):",
        "ValueError: in the background",
    )


async def test_close_waits_for_wait_until(worker, runtime):
    await worker.keep_coroutine()
    done = worker.isolate.namespace.import_module("entry").done
    await runtime.close()
    assert done == ["coroutine"]


async def test_close_ends_what_never_ends(worker, runtime):
    await worker.keep_forever()
    await runtime.close(drain_s=0.01)


async def test_tasks_of_an_event_run_on_without_wait_until(worker):
    """On the platform such a task runs as long as the isolate happens to; here it runs."""
    await worker.leave_task()
    for _ in range(5):
        await worker.wait(0)
    assert await worker.done() == ["left"]


# ---- run_sync


@pytest.mark.parametrize("depth", [0, 1, 50])
async def test_run_sync_waits_at_any_depth(worker, depth):
    assert await worker.wait(depth) == [True, "waited"]


async def test_run_sync_works_in_every_place(worker):
    assert await worker.wait_in_sync_method() == "sync"
    assert await worker.wait_in_task() == ["slept", "blue"]
    assert await worker.wait_at_once() == [0, 1, 2, 3, 4]
    assert await worker.wait_for_env() == ["blue", "blue"]
    assert await worker.wait_for_error() == "KeyError('broken')"


async def test_run_sync_nests(worker):
    assert await worker.nested() == 42


async def test_run_sync_needs_a_handler(worker):
    assert (await worker.imported())[4] == "No suspender"


def test_run_sync_outside_of_a_worker():
    async def nothing():
        return None

    pending = nothing()
    with pytest.raises(RuntimeError, match=r"^No suspender$"):
        run_sync(pending)
    pending.close()


# ---- JavaScript modules


async def test_the_platforms_modules(worker):
    assert await worker.modules() == [["env", "waitUntil", "withEnv", "exports"], "blue", True]


@pytest.mark.parametrize("name", ["node:fs", "./helper.js", "cloudflare:nothing"])
async def test_unknown_modules_are_import_errors(worker, name):
    assert await worker.import_unknown(name) == [
        f"Failed to import '{name}': Error: No such module \"{name}\".",
        "pyodide.ffi.JsException",
    ]


async def test_unknown_modules_while_the_module_is_imported(worker):
    assert (await worker.imported())[5] == (
        "Failed to import 'node:fs': Only 'cloudflare:workers' and 'cloudflare:sockets' are available in the global "
        "scope."
    )


async def test_with_env_replaces_env_for_a_call(worker):
    assert await worker.with_env() == [["green", "green"], "green", "blue", "blue"]


async def test_patch_env_is_gone_from_the_runtime(worker):
    assert await worker.patch() in (
        "patch_env_helper",
        "module '_pyodide_entrypoint_helper' has no attribute 'patch_env_helper'",
    )


async def test_exports_are_bindings_to_the_worker_itself(worker):
    assert await worker.own_exports() == "helped"


# ---- local time


@pytest.fixture
def far_east(monkeypatch):
    """A developer's machine that is nine hours ahead."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_local_time_is_utc_while_workers_run(far_east, request):
    assert time.localtime(0).tm_hour == 9
    runtime = request.getfixturevalue("runtime")
    assert (time.localtime(0).tm_hour, datetime.datetime.fromtimestamp(0).hour) == (0, 0)
    request.getfixturevalue("event_loop_runner").run(runtime.close())
    assert time.localtime(0).tm_hour == 9
