"""The requests of one connection, served in turn."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, TypeAlias

from pyworkers.server.cycle import Cycle

Scope: TypeAlias = dict[str, Any]


class Turns:
    """Serves the requests of one connection, one after another, in one task.

    Args:
        app: the ASGI application.
        transport: of the connection.
        loop: of the task.
        tasks: where the task is while it runs.
    """

    __slots__ = ("_app", "_arrival", "_is_over", "_loop", "_running", "_task", "_tasks", "_transport", "_waiting")

    def __init__(
        self,
        app: Any,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        tasks: set[asyncio.Task[None]],
    ) -> None:
        self._app: Final = app
        self._transport: Final = transport
        self._loop: Final = loop
        self._tasks: Final = tasks
        self._waiting: deque[tuple[Cycle, Scope]] = deque()
        self._running: Cycle | None = None
        self._task: asyncio.Task[None] | None = None
        self._arrival: asyncio.Future[None] | None = None  # there while the task waits for a request
        self._is_over = False

    @property
    def is_owing(self) -> bool:
        """Tell whether a request has yet to be answered that the client waits for."""
        cycle = self._running
        if cycle is not None and not cycle.response_complete and not cycle.disconnected:
            return True
        return any(not cycle.disconnected for cycle, _ in self._waiting)

    @property
    def has_next(self) -> bool:
        """Tell whether a request waits for its turn."""
        return bool(self._waiting)

    def add(self, cycle: Cycle, scope: Scope) -> None:
        """Serve a request when those before it have been."""
        self._waiting.append((cycle, scope))
        if self._arrival is not None:
            self._wake()
        elif self._task is None:
            self._start()

    def lose(self) -> None:
        """The client has gone."""
        if self._running is not None:
            self._running.lose()

    def end(self) -> None:
        """No request comes any more, and those that wait are not served."""
        self._is_over = True
        self._waiting.clear()
        self._wake()

    def _start(self) -> None:
        # Not the loop's factory: it asks whose code makes the task, and this is nobody's.
        self._task = asyncio.Task(self._serve(), loop=self._loop)
        self._task.add_done_callback(self._served)
        self._tasks.add(self._task)

    async def _serve(self) -> None:
        """Run the application for one request after another: a task for each would cost a tenth of a small one."""
        task = self._task
        assert task is not None  # this is it
        app, transport, waiting = self._app, self._transport, self._waiting
        while not self._is_over:
            if not waiting:
                self._arrival = self._loop.create_future()
                await self._arrival
                continue
            cycle, scope = waiting.popleft()
            self._running = cycle
            try:
                await app(scope, cycle.receive, cycle.send)
            except BaseException as error:
                cycle.end_badly(error)
            else:
                if not cycle.response_complete:
                    cycle.end_badly(None)
            self._running = None
            del cycle, scope  # an idle connection holds little
            if task.cancelling() or transport.is_closing():
                return

    def _served(self, task: asyncio.Task[None]) -> None:
        """The connection has ended; or one of its requests was cancelled, of which the next ones are to see nothing."""
        self._tasks.discard(task)
        self._task = self._arrival = None
        if self._waiting and not self._transport.is_closing():
            self._start()

    def _wake(self) -> None:
        arrival, self._arrival = self._arrival, None
        if arrival is not None and not arrival.done():
            arrival.set_result(None)
