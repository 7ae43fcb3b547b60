"""A SQLite file that is read and written on the event loop, without holding the loop up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import apsw

from pyworkers.engines.sqlite import LogMover, engine_error, open_database
from pyworkers.errors import EngineBusy, EngineClosed

R = TypeVar("R")

# How long a lock of another process is waited for, and how long each look at it blocks the loop.
LOCK_WAIT_S: Final = 5.0
LOCK_LOOK_MS: Final = 2
_LOOK_AGAIN_S: Final = 0.005


class LoopDatabase:
    """A database for short statements: microseconds, less than a hop to another thread costs.

    The log is moved into the file by a thread, and a lock of another process is waited for with the loop running.

    Args:
        path: the file, made at first use; None is memory.
        schema: statements that make the tables.
        what: the name for messages, such as ``the queue``.
    """

    def __init__(self, path: Path | None, schema: str, what: str) -> None:
        self.path = path
        self._schema = schema
        self._what = what
        self._connection: apsw.Connection | None = None
        self._mover = LogMover(path, "queue-checkpoint")
        self._is_closed = False

    def open(self) -> apsw.Connection:
        """Return the connection.

        Raises:
            EngineError: the file cannot be opened.
        """
        if self._connection is not None:
            return self._connection
        if self._is_closed:
            raise EngineClosed(f"{self._what} is closed")
        database = open_database(self.path, busy_timeout_ms=LOCK_LOOK_MS)
        try:
            if database.pragma("user_version") == 0:
                # In one transaction: another process may make the same file at the same time.
                database.execute(f"BEGIN IMMEDIATE; {self._schema} PRAGMA user_version = 1; COMMIT")
        except BaseException:
            database.close()
            raise
        self._mover.watch(database)
        self._connection = database
        return database

    async def run(self, work: Callable[[apsw.Connection], R]) -> R:
        """Run one statement, or several that need not be one transaction."""
        return await self._retry(lambda: work(self.open()))

    async def transact(self, work: Callable[[apsw.Connection], R]) -> R:
        """Run ``work`` as one transaction that writes."""
        return await self._retry(lambda: self._transact(work))

    async def close(self) -> None:
        """Give the file back; idempotent."""
        self._is_closed = True
        if self.path is not None:
            await asyncio.to_thread(self._mover.join)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _transact(self, work: Callable[[apsw.Connection], R]) -> R:
        database = self.open()
        database.execute("BEGIN IMMEDIATE")
        try:
            result = work(database)
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        return result

    async def _retry(self, work: Callable[[], R]) -> R:
        deadline_s: float | None = None
        while True:
            try:
                return work()
            except (apsw.BusyError, apsw.LockedError, EngineBusy) as error:
                now_s = asyncio.get_running_loop().time()
                deadline_s = now_s + LOCK_WAIT_S if deadline_s is None else deadline_s
                if now_s >= deadline_s:
                    if isinstance(error, EngineBusy):
                        raise
                    raise engine_error(error, self.path) from error
            except apsw.Error as error:
                raise engine_error(error, self.path) from error
            await asyncio.sleep(_LOOK_AGAIN_S)
