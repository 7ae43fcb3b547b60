"""D1 in SQLite through apsw: one file and one thread a database.

A call, whatever it holds, is one transaction. A call of statements that took little time before runs on the event loop,
where it is interrupted after `AT_ONCE_S`; everything else, and what was interrupted, is one hop to the thread. SQLite
runs without Python's lock there, so a slow query delays nothing else. Compiled statements are kept.

Source: recorded, contracts/d1; developers.cloudflare.com/d1/platform/limits
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Final

from pyworkers.clock import Clock
from pyworkers.engines.d1.apsw_connection import ApswConnection
from pyworkers.engines.d1.database import Database
from pyworkers.engines.d1.protocol import D1Answer, D1Statement
from pyworkers.engines.work_thread import WorkThread
from pyworkers.errors import EngineClosed

MAX_QUERY_S: Final = 30.0
# How long calls hold the event loop, together, before others have a turn.
HELD_S: Final = 0.001


class SqliteD1Engine:
    """A database in one SQLite file, or in memory.

    An acknowledged call survives the death of this process (see `pyworkers.engines.sqlite`).

    Args:
        path: the file, made at first use; None keeps everything in memory.
        clock: unused; queries are limited in real time.
        max_query_s: how long one call may run.
    """

    def __init__(
        self, path: Path | None = None, *, clock: Clock | None = None, max_query_s: float = MAX_QUERY_S
    ) -> None:
        del clock
        self.path = path
        self._thread = WorkThread(f"d1-{path.stem if path else 'memory'}", on_idle=self._run_waiting)
        self._waiting: deque[tuple[Sequence[D1Statement], asyncio.Future[D1Answer]]] = deque()
        self._database = Database(lambda: ApswConnection(path), max_query_s=max_query_s)
        self._is_closed = False
        self._held_s = 0.0

    async def run(self, statements: Sequence[D1Statement]) -> D1Answer:
        """Run statements in one transaction; a result for each."""
        if self._is_closed:
            raise EngineClosed("the D1 database is closed")
        if not self._thread.is_idle or self._waiting:  # what was called before is not overtaken
            if self._waiting or self._database.are_brief(statements):
                return await self._wait(statements)
            return await self._thread.run(lambda: self._database.run(statements))
        answer = self._run_at_once(statements)
        if answer is None:
            return await self._thread.run(lambda: self._database.run(statements))
        if self._has_held():
            await asyncio.sleep(0)
        return answer

    async def close(self) -> None:
        """Interrupt what runs and give the file back; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._database.interrupt()
        while self._waiting:
            self._submit(*self._waiting.popleft())
        await self._thread.run(self._database.close)
        await self._thread.close()

    async def _wait(self, statements: Sequence[D1Statement]) -> D1Answer:
        """Wait for the thread to be done, not for a turn there, or else many callers would never leave it again."""
        future: asyncio.Future[D1Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((statements, future))
        return await future

    def _submit(self, statements: Sequence[D1Statement], future: asyncio.Future[D1Answer]) -> None:
        self._thread.submit(lambda: self._database.run(statements), future)

    def _run_waiting(self) -> None:
        """Run what waits for the thread to be done, as far as the event loop may be held."""
        while self._waiting and self._thread.is_idle:
            statements, future = self._waiting.popleft()
            try:
                answer = self._run_at_once(statements)
            except BaseException as error:
                if not future.done():
                    future.set_exception(error)
                if not isinstance(error, Exception):  # ends the loop, perhaps; those that wait still have their turn
                    future.get_loop().call_soon(self._run_waiting)
                    raise
                continue
            if answer is None:
                self._submit(statements, future)
            elif not future.done():
                future.set_result(answer)
            if self._has_held() and self._waiting:
                future.get_loop().call_soon(self._run_waiting)
                return

    def _run_at_once(self, statements: Sequence[D1Statement]) -> D1Answer | None:
        started_s = perf_counter()
        try:
            return self._database.run_at_once(statements)
        finally:
            self._held_s += perf_counter() - started_s

    def _has_held(self) -> bool:
        """Tell whether others are to have a turn now."""
        if self._held_s <= HELD_S:
            return False
        self._held_s = 0.0
        return True

    async def __aenter__(self) -> SqliteD1Engine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
