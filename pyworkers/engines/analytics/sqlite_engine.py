"""Analytics Engine in SQLite: one table of all points, written by a thread of its own.

The columns are the platform's: ``dataset, timestamp, index1, blob1 … blob20, double1 … double20, _sample_interval``.
"""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Final

import apsw

from pyworkers.clock import Clock
from pyworkers.engines.analytics.protocol import BLOBS, DOUBLES, DataPoint
from pyworkers.engines.sqlite import open_database, sqlite_errors
from pyworkers.engines.work_thread import WorkThread
from pyworkers.errors import EngineBusy, EngineClosed, EngineError

_BLOB_COLUMNS: Final = [f"blob{n}" for n in range(1, BLOBS + 1)]
_DOUBLE_COLUMNS: Final = [f"double{n}" for n in range(1, DOUBLES + 1)]
_COLUMNS: Final = ["dataset", "timestamp", "index1", *_BLOB_COLUMNS, *_DOUBLE_COLUMNS, "_sample_interval"]
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS points (dataset TEXT NOT NULL, timestamp INTEGER NOT NULL, index1 TEXT NOT NULL, "
    + ", ".join(f"{name} NOT NULL" for name in _BLOB_COLUMNS)
    + ", "
    + ", ".join(f"{name} REAL" for name in _DOUBLE_COLUMNS)  # SQLite keeps NaN as NULL
    + ", _sample_interval INTEGER NOT NULL);"
    " CREATE INDEX IF NOT EXISTS points_by_time ON points (dataset, timestamp)"
)
_INSERT: Final = f"INSERT INTO points VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - marks only
_READ: Final = f"SELECT {', '.join(_COLUMNS)} FROM points WHERE dataset = ? ORDER BY rowid"  # noqa: S608 - constants

Row = tuple[str | int | float | bytes, ...]


class SqliteAnalyticsEngine:
    """All datasets of a project in one SQLite file, or in memory.

    A write only queues the point, in about a microsecond; a thread stores what has come together. What was flushed
    survives the death of this process (see `pyworkers.engines.sqlite`).

    Args:
        path: the file, made at first use; None keeps everything in memory.
        clock: unused; a point brings its time.
    """

    def __init__(self, path: Path | None = None, *, clock: Clock | None = None) -> None:
        del clock
        self.path = path
        self._thread = WorkThread("analytics")
        self._waiting: deque[Row] = deque()
        self._is_draining = False
        self._has_written = False
        self._database: apsw.Connection | None = None
        self._failure: EngineError | None = None
        self._is_closed = False

    def write(self, point: DataPoint) -> None:
        """Take a point; it is stored soon."""
        self._check_open()
        self._waiting.append(_row(point))
        if not self._is_draining:
            self._is_draining = self._has_written = True
            self._thread.post(self._drain)

    async def flush(self) -> None:
        """Wait until everything written so far is durable."""
        self._check_open()
        await self._flush()

    async def read(self, dataset: str) -> list[DataPoint]:
        """Return a dataset's points."""
        await self.flush()
        return await self._thread.run(lambda: self._read(dataset))

    async def close(self) -> None:
        """Flush and give the file back; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self._flush()
        finally:
            if self._database is not None:
                await self._thread.run(self._database.close)
            await self._thread.close()

    async def __aenter__(self) -> SqliteAnalyticsEngine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise EngineClosed("the Analytics Engine is closed")

    async def _flush(self) -> None:
        if self._has_written:  # the thread may be in the middle of a drain: queue behind it
            await self._thread.run(self._drain)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    # ---- on the thread

    def _open(self) -> apsw.Connection:
        if self._database is None:
            database = open_database(self.path)
            with sqlite_errors(self.path):
                for statement in _SCHEMA.split(";"):
                    database.execute(statement)
            self._database = database
        return self._database

    def _drain(self) -> None:
        self._is_draining = False  # before the queue is read: a point that comes later posts again
        rows = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not rows:
            return
        try:
            with sqlite_errors(self.path), self._open() as database:
                database.executemany(_INSERT, rows)
        except EngineError as error:
            self._failure = error
            if isinstance(error, EngineBusy):  # the lock's end is all that they wait for
                self._waiting.extendleft(reversed(rows))

    def _read(self, dataset: str) -> list[DataPoint]:
        with sqlite_errors(self.path):
            return [_point(row) for row in self._open().execute(_READ, (dataset,))]


def _row(point: DataPoint) -> Row:
    blobs = [blob if blob is not None else "" for blob in point.blobs[:BLOBS]]
    blobs += [""] * (BLOBS - len(blobs))
    doubles = [*point.doubles[:DOUBLES]]
    doubles += [0.0] * (DOUBLES - len(doubles))
    return (point.dataset, point.timestamp_ms, point.index, *blobs, *doubles, point.sample_interval)


def _point(row: tuple[object, ...]) -> DataPoint:
    dataset, timestamp_ms, index, *rest = row
    return DataPoint(
        str(dataset),
        int(str(timestamp_ms)),
        str(index),
        tuple(blob if isinstance(blob, str | bytes) else str(blob) for blob in rest[:BLOBS]),
        tuple(math.nan if double is None else float(str(double)) for double in rest[BLOBS : BLOBS + DOUBLES]),
        int(str(rest[-1])),
    )
