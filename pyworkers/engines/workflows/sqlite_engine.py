"""Workflows in SQLite: one file a workflow, read and written on the event loop.

A write is a transaction of a few rows, about 30 µs; it survives the death of the process when the call returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import apsw

from pyworkers.clock import Clock, SystemClock
from pyworkers.engines.sqlite import open_database, sqlite_errors
from pyworkers.engines.workflows.protocol import InstanceRecord, LogEntry, LogRecord, SentEvent, StepRecord
from pyworkers.errors import EngineClosed

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS instances (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, status TEXT NOT NULL, params BLOB NOT NULL,
    created_ms INTEGER NOT NULL, modified_ms INTEGER NOT NULL, paused_ms INTEGER
);
CREATE INDEX IF NOT EXISTS instances_by_status ON instances (status);
CREATE TABLE IF NOT EXISTS steps (
    instance_id TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, config TEXT,
    due_ms INTEGER, value BLOB, is_stream INTEGER NOT NULL, PRIMARY KEY (instance_id, key)
);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, instance_id TEXT NOT NULL, type TEXT NOT NULL, payload BLOB NOT NULL,
    time_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_instance ON events (instance_id, type);
CREATE TABLE IF NOT EXISTS logs (
    number INTEGER PRIMARY KEY, instance_id TEXT NOT NULL, time_ms INTEGER NOT NULL, event INTEGER NOT NULL,
    step_key TEXT, target TEXT, metadata TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS logs_by_instance ON logs (instance_id);
"""
_INSTANCE: Final = "SELECT id, status, params, created_ms, modified_ms, paused_ms FROM instances"
_SAVE_STEP: Final = "INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_STEP: Final = (
    "SELECT key, state, attempts, config, due_ms, value, is_stream FROM steps WHERE instance_id = ? AND key = ?"
)
_LOG: Final = "INSERT INTO logs (instance_id, time_ms, event, step_key, target, metadata) VALUES (?, ?, ?, ?, ?, ?)"
_PARTS: Final = ("steps", "events", "logs")


class SqliteWorkflowEngine:
    """One workflow's instances in one SQLite file; see `WorkflowEngine`.

    Args:
        path: the file; None keeps everything in memory.
        clock: what times are taken from.
    """

    def __init__(self, path: Path | None = None, *, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._connection: apsw.Connection | None = None
        self._is_closed = False

    # ---- instances

    def create(self, instance_id: str, params: bytes, *, logs: Sequence[LogEntry] = ()) -> bool:
        """Add a queued instance; False where it exists already."""
        now_ms = self._clock.now_ms()
        with self._transaction() as execute:
            execute(
                "INSERT OR IGNORE INTO instances (id, status, params, created_ms, modified_ms)"
                " VALUES (?, 'queued', ?, ?, ?)",
                (instance_id, params, now_ms, now_ms),
            )
            is_new = bool(self._database().changes())
            if is_new:
                self._add_logs(execute, instance_id, logs)
            return is_new

    def find(self, instance_id: str) -> InstanceRecord | None:
        """Return an instance."""
        rows = self._read(f"{_INSTANCE} WHERE id = ?", (instance_id,))
        return InstanceRecord(*rows[0]) if rows else None

    def instances(
        self, *, status: str | None = None, limit: int = -1, offset: int = 0, newest_first: bool = True
    ) -> list[InstanceRecord]:
        """Return instances by the time of their creation."""
        order = "DESC" if newest_first else "ASC"
        rows = self._read(
            f"{_INSTANCE} WHERE ?1 IS NULL OR status = ?1"
            f" ORDER BY created_ms {order}, number {order} LIMIT ?2 OFFSET ?3",
            (status, limit, offset),
        )
        return [InstanceRecord(*row) for row in rows]

    def counts(self) -> Mapping[str, int]:
        """Return how many instances have each status that any has."""
        return dict(self._read("SELECT status, count(*) FROM instances GROUP BY status", ()))

    def unfinished(self) -> list[str]:
        """Return the ids of the instances that are to run, the oldest first."""
        rows = self._read(
            "SELECT id FROM instances WHERE status IN ('queued', 'running', 'waiting', 'waitingForPause')"
            " ORDER BY number",
            (),
        )
        return [row[0] for row in rows]

    def set_status(
        self, instance_id: str, status: str, *, logs: Sequence[LogEntry] = (), paused_ms: int | None = None
    ) -> None:
        """Change an instance's status."""
        with self._transaction() as execute:
            self._set_status(execute, instance_id, status, paused_ms)
            self._add_logs(execute, instance_id, logs)

    def resume(self, instance_id: str, *, by_ms: int) -> None:
        """Queue a paused instance, and put off by ``by_ms`` whatever it waits for."""
        with self._transaction() as execute:
            self._set_status(execute, instance_id, "queued", None)
            execute(
                "UPDATE steps SET due_ms = due_ms + ? WHERE instance_id = ? AND state = 'open'", (by_ms, instance_id)
            )

    def reset(self, instance_id: str, *, logs: Sequence[LogEntry] = ()) -> None:
        """Queue an instance as if it had just been created."""
        with self._transaction() as execute:
            for table in _PARTS:
                execute(f"DELETE FROM {table} WHERE instance_id = ?", (instance_id,))  # noqa: S608  # a constant
            self._set_status(execute, instance_id, "queued", None)
            self._add_logs(execute, instance_id, logs)

    def delete(self, instance_id: str) -> None:
        """Forget an instance."""
        with self._transaction() as execute:
            for table in _PARTS:
                execute(f"DELETE FROM {table} WHERE instance_id = ?", (instance_id,))  # noqa: S608  # a constant
            execute("DELETE FROM instances WHERE id = ?", (instance_id,))

    # ---- what belongs to one

    def step(self, instance_id: str, key: str) -> StepRecord | None:
        """Return a step, or None where it has not begun."""
        rows = self._read(_STEP, (instance_id, key))
        if not rows:
            return None
        *values, is_stream = rows[0]
        return replace(StepRecord(*values), is_stream=bool(is_stream))

    def save_step(
        self, instance_id: str, step: StepRecord, *, logs: Sequence[LogEntry] = (), event: SentEvent | None = None
    ) -> None:
        """Store a step as it stands now."""
        values = step.key, step.state, step.attempts, step.config, step.due_ms, step.value, step.is_stream
        with self._transaction() as execute:
            execute(_SAVE_STEP, (instance_id, *values))
            if event is not None:
                execute("DELETE FROM events WHERE number = ?", (event.number,))
            self._add_logs(execute, instance_id, logs)

    def add_event(self, instance_id: str, event_type: str, payload: bytes) -> None:
        """Keep an event until a step takes it."""
        with self._transaction() as execute:
            execute(
                "INSERT INTO events (instance_id, type, payload, time_ms) VALUES (?, ?, ?, ?)",
                (instance_id, event_type, payload, self._clock.now_ms()),
            )

    def next_event(self, instance_id: str, event_type: str) -> SentEvent | None:
        """Return the oldest event of a type that no step has taken."""
        rows = self._read(
            "SELECT number, type, payload, time_ms FROM events WHERE instance_id = ? AND type = ?"
            " ORDER BY number LIMIT 1",
            (instance_id, event_type),
        )
        return SentEvent(*rows[0]) if rows else None

    def add_logs(self, instance_id: str, logs: Sequence[LogEntry]) -> None:
        """Log something."""
        with self._transaction() as execute:
            self._add_logs(execute, instance_id, logs)

    def logs(self, instance_id: str) -> list[LogRecord]:
        """Return everything that was logged of an instance."""
        rows = self._read(
            "SELECT time_ms, event, step_key, target, metadata FROM logs WHERE instance_id = ? ORDER BY number",
            (instance_id,),
        )
        return [LogRecord(row[0], LogEntry(*row[1:])) for row in rows]

    async def close(self) -> None:
        """Close the file; idempotent."""
        self._is_closed = True
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # ---- the file

    def _set_status(self, execute: Any, instance_id: str, status: str, paused_ms: int | None) -> None:
        execute(
            "UPDATE instances SET status = ?, modified_ms = ?, paused_ms = ? WHERE id = ?",
            (status, self._clock.now_ms(), paused_ms, instance_id),
        )

    def _add_logs(self, execute: Any, instance_id: str, logs: Sequence[LogEntry]) -> None:
        now_ms = self._clock.now_ms()
        for log in logs:
            execute(_LOG, (instance_id, now_ms, log.event, log.step_key, log.target, log.metadata))

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        connection = self._database()
        with sqlite_errors(self._path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection.execute
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has ended it already
                    connection.execute("ROLLBACK")
                raise

    def _read(self, sql: str, values: Sequence[Any]) -> list[Any]:
        connection = self._database()
        with sqlite_errors(self._path):
            return connection.execute(sql, values).fetchall()

    def _database(self) -> apsw.Connection:
        if self._is_closed:
            raise EngineClosed("the workflow's database is closed")
        if self._connection is None:
            self._connection = open_database(self._path)
            with sqlite_errors(self._path):
                self._connection.execute(_SCHEMA)
        return self._connection
