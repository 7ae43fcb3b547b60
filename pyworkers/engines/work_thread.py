"""A thread that does one piece of work after another for the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

R = TypeVar("R")

_Job = tuple[Callable[[], Any], asyncio.AbstractEventLoop | None, "asyncio.Future[Any] | None"]


class WorkThread:
    """Runs what it is given, in the order given; the thread starts with the first piece of work.

    A caller that is cancelled no longer waits; its work is done all the same.

    Args:
        on_idle: called on the loop when everything given to `run` and `submit` is done.
    """

    def __init__(self, name: str, *, on_idle: Callable[[], None] = lambda: None) -> None:
        self._name = name
        self._on_idle = on_idle
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._awaited = 0

    @property
    def is_idle(self) -> bool:
        """Tell whether everything given to `run` and `submit` is done; on the loop that gave it."""
        return not self._awaited

    async def run(self, work: Callable[[], R]) -> R:
        """Run ``work`` on the thread and return what it returns."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self.submit(work, future)
        return await future

    def submit(self, work: Callable[[], R], future: asyncio.Future[R]) -> None:
        """Have ``work`` run on the thread; what it returns or raises becomes the future's."""
        self._start()
        self._awaited += 1
        self._jobs.put((work, future.get_loop(), future))

    def post(self, work: Callable[[], None]) -> None:
        """Have ``work`` run on the thread and return at once; ``work`` deals with its own errors."""
        self._start()
        self._jobs.put((work, None, None))

    async def close(self) -> None:
        """End the thread after the work that is waiting; idempotent."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            thread.start()  # the system may have none to spare: then nothing was asked of it, and the next call tries
            self._thread = thread

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, loop, future = job
            try:
                result = work()
            except StopIteration as error:  # which a future does not take
                _deliver(loop, self._fail, future, _wrapped(error))
            except BaseException as error:
                _deliver(loop, self._fail, future, error)
            else:
                _deliver(loop, self._succeed, future, result)
            del job, work, loop, future  # a waiting thread keeps nothing alive

    def _succeed(self, future: asyncio.Future[Any], result: object) -> None:
        if not future.done():
            future.set_result(result)
        self._note_done()

    def _fail(self, future: asyncio.Future[Any], error: BaseException) -> None:
        if not future.done():
            future.set_exception(error)
        self._note_done()

    def _note_done(self) -> None:
        self._awaited -= 1
        if not self._awaited:
            self._on_idle()


async def outlast(running: asyncio.Future[R]) -> R:
    """Return what a future gives; even a caller that is cancelled goes on only when it is there."""
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            try:
                await asyncio.wait([running])
            except asyncio.CancelledError:
                continue
        if not running.cancelled():
            running.exception()  # nobody else will ask for it
        raise


def _wrapped(error: StopIteration) -> RuntimeError:
    failure = RuntimeError("the work raised StopIteration")
    failure.__cause__ = error
    return failure


def _deliver(loop: asyncio.AbstractEventLoop | None, settle: Callable[..., None], future: Any, outcome: object) -> None:
    if loop is None:
        return
    try:
        loop.call_soon_threadsafe(settle, future, outcome)
    except RuntimeError:
        return  # the loop is closed: nobody waits
