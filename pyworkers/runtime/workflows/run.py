"""One run of an instance: an event of its own in the worker's isolate.

A run ends when the worker's ``run`` returns or throws, when it is paused or stopped, or with the process. The next run
of the same instance starts at the top, and finds what is stored.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any, Protocol

from pyworkers.bindings.workflows import WorkflowStep
from pyworkers.bindings.workflows.failures import NOT_HANDLED, PAUSED, crossed, is_non_retryable, non_retryable_message
from pyworkers.clock import Clock
from pyworkers.engines.workflows import InstanceRecord, LogEntry, WorkflowEngine
from pyworkers.errors import PyworkersError
from pyworkers.js.clone import structured_clone
from pyworkers.js.dates import Date
from pyworkers.js.promise import settle
from pyworkers.js.serialization import deserialize
from pyworkers.js.values import JsException, JsObject, type_error
from pyworkers.runtime.events import Event
from pyworkers.runtime.failures import plain_error
from pyworkers.runtime.isolate import Isolate
from pyworkers.runtime.triggers import Occurrence
from pyworkers.runtime.workflows.gate import Gate
from pyworkers.runtime.workflows.history import LogEvent, error_object, log_entry
from pyworkers.runtime.workflows.step_store import StepStore
from pyworkers.runtime.workflows.steps import Steps

_log = logging.getLogger("pyworkers.worker")


class RunOwner(Protocol):
    """The workflow that a run belongs to."""

    name: str
    class_name: str
    step_limit: int
    engine: WorkflowEngine

    def isolate(self) -> Isolate:
        """Return the worker as it is now."""
        ...

    def report(self, occurrence: Occurrence) -> None:
        """Tell of a run that is over."""
        ...

    def renew(self, run: Run) -> None:
        """Stop a run and begin it anew."""
        ...


class Run:
    """One run; make it, then `begin`.

    Args:
        on_end: called once, when the run is over.
    """

    def __init__(self, owner: RunOwner, record: InstanceRecord, clock: Clock, on_end: Callable[[Run], None]) -> None:
        self.instance_id = record.instance_id
        self._owner = owner
        self._record = record
        self._clock = clock
        self._on_end = on_end
        self._isolate: Isolate | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._event: Event | None = None
        self._started_s = perf_counter()
        self.gate = Gate(clock, self._paused)
        self._store = StepStore(owner.engine, record.instance_id, self.gate, clock)
        self._steps = Steps(self._store, step_limit=owner.step_limit, on_fatal=self._fatal)

    # ---- its life

    def begin(self) -> None:
        """Start, in the loop's next turn; who moves the clock waits until the run waits."""
        self._set_status("running")
        self._clock.call_at(self._clock.now_ms(), self._start)

    def stop(self) -> None:
        """End at once, leaving what is stored; what still runs changes nothing any more."""
        self._is_stopped = True
        self._store.close()
        self._end()
        for task in self.tasks():
            task.cancel()

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Return what runs."""
        return [*([] if self._task is None else [self._task]), *self._steps.tasks, *self.gate.close()]

    def pause(self) -> None:
        """Pause once no step runs."""
        self._set_status("waitingForPause")
        self.gate.pause()

    def cancel_pause(self) -> None:
        """Go on, where the pause has not come yet."""
        self.gate.cancel_pause()
        self._set_status("running")

    def deliver(self, event_type: str) -> None:
        """Tell the run of an event that was kept for it."""
        self._steps.deliver(event_type)
        self._clock.call_at(self._clock.now_ms(), self.gate.settling)  # who moves the clock waits for what comes of it

    def leave_old_code(self) -> None:
        """Begin anew in the worker's new code, as soon as this run does nothing but wait."""
        if self._isolate is not None:
            self.gate.when_blocked(lambda: self._owner.renew(self))

    def _start(self) -> asyncio.Task[None] | None:
        if self._is_stopped:
            return None
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._run(), context=contextvars.Context())
        return self.gate.settling()

    async def _run(self) -> None:
        try:
            try:
                result = await self._call()
            except PyworkersError:  # the worker cannot be loaded at this moment: it is begun again once it can
                raise
            except Exception as error:
                self._failed(error)
            else:
                self._succeeded(result)
        except PyworkersError as error:
            _log.error("workflow %s, instance %s: %s", self._owner.name, self.instance_id, error)
        finally:
            self._end()

    async def _call(self) -> Any:
        """Run the worker's code; returns a copy of what it returned."""
        owner = self._owner
        isolate = self._isolate = owner.isolate()
        cls = isolate.handlers.workflows.get(owner.class_name)
        if cls is None:
            raise type_error(f'The entrypoint "{owner.class_name}" was not found: {isolate.name} has no such workflow')
        event = self._event = isolate.open_event("workflow")
        fields = {
            "payload": deserialize(self._record.params),
            "timestamp": Date(self._record.created_ms),
            "instanceId": self.instance_id,
        }

        async def work() -> Any:
            instance = cls(event.ctx, isolate.env)
            function = getattr(instance, "run", None)
            if function is None:
                raise type_error('The RPC receiver does not implement the method "run".')
            result = await settle(function(JsObject(fields), WorkflowStep(self._steps)))
            return structured_clone(result, for_rpc=True, stub=lambda target: target)

        return await isolate.run_object_event(event, work(), _directly)

    # ---- how it ends

    def _succeeded(self, result: Any) -> None:
        self._report(None)
        self._set_status("complete", log_entry(LogEvent.WORKFLOW_SUCCESS, {"result": result}))

    def _failed(self, raised: Exception) -> None:
        error = crossed(raised if isinstance(raised, JsException) else plain_error(raised))
        if error.message == PAUSED:
            return
        if is_non_retryable(error):
            compat = None if self._isolate is None else self._isolate.realm.compat
            if compat is not None and compat.enabled("workflows_preserve_non_retryable_error_message"):
                error = JsException("NonRetryableError", non_retryable_message(error))
            else:
                error = JsException("WorkflowFatalError", NOT_HANDLED)
        self._report(raised)
        self._errored(error)

    def _fatal(self, error: JsException) -> None:
        """End the instance with an error that the worker's code does not see."""
        self._report(error)
        self._errored(error)
        self.stop()

    def _errored(self, error: JsException) -> None:
        self._set_status("errored", log_entry(LogEvent.WORKFLOW_FAILURE, {"error": error_object(error)}))

    def _report(self, error: BaseException | None) -> None:
        target = f"{self._owner.name}/{self.instance_id}"
        self._owner.report(Occurrence("WORKFLOW", target, self._event, self._started_s, error is None, error))

    def _paused(self) -> None:
        self._owner.engine.set_status(self.instance_id, "paused", paused_ms=self._clock.now_ms())

    def _set_status(self, status: str, *logs: LogEntry) -> None:
        if not self._is_stopped:
            self._owner.engine.set_status(self.instance_id, status, logs=logs)

    def _end(self) -> None:
        if not self.gate.is_over:
            for task in self._steps.tasks:  # nobody waits for them any more
                task.cancel()
            self.gate.end()
            self._on_end(self)


async def _directly(running: Coroutine[Any, Any, Any]) -> Any:
    """Let nothing hold a run back."""
    return await running
