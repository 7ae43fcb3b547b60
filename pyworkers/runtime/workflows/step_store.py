"""The steps of one instance, as they are stored, for one run of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

from pyworkers.bindings.workflows.limits import MAX_VALUE_BYTES
from pyworkers.clock import Clock
from pyworkers.engines.workflows import LogEntry, SentEvent, StepRecord, WorkflowEngine
from pyworkers.js.serialization import deserialize, serialize
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException
from pyworkers.runtime.workflows.gate import Gate


class StepStore:
    """Reads and writes the steps of an instance, until the run is stopped.

    Args:
        gate: where the run waits.
    """

    def __init__(self, engine: WorkflowEngine, instance_id: str, gate: Gate, clock: Clock) -> None:
        self._open_engine: WorkflowEngine | None = engine
        self._instance_id = instance_id
        self._clock = clock
        self.gate = gate

    @property
    def _engine(self) -> WorkflowEngine:
        """The engine; code that was cancelled and goes on all the same changes nothing any more."""
        if self._open_engine is None:
            raise asyncio.CancelledError
        return self._open_engine

    def close(self) -> None:
        """The run is stopped."""
        self._open_engine = None

    def now_ms(self) -> int:
        """Return milliseconds since the epoch."""
        return self._clock.now_ms()

    def find(self, key: str) -> StepRecord | None:
        """Return a step, or None where it has not begun."""
        return self._engine.step(self._instance_id, key)

    def save(self, step: StepRecord, *logs: LogEntry) -> StepRecord:
        """Store a step as it stands now; returns it."""
        self._engine.save_step(self._instance_id, step, logs=logs)
        return step

    def finish(self, step: StepRecord, value: Any, *logs: LogEntry, event: SentEvent | None = None) -> None:
        """Store a step's result.

        Args:
            value: a JavaScript value, or a stream's ``bytes``.
            event: one that the step takes.

        Raises:
            JsException: DataCloneError; WorkflowInternalError, for more than the platform stores.
        """
        is_stream = isinstance(value, bytes)
        data = value if is_stream else serialize(value)
        if not is_stream and len(data) > MAX_VALUE_BYTES:
            raise JsException("WorkflowInternalError", f"{len(data)} bytes")
        done = replace(step, state="done", due_ms=None, value=data, is_stream=is_stream)
        self._engine.save_step(self._instance_id, done, logs=logs, event=event)

    def fail(self, step: StepRecord, error: JsException, *logs: LogEntry) -> None:
        """Store that a step has failed for good."""
        data = json.dumps([error.name, error.message]).encode()
        failed = replace(step, state="failed", due_ms=None, value=data)
        self._engine.save_step(self._instance_id, failed, logs=logs)

    def log(self, *logs: LogEntry) -> None:
        """Log something."""
        self._engine.add_logs(self._instance_id, logs)

    def next_event(self, event_type: str) -> SentEvent | None:
        """Return the oldest event of a type that no step has taken."""
        return self._engine.next_event(self._instance_id, event_type)


def step_result(step: StepRecord) -> Any:
    """Return the result of a step that is done; each call makes a new one."""
    data = step.value or b""
    return ReadableStream.of_bytes(data) if step.is_stream else deserialize(data)


def stored_error(step: StepRecord) -> JsException:
    """Return the error of a step that has failed."""
    return JsException(*json.loads(step.value or b'["Error", ""]'))
