"""D1 in SQLite through aiosqlite, which brings nothing compiled: Python's own sqlite3 on a thread.

As in the default engine a call is one hop to the thread. What differs follows from the machine's SQLite: its version,
and errors that do not tell where in the statement they are.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import aiosqlite

from pyworkers.clock import Clock
from pyworkers.engines.d1.connection import STATEMENTS_KEPT, D1Connection
from pyworkers.engines.d1.database import Database
from pyworkers.engines.d1.protocol import D1Answer, D1Statement
from pyworkers.engines.d1.stdlib_connection import StdlibConnection, translated
from pyworkers.errors import EngineClosed, EngineError

MAX_QUERY_S: Final = 30.0
BUSY_TIMEOUT_S: Final = 5.0


class AiosqliteD1Engine:
    """A database in one SQLite file, or in memory.

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
        self._database = Database(self._connect, max_query_s=max_query_s)
        self._opening = asyncio.Lock()
        self._opened: aiosqlite.Connection | None = None
        self._is_closed = False

    async def run(self, statements: Sequence[D1Statement]) -> D1Answer:
        """Run statements in one transaction; a result for each."""
        if self._is_closed:
            raise EngineClosed("the D1 database is closed")
        opened = self._opened or await self._open()
        # Its own methods make a hop to the thread each, several a statement; this is what they are made of.
        execute: Any = opened._execute
        answer: D1Answer = await execute(partial(self._database.run, statements))
        return answer

    async def close(self) -> None:
        """Interrupt what runs and give the file back; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._database.interrupt()
        async with self._opening:
            opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()

    async def __aenter__(self) -> AiosqliteD1Engine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _open(self) -> aiosqlite.Connection:
        async with self._opening:
            if self._opened is None:
                if self.path is not None:
                    _make_folder(self.path.parent)
                try:
                    self._opened = await aiosqlite.connect(
                        ":memory:" if self.path is None else self.path,
                        timeout=BUSY_TIMEOUT_S,
                        isolation_level=None,
                        cached_statements=STATEMENTS_KEPT,
                    )
                except sqlite3.Error as error:
                    raise translated(error, self.path) from error
            return self._opened

    def _connect(self) -> D1Connection:
        assert self._opened is not None
        return StdlibConnection(self._opened._conn, self.path)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(
            f"the folder {folder} cannot be made: {error.strerror}", hint="choose another --persist-to folder"
        ) from error
