"""``pyworkers dev``: the project's workers behind an HTTP server that reloads what is saved."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from pyworkers.clock import SystemClock
from pyworkers.config import load_project
from pyworkers.config.model import Project, WorkerConfig
from pyworkers.errors import ConfigError
from pyworkers.runtime.handlers import describe_flaws, describe_unreachable
from pyworkers.runtime.limits import Watchdog
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.server.access import AccessLog, Capture
from pyworkers.server.app import App
from pyworkers.server.banner import describe_project
from pyworkers.server.control import Control
from pyworkers.server.front import Front
from pyworkers.server.listener import Listener, bind
from pyworkers.server.migrations import describe_pending
from pyworkers.server.reload import Reloader
from pyworkers.server.running import DEFAULT_PORT, Claim
from pyworkers.server.terminal import Output

DEFAULT_IP: Final = "localhost"
# Open requests, then waitUntil: together well under the second that Ctrl-C may take.
_REQUEST_GRACE_S: Final = 0.25
_DRAIN_S: Final = 0.25
_GC_THRESHOLDS: Final = (5_000, 20, 50)  # a request leaves little garbage in cycles
_BLOCKED_S: Final = 0.7
_LOOKS: Final = 14
_FORCED_EXIT: Final = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class DevOptions:
    """What the command line says; None is "as the configuration says, else the default".

    Attributes:
        folder: where the command runs.
        configs: wrangler files or their folders, the primary worker's first.
        variables: values that win over ``vars`` and secrets of the primary worker.
        persist_to: the folder of the embedded engines' data.
        memory: keep nothing.
        strict: a service binding to a worker that is not there is an error.
        full_tracebacks: show frames that are not the worker's too.
        reload: watch the files.
        crons: run scheduled handlers when their triggers are due.
    """

    folder: Path
    configs: Sequence[Path] = ()
    environment: str | None = None
    env_files: Sequence[Path] = ()
    port: int | None = None
    ip: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    persist_to: Path | None = None
    memory: bool = False
    log_level: str = "log"
    strict: bool = False
    allow_unknown: bool = False
    full_tracebacks: bool = False
    reload: bool = True
    crons: bool = True


def read_project(options: DevOptions) -> Project:
    """Load the project that the options mean.

    Raises:
        ConfigError: a file is missing or wrong; with ``strict``, a service binding's worker is not there.
    """
    project = load_project(
        options.folder,
        options.configs,
        environment=options.environment,
        env_files=options.env_files,
        allow_unknown=options.allow_unknown,
    )
    if options.variables:
        project = replace(project, workers=(_with_vars(project.primary, options.variables), *project.workers[1:]))
    if options.strict and project.missing:
        raise _missing_service(project)
    return project


def run_dev(options: DevOptions) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        ConfigError: the project is wrong.
        UsageError: no port is free.
    """
    output = Output(level=options.log_level)
    project = read_project(options)
    stopper = Stopper()
    with stopper.signals(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(options, project, output, stopper))
    output.close()


class Stopper:
    """Turns SIGINT and SIGTERM into the end of the server: the first asks, the second forces.

    Should a worker hold the event loop, the server ends by force a moment after the first signal; at once while a
    debugger waits for a command.
    """

    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        self._terminal = _terminal_mode()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = False
        self._heard = threading.Event()

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Take the signals while the block runs."""
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            self._heard.set()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def attach(self) -> None:
        """Stop the loop that runs now."""
        self._loop = asyncio.get_running_loop()

    def _on_signal(self, _number: int, frame: FrameType | None) -> None:
        if self._asked or self._loop is None:
            self._force()
        if _is_debugging(frame):
            self._force(b"\nEnded; a request was stopped in the debugger.\n")
        self._asked = True
        self._loop.call_soon_threadsafe(self._stop)
        threading.Thread(target=self._force_if_blocked, daemon=True, name="pyworkers-stop").start()

    def _stop(self) -> None:
        self._heard.set()
        self.stopped.set()

    def _force_if_blocked(self) -> None:
        # In short waits: where the whole machine stood still for a moment, the loop gets its turn before it is judged.
        if not any(self._heard.wait(_BLOCKED_S / _LOOKS) for _ in range(_LOOKS)):
            self._force(b"A worker blocks the event loop; ended by force.\n")

    def _force(self, why: bytes = b"") -> NoReturn:
        if self._terminal is not None:  # a debugger's prompt turns the echo off
            import termios

            termios.tcsetattr(0, termios.TCSANOW, self._terminal)
        if why:
            os.write(2, why)
        os._exit(_FORCED_EXIT)


def _terminal_mode() -> list[Any] | None:
    """Return how the terminal is set, to leave it so; None where there is none."""
    if sys.platform == "win32" or not os.isatty(0):
        return None
    import termios

    return termios.tcgetattr(0)


def _is_debugging(frame: FrameType | None) -> bool:
    """Tell whether pdb, or what is made of it, runs in a frame or above it."""
    while frame is not None:
        if frame.f_globals.get("__name__") == "bdb":
            return True
        frame = frame.f_back
    return False


async def _serve(options: DevOptions, project: Project, output: Output, stopper: Stopper) -> None:
    stopper.attach()
    asked_port = _first(options.port, project.primary.dev.port, DEFAULT_PORT)
    ip = _first(options.ip, project.primary.dev.ip, DEFAULT_IP)
    sockets, port = bind(ip, asked_port)
    async with AsyncExitStack() as stack:
        log = AccessLog(output, several=len(project.workers) > 1)
        capture = stack.enter_context(Capture(output, log, full_tracebacks=options.full_tracebacks))
        asyncio.get_running_loop().set_exception_handler(capture.unhandled)
        stack.enter_context(Watchdog())
        clock = SystemClock()
        stores = Stores(_state_dir(options, project), project, clock)
        runtime = Runtime(project, stores, clock=clock, console=capture.console)
        runtime.crons.is_enabled = options.crons
        await runtime.__aenter__()
        stack.push_async_callback(runtime.close, drain_s=_DRAIN_S)
        control = Control(runtime, log, hosts=(ip,))
        front = Front.of(project.tools.dev)
        app = App(runtime, log, control, full_tracebacks=options.full_tracebacks, front=front)
        listener = Listener(app, sockets, refused=log.refused)
        await listener.start()
        stack.push_async_callback(listener.stop, _REQUEST_GRACE_S)
        # What was loaded stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        claim = Claim(stores.state_dir)
        stack.callback(claim.release)
        other = claim.take(port, makes=any(map(_runs_by_itself, project.workers)))
        if options.reload:
            await stack.enter_async_context(_watching(runtime, options, output))
        _announce(output, project, stores, runtime, control, ip=ip, port=port, asked_port=asked_port, other=other)
        await stopper.stopped.wait()
        if output.is_terminal:
            output.line("")


@contextlib.asynccontextmanager
async def _watching(runtime: Runtime, options: DevOptions, output: Output) -> AsyncIterator[None]:
    """Reload what is saved, from the first line that tells of the server on."""
    reloader = Reloader(runtime, lambda: read_project(options), output)
    loop = asyncio.get_running_loop()
    task, ready = loop.create_task(reloader.run()), loop.create_task(reloader.ready.wait())
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    try:
        yield
    finally:
        reloader.stop()
        await task


def _announce(
    output: Output,
    project: Project,
    stores: Stores,
    runtime: Runtime,
    control: Control,
    *,
    ip: str,
    port: int,
    asked_port: int,
    other: int | None,
) -> None:
    for line in describe_project(project, stores, runtime.load_errors, output.style):
        output.line(line)
    primary = runtime.isolates.get(project.primary.name)
    unreachable = describe_unreachable(primary.handlers) if primary is not None else None
    if unreachable is not None:
        output.warn(f"{project.primary.name}: {unreachable}")
    for name, isolate in runtime.isolates.items():
        for line in describe_flaws(isolate.handlers, isolate.config):
            output.warn(f"{name}: {line}")
    for line in describe_pending(project, stores):
        output.warn(line)
    if port != asked_port and asked_port:
        output.warn(f"Port {asked_port} is in use; using {port}")
    if other is not None:
        output.warn(
            f"Another pyworkers dev, on port {other}, uses {stores.state_dir} too: end it, or pass --persist-to"
        )
    host = "localhost" if ip in ("localhost", "127.0.0.1", "::1", "*", "0.0.0.0", "::") else ip  # noqa: S104  # compared
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    for line in control.s3.describe(url):
        output.line(line)
    if output.is_terminal:
        output.line(f"\nReady on {output.style(url, 'bold')}  {output.style('(Ctrl-C to stop)', 'dim')}", "error")
    else:
        # Scripts written for wrangler wait for this line.
        output.line(f"[wrangler:info] Ready on {url}", "error")


def _runs_by_itself(config: WorkerConfig) -> bool:
    """Tell whether a worker has what commands ask a server for, and what two servers would do twice."""
    return bool(config.workflows or config.durable_objects or config.queues.consumers or config.crons)


def _with_vars(config: WorkerConfig, variables: Mapping[str, str]) -> WorkerConfig:
    secrets = {name: secret for name, secret in config.secrets.items() if name not in variables}
    return replace(config, vars={**config.vars, **variables}, secrets=secrets)


def _missing_service(project: Project) -> ConfigError:
    entry = project.missing[0]
    config = next(config for config in project.workers if config.name == entry.worker)
    return ConfigError(
        f'the binding {entry.binding} of {entry.worker} needs a worker "{entry.service}", and no configuration has it',
        file=config.config_path,
        key=f"services: {entry.binding}",
        hint=f'did you mean "{entry.nearest}"?' if entry.nearest else "pass its configuration with -c, or fix the name",
    )


def _state_dir(options: DevOptions, project: Project) -> Path | None:
    if options.memory:
        return None
    return options.folder / options.persist_to if options.persist_to is not None else project.state_dir


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
