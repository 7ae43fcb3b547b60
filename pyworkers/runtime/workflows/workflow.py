"""One workflow: its instances, those that run and those that do not; see `WorkflowHost`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from pyworkers.bindings.workflows.failures import CANNOT_TERMINATE
from pyworkers.bindings.workflows.limits import DEFAULT_STEP_LIMIT, MAX_VALUE_BYTES
from pyworkers.clock import Clock
from pyworkers.engines.workflows import FINISHED, InstanceRecord, LogEntry, WorkflowEngine
from pyworkers.errors import InternalError
from pyworkers.js.serialization import deserialize, serialize
from pyworkers.js.values import JsException, JsObject
from pyworkers.runtime.failures import format_traceback
from pyworkers.runtime.isolate import Isolate
from pyworkers.runtime.services import not_found
from pyworkers.runtime.triggers import Observer, Occurrence
from pyworkers.runtime.workflows.history import LogEvent, details_of, log_entry, status_of
from pyworkers.runtime.workflows.run import Run

_log = logging.getLogger("pyworkers.worker")

_END_WAIT_S = 1.0


class Workflow:
    """One workflow.

    Args:
        name: what its data goes by.
        worker: the name of the worker whose class it runs.
        find_isolate: finds that worker as it is now; None where there is none.
        observer: finds who is told of a run that is over.
        is_live: run instances; otherwise what is done to them is stored, for whoever runs them next.
    """

    def __init__(
        self,
        name: str,
        *,
        worker: str,
        class_name: str,
        engine: WorkflowEngine,
        find_isolate: Callable[[str], Isolate | None],
        clock: Clock,
        observer: Callable[[], Observer | None] = lambda: None,
        is_live: bool = True,
    ) -> None:
        self.name = name
        self.worker = worker
        self.class_name = class_name
        self.engine = engine
        self.step_limit = DEFAULT_STEP_LIMIT
        self._find_isolate = find_isolate
        self._clock = clock
        self._observer = observer
        self._is_live = is_live
        self._runs: dict[str, Run] = {}
        self._ended: set[Run] = set()

    def isolate(self) -> Isolate:
        """Return the worker as it is now.

        Raises:
            JsException: there is none.
        """
        isolate = self._find_isolate(self.worker)
        if isolate is None:
            raise JsException("Error", not_found(self.worker))
        return isolate

    def report(self, occurrence: Occurrence) -> None:
        """Tell of a run that is over; without anybody to tell, what has failed is logged."""
        observer = self._observer()
        if observer is not None:
            observer.closed(occurrence)
        elif occurrence.error is not None:
            _log.error("workflow %s failed\n%s", occurrence.target, format_traceback(occurrence.error).rstrip())

    # ---- what the binding asks for

    def create(self, instance_id: str, params: Any) -> None:
        """Add an instance and start it; nothing happens where it exists."""
        try:
            data = serialize(params)
        except JsException as error:
            self._refuse(instance_id, error.message)
            return
        if len(data) > MAX_VALUE_BYTES:
            self._refuse(instance_id, f"its params are {len(data)} bytes, at most {MAX_VALUE_BYTES} are stored")
            return
        if not self.engine.create(instance_id, data, logs=_queued(data)):
            _log.warning(
                "workflow %s: there is an instance %s already; production refuses this", self.name, instance_id
            )
            return
        self._begin(instance_id)

    def has(self, instance_id: str) -> bool:
        """Tell whether an instance exists."""
        return self.engine.find(instance_id) is not None

    def status(self, instance_id: str) -> JsObject:
        """Return ``{status, __LOCAL_DEV_STEP_OUTPUTS, output, error}``."""
        return status_of(self._record(instance_id), self.engine.logs(instance_id))

    def details(self, instance_id: str) -> JsObject:
        """Return everything that is known of an instance."""
        return details_of(self._record(instance_id), self.engine.logs(instance_id))

    async def change(self, instance_id: str, action: str) -> None:
        """Do one of ``pause``, ``resume``, ``restart`` and ``terminate``.

        Raises:
            JsException: it is finished and cannot be terminated.
        """
        changes = {
            "pause": self._pause,
            "resume": self._resume,
            "restart": self._restart,
            "terminate": self._terminate,
        }
        changes[action](self._record(instance_id))

    def send_event(self, instance_id: str, event_type: str, payload: Any) -> None:
        """Give an instance an event; it is kept until a step takes it."""
        self.engine.add_event(instance_id, event_type, serialize(payload))
        run = self._runs.get(instance_id)
        if run is not None:
            run.deliver(event_type)

    def delete(self, instance_id: str) -> None:
        """Stop an instance and forget it."""
        self._stop(instance_id)
        self.engine.delete(instance_id)

    # ---- its life

    def resume_all(self) -> None:
        """Run on what the end of the last process has interrupted."""
        for instance_id in self.engine.unfinished():
            record = self._record(instance_id)
            if record.status == "waitingForPause":
                self.engine.set_status(instance_id, "paused", paused_ms=self._clock.now_ms())
            elif instance_id not in self._runs:
                self._begin(instance_id)

    def reload(self) -> None:
        """Let instances go on in new code: those that wait at once, the others as soon as they do."""
        for run in list(self._runs.values()):
            run.leave_old_code()
        self.resume_all()  # those that no code could be loaded for

    def renew(self, run: Run) -> None:
        """Stop a run and begin it anew."""
        if self._runs.get(run.instance_id) is run:
            self._stop(run.instance_id)
            self._begin(run.instance_id)

    async def close(self) -> None:
        """Stop everything; what is unfinished runs on at the next start."""
        for instance_id in list(self._runs):
            self._stop(instance_id)
        tasks = [task for run in self._ended for task in run.tasks() if not task.done()]
        if tasks:
            await asyncio.wait(tasks, timeout=_END_WAIT_S)

    # ---- changes

    def _pause(self, record: InstanceRecord) -> None:
        run = self._runs.get(record.instance_id)
        if record.status in FINISHED or record.status in ("paused", "waitingForPause"):
            return
        if run is not None:
            run.pause()
        else:
            self.engine.set_status(record.instance_id, "paused", paused_ms=self._clock.now_ms())

    def _resume(self, record: InstanceRecord) -> None:
        instance_id = record.instance_id
        run = self._runs.get(instance_id)
        if record.status == "waitingForPause" and run is not None:
            run.cancel_pause()
        elif record.status == "paused":
            self._stop(instance_id)
            since_ms = record.paused_ms
            self.engine.resume(instance_id, by_ms=0 if since_ms is None else self._clock.now_ms() - since_ms)
            self._begin(instance_id)

    def _restart(self, record: InstanceRecord) -> None:
        self._stop(record.instance_id)
        self.engine.reset(record.instance_id, logs=_queued(record.params))
        self._begin(record.instance_id)

    def _terminate(self, record: InstanceRecord) -> None:
        if record.status in FINISHED:
            raise JsException("Error", CANNOT_TERMINATE)
        self._stop(record.instance_id)
        entry = log_entry(LogEvent.WORKFLOW_TERMINATED, {"trigger": JsObject({"source": 0})})
        self.engine.set_status(record.instance_id, "terminated", logs=[entry])

    def _begin(self, instance_id: str) -> None:
        if not self._is_live:
            return
        run = self._runs[instance_id] = Run(self, self._record(instance_id), self._clock, self._note_end)
        run.begin()

    def _stop(self, instance_id: str) -> None:
        run = self._runs.get(instance_id)
        if run is not None:
            run.stop()

    def _note_end(self, run: Run) -> None:
        if self._runs.get(run.instance_id) is run:
            del self._runs[run.instance_id]
        self._ended = {ended for ended in (*self._ended, run) if any(not task.done() for task in ended.tasks())}

    def _record(self, instance_id: str) -> InstanceRecord:
        record = self.engine.find(instance_id)
        if record is None:
            raise InternalError(f"workflow {self.name} has no instance {instance_id}")
        return record

    def _refuse(self, instance_id: str, reason: str) -> None:
        """The platform acknowledges such an instance and never has it."""
        _log.warning("workflow %s: the instance %s was not created: %s", self.name, instance_id, reason)


def _queued(params: bytes) -> list[LogEntry]:
    queued = {"params": deserialize(params), "versionId": "", "trigger": JsObject({"source": 0})}
    return [log_entry(LogEvent.WORKFLOW_QUEUED, queued), log_entry(LogEvent.WORKFLOW_START)]
