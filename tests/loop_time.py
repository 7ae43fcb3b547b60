"""An event loop whose time passes only while nothing is left to do: what a recording sleeps takes no time, and on the
busiest machine everything still happens in the order of its times.

    clock = LoopClock()
    results = run(replay(case, clock))
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from pyworkers.clock import SystemClock
from pyworkers.engines.work_thread import WorkThread

R = TypeVar("R")


class LoopTime(asyncio.SelectorEventLoop):
    """A loop that, instead of waiting for its next timer, goes to the timer's time.

    While a thread works for it the time stands still: what the thread does takes none.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.jobs = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now_s

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        job = super().run_in_executor(executor, func, *args)
        self.jobs += 1
        job.add_done_callback(self._finish)
        return job

    async def shutdown_default_executor(self, *args: Any) -> None:
        self.jobs += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self.jobs -= 1

    def _finish(self, _: asyncio.Future[Any]) -> None:
        self.jobs -= 1


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]  # a class by platform
    def __init__(self, loop: LoopTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        """Return what is ready; where nothing is, let the time of the next timer come."""
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if self._loop.jobs:
            return super().select(None)
        found = super().select(0)
        if not found:
            self._loop.now_s += timeout
        return found


class LoopClock(SystemClock):
    """A clock that passes with the loop's time; it begins with the machine's."""

    __slots__ = ("_start_s",)

    def __init__(self) -> None:
        self._start_s = time.time()

    def now_s(self) -> float:
        """Return seconds since the Unix epoch, UTC."""
        try:
            return self._start_s + asyncio.get_running_loop().time()
        except RuntimeError:  # before the loop runs
            return self._start_s

    def now_ms(self) -> int:
        """Return whole milliseconds since the Unix epoch, UTC."""
        return int(self.now_s() * 1000)


@contextmanager
def loop_runner() -> Iterator[asyncio.Runner]:
    """Make a runner of such a loop."""
    with pytest.MonkeyPatch.context() as patched, asyncio.Runner(loop_factory=LoopTime) as runner:
        patched.setattr(WorkThread, "run", _counted(WorkThread.run))
        yield runner


def run(main: Coroutine[Any, Any, R]) -> R:
    """As `asyncio.run`."""
    with loop_runner() as runner:
        return runner.run(main)


def _counted(run_on_thread: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
    async def run_counted(self: WorkThread, work: Callable[[], Any]) -> Any:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, LoopTime):
            return await run_on_thread(self, work)
        loop.jobs += 1
        try:
            return await run_on_thread(self, work)
        finally:
            loop.jobs -= 1

    return run_counted
