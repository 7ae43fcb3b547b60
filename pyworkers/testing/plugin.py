"""The pytest plugin: fixtures that run the project's workers in process, with fresh state for every test.

    async def test_hello(worker, env):
        response = await worker.fetch("/")
        assert await response.text() == "hello"
        assert await env.KV.get("visits") == "1"

An ``async def`` test that uses one of the fixtures runs on the runtime's own event loop, and so do the ``async def``
fixtures that such a test uses; no other plugin is needed.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pyworkers.clock import ManualClock
    from pyworkers.runtime.runtime import Runtime
    from pyworkers.testing.outbound import OutboundMock
    from pyworkers.testing.worker import TestWorker

_RUNTIME: pytest.StashKey[Runtime] = pytest.StashKey()
_END: Any = object()


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
        request.node.stash[_RUNTIME] = runtime
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


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Run an ``async def`` fixture of a test that uses the runtime on its event loop, as the test itself."""
    function = fixturedef.func
    if not _is_run_here(function, request):
        return (yield)
    fixturedef.func = partial(_make_fixture, function, request)  # type: ignore[misc]  # final, and put back below
    try:
        return (yield)
    finally:
        fixturedef.func = function  # type: ignore[misc]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an ``async def`` test that uses the runtime on its event loop, as code of the primary worker."""
    runner: Any = pyfuncitem.funcargs.get("event_loop_runner")
    if runner is None or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    try:
        runner.run(_run(pyfuncitem.obj(**arguments), pyfuncitem.stash.get(_RUNTIME, None)))
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


def _is_run_here(function: Callable[..., Any], request: pytest.FixtureRequest) -> bool:
    """Tell whether a fixture is asynchronous, and one that no other plugin runs."""
    if not inspect.iscoroutinefunction(function) and not inspect.isasyncgenfunction(function):
        return False
    is_others = hasattr(function, "_force_asyncio_fixture") or "anyio_backend" in request.fixturenames
    return request.scope == "function" and "event_loop_runner" in request.fixturenames and not is_others


def _make_fixture(function: Callable[..., Any], request: pytest.FixtureRequest, /, **arguments: object) -> object:
    """Return an asynchronous fixture's value; what follows its ``yield`` runs when the test is over."""
    runner: asyncio.Runner = request.getfixturevalue("event_loop_runner")
    if inspect.ismethod(function) and isinstance(request.instance, type(function.__self__)):
        function = function.__func__.__get__(request.instance)  # pytest made it with another instance of the class

    def step(coroutine: Coroutine[Any, Any, object]) -> object:
        return runner.run(_run(coroutine, request.node.stash.get(_RUNTIME, None)))

    if inspect.iscoroutinefunction(function):
        return step(function(**arguments))
    values = function(**arguments)

    def finish() -> None:
        if step(_next(values)) is not _END:
            pytest.fail(f"the fixture {request.fixturename} yields more than once", pytrace=False)

    value = step(_next(values))
    if value is _END:
        pytest.fail(f"the fixture {request.fixturename} did not yield a value", pytrace=False)
    request.addfinalizer(finish)
    return value


async def _next(values: AsyncGenerator[object]) -> object:
    return await anext(values, _END)


def _prepare_report(error: Exception, outbound: Any) -> None:
    """Leave our frames out of a failed test's traceback, and let what was fetched without an answer fail it once."""
    from pyworkers.runtime.failures import worker_traceback
    from pyworkers.testing.outbound import UnexpectedRequest

    error.__traceback__ = worker_traceback(error)
    if outbound is not None and isinstance(error, UnexpectedRequest):
        outbound.unexpected.clear()


async def _run(coroutine: Coroutine[Any, Any, object], runtime: Runtime | None) -> object:
    from pyworkers.js.realm import REALM
    from pyworkers.pyodide.suspension import suspendable

    context = contextvars.copy_context()
    if runtime is not None:
        context.run(REALM.set, runtime.primary.realm)
    return await suspendable(coroutine, context=context)
