"""D1 in SQLite through apsw: one file and one thread a database.

A call, whatever it holds, is one transaction. A call of statements that took little time before runs on the event loop,
where it is interrupted after `AT_ONCE_S`; everything else, and what was interrupted, is one hop to the thread. SQLite
runs without Python's lock there, so a slow query delays nothing else. Compiled statements are kept.

Source: recorded, contracts/d1; developers.cloudflare.com/d1/platform/limits
"""

from __future__ import annotations

import asyncio
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
        self._thread = WorkThread(f"d1-{path.stem if path else 'memory'}")
        self._database = Database(lambda: ApswConnection(path), max_query_s=max_query_s)
        self._is_closed = False
        self._held_s = 0.0

    async def run(self, statements: Sequence[D1Statement]) -> D1Answer:
        """Run statements in one transaction; a result for each."""
        if self._is_closed:
            raise EngineClosed("the D1 database is closed")
        if self._thread.is_idle:  # or else it would overtake what was called before
            started_s = perf_counter()
            answer = self._database.run_at_once(statements)
            self._held_s += perf_counter() - started_s
            if self._held_s > HELD_S:
                self._held_s = 0.0
                if answer is not None:
                    await asyncio.sleep(0)
            if answer is not None:
                return answer
        return await self._thread.run(lambda: self._database.run(statements))

    async def close(self) -> None:
        """Interrupt what runs and give the file back; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._database.interrupt()
        await self._thread.run(self._database.close)
        await self._thread.close()

    async def __aenter__(self) -> SqliteD1Engine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
