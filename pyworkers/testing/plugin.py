"""The pytest plugin: fixtures that run the project's workers in process, with fresh state for every test.

    async def test_hello(worker, env):
        response = await worker.fetch("/")
        assert await response.text() == "hello"
        assert await env.KV.get("visits") == "1"

An ``async def`` test that uses one of the fixtures runs on the runtime's own event loop; no other plugin is needed.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pyworkers.clock import ManualClock
    from pyworkers.runtime.runtime import Runtime
    from pyworkers.testing.outbound import OutboundMock
    from pyworkers.testing.worker import TestWorker


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--worker-config`` and the ini value of the same meaning."""
    group = parser.getgroup("pyworkers")
    group.addoption(
        "--worker-config",
        action="append",
        default=[],
        metavar="FILE",
        help="wrangler file of the worker under test; repeat for several, the first is primary",
    )
    parser.addini("worker_config", "wrangler files of the workers under test", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and make ``import workers`` and ``import js`` work in test files."""
    from pyworkers.pyodide.lazy import install_lazily

    install_lazily()
    config.addinivalue_line(
        "markers", "worker_config(*paths): the wrangler files that this test's workers are loaded from"
    )


@pytest.fixture
def worker_config(request: pytest.FixtureRequest) -> Sequence[Path]:
    """Paths of the wrangler files under test; override it, mark with ``worker_config``, or set the option.

    Empty means: the configuration in pytest's root folder.
    """
    marker = request.node.get_closest_marker("worker_config")
    root = request.config.rootpath
    given = marker.args if marker else request.config.getoption("--worker-config")
    return [root / path for path in given or request.config.getini("worker_config")]


@pytest.fixture
def clock() -> ManualClock:
    """The clock that every time-to-live and ``Date.now()`` reads; ``clock.advance(seconds)`` moves it."""
    from pyworkers.clock import ManualClock

    return ManualClock()


@pytest.fixture
def outbound() -> Iterator[OutboundMock]:
    """The network as the workers see it; a request that nothing was registered for fails the test."""
    from pyworkers.testing.outbound import OutboundMock

    mock = OutboundMock()
    yield mock
    mock.verify()


@pytest.fixture
def event_loop_runner() -> Iterator[asyncio.Runner]:
    """The event loop that the test and its workers share."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def runtime(
    request: pytest.FixtureRequest,
    worker_config: Sequence[Path],
    clock: ManualClock,
    outbound: OutboundMock,
    event_loop_runner: asyncio.Runner,
    tmp_path: Path,
) -> Iterator[Runtime]:
    """The project's workers, loaded, with empty stores of their own."""
    from pyworkers.config import load_project
    from pyworkers.runtime.runtime import Runtime
    from pyworkers.runtime.stores import Stores

    project = load_project(request.config.rootpath, worker_config)
    stores = Stores(None, project, clock, scratch_dir=tmp_path / "pyworkers")
    runtime = Runtime(project, stores, clock=clock, outbound=outbound)
    event_loop_runner.run(runtime.__aenter__())
    try:
        for error in runtime.load_errors.values():
            raise error
        yield runtime
    finally:
        event_loop_runner.run(runtime.close())


@pytest.fixture
def worker(runtime: Runtime) -> TestWorker:
    """The primary worker: ``await worker.fetch(...)``, ``await worker.scheduled()``, ``await worker.method(...)``."""
    from pyworkers.testing.worker import TestWorker

    return TestWorker(runtime, runtime.project.primary.name)


@pytest.fixture
def env(worker: TestWorker) -> Any:
    """The primary worker's ``env``, with live bindings."""
    return worker.env


@pytest.fixture
def migrate(runtime: Runtime) -> Callable[..., Awaitable[None]]:
    """``await migrate()`` applies the primary worker's D1 migrations, ``await migrate("DB")`` those of one binding."""
    from pyworkers.testing.migrations import apply_migrations

    return partial(apply_migrations, runtime)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an ``async def`` test that uses the runtime on its event loop, as code of the primary worker."""
    runner: Any = pyfuncitem.funcargs.get("event_loop_runner")
    if runner is None or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    try:
        runner.run(_run(pyfuncitem.obj(**arguments), pyfuncitem.funcargs.get("runtime")))
    except Exception as error:
        _prepare_report(error, pyfuncitem.funcargs.get("outbound"))
        raise
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,  # noqa: ARG001  # the hook's signature
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a configuration or worker that cannot be loaded as the command line does, in lines instead of frames."""
    report = yield
    if call.when == "setup" and call.excinfo is not None:
        from pyworkers.errors import UserError, render_user_error

        if isinstance(call.excinfo.value, UserError):
            report.longrepr = render_user_error(call.excinfo.value)
    return report


def _prepare_report(error: Exception, outbound: Any) -> None:
    """Leave our frames out of a failed test's traceback, and let what was fetched without an answer fail it once."""
    from pyworkers.runtime.failures import worker_traceback
    from pyworkers.testing.outbound import UnexpectedRequest

    error.__traceback__ = worker_traceback(error)
    if outbound is not None and isinstance(error, UnexpectedRequest):
        outbound.unexpected.clear()


async def _run(coroutine: Any, runtime: Any) -> None:
    from pyworkers.js.realm import REALM
    from pyworkers.pyodide.suspension import suspendable

    context = contextvars.copy_context()
    if runtime is not None:
        context.run(REALM.set, runtime.primary.realm)
    await suspendable(coroutine, context=context)
