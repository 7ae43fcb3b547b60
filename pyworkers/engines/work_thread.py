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
        self._awaited += 1
        self._jobs.put((work, future.get_loop(), future))
        self._start()

    def post(self, work: Callable[[], None]) -> None:
        """Have ``work`` run on the thread and return at once; ``work`` deals with its own errors."""
        self._jobs.put((work, None, None))
        self._start()

    async def close(self) -> None:
        """End the thread after the work that is waiting; idempotent."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, loop, future = job
            try:
                result = work()
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


def _deliver(loop: asyncio.AbstractEventLoop | None, settle: Callable[..., None], future: Any, outcome: object) -> None:
    if loop is None:
        return
    try:
        loop.call_soon_threadsafe(settle, future, outcome)
    except RuntimeError:
        return  # the loop is closed: nobody waits
