"""The steps of one run: each is looked up before it is done, and stored before it counts as done.

A step is told from the others of its instance by its kind, its name and how often that name came before, so that a run
that is repeated finds what an earlier one has done.

Source: the local engine's ``context.ts`` (miniflare 4.20260426); recorded, recordings/own/workflows.json
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from pyworkers.bindings.workflows.durations import milliseconds
from pyworkers.bindings.workflows.failures import IN_THE_PAST, NO_DURATION, crossed, storage_failure
from pyworkers.bindings.workflows.limits import DEFAULT_EVENT_TIMEOUT, check_step_name, resolve_config
from pyworkers.engines.workflows import LogEntry, SentEvent, StepRecord
from pyworkers.errors import EngineError
from pyworkers.js.dates import Date
from pyworkers.js.primitives import is_nullish, number, to_boolean, to_number, to_string
from pyworkers.js.promise import JsPromise
from pyworkers.js.serialization import deserialize
from pyworkers.js.values import JsException, JsObject, get_property
from pyworkers.runtime.workflows.attempts import Attempts
from pyworkers.runtime.workflows.gate import spawn
from pyworkers.runtime.workflows.history import LogEvent, error_object, step_entry
from pyworkers.runtime.workflows.step_store import StepStore, step_result, stored_error

Work = Callable[[], Coroutine[Any, Any, Any]]


class Steps:
    """What `WorkflowStep` calls; see `StepHost`.

    Args:
        store: where the instance's steps are, and where this run waits.
        step_limit: how many steps a run may do.
        on_fatal: ends the instance with an error that it cannot catch.
    """

    def __init__(self, store: StepStore, *, step_limit: int, on_fatal: Callable[[JsException], None]) -> None:
        self._store = store
        self._step_limit = step_limit
        self._on_fatal = on_fatal
        self._counts: Counter[str] = Counter()
        self._steps_done = 0
        self._event_waiters: dict[str, list[asyncio.Future[None]]] = {}
        self.tasks: set[asyncio.Task[Any]] = set()

    # ---- what a worker calls

    def do(self, name: Any, config: Any, callback: Any) -> JsPromise:
        """Run a step, or return what it returned in an earlier run."""
        self._steps_done += 1
        try:
            if self._steps_done > self._step_limit:
                raise JsException(
                    "WorkflowFatalError",
                    f"The limit of {self._step_limit} steps has been reached. "
                    "This limit can be changed in your worker configuration.",
                )
            check_step_name(name)
            text = to_string(name)
            resolved = resolve_config(text, config)
        except JsException as error:
            return JsPromise.rejected(crossed(error))
        count = self._count(f"do {text}")
        attempts = Attempts(
            self._store, f"do {count} {text}", text, count, config=resolved, callback=callback, on_fatal=self._on_fatal
        )
        return self._start(attempts.run)

    def sleep(self, name: Any, duration: Any) -> JsPromise:
        """Sleep for a duration."""
        if is_nullish(duration):
            text = "undefined" if duration is None else "null"
            error = JsException("TypeError", f"Cannot read properties of {text} (reading 'toString')")
            return JsPromise.rejected(error)
        duration_ms = milliseconds(duration)
        text = to_string(name)
        slept = to_string(duration_ms)
        count = self._count(f"sleep {slept} {text}")
        key = f"sleep {count} {slept} {text}"
        return self._start(partial(self._sleep, key, f"{text}-{count}", duration_ms))

    def sleep_until(self, name: Any, moment: Any) -> JsPromise:
        """Sleep until a date or a number of milliseconds."""
        text = to_string(name)
        count = self._count(f"until {text}")
        moment_ms = math.nan if isinstance(moment, str) else to_number(moment)
        return self._start(partial(self._sleep_until, f"until {count} {text}", f"{text}-{count}", moment_ms))

    def wait_for_event(self, name: Any, options: Any) -> JsPromise:
        """Wait for an event ``{type, timeout}``."""
        if is_nullish(options):
            text = "undefined" if options is None else "null"
            error = JsException("TypeError", f"Cannot read properties of {text} (reading 'timeout')")
            return JsPromise.rejected(error)
        timeout = get_property(options, "timeout")
        timeout_ms = milliseconds(timeout if to_boolean(timeout) else DEFAULT_EVENT_TIMEOUT)
        text = to_string(name)
        count = self._count(f"wait {text}")
        event_type = to_string(get_property(options, "type"))
        key = f"wait {count} {text}"
        return self._start(partial(self._wait, key, f"{text}-{count}", event_type, timeout_ms))

    def deliver(self, event_type: str) -> None:
        """Wake the step that has waited longest for an event that is now there."""
        waiters = self._event_waiters.get(event_type, [])
        while waiters:
            waiter = waiters.pop(0)
            if not waiter.done():
                waiter.set_result(None)
                return

    # ---- how steps run

    def _count(self, name: str) -> int:
        self._counts[name] += 1
        return self._counts[name]

    def _start(self, work: Work) -> JsPromise:
        """Run a step as a task of its own: who stops waiting for it does not end it."""
        task = spawn(self._run(work))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return JsPromise.run(_result_of(task))

    async def _run(self, work: Work) -> Any:
        gate = self._store.gate
        gate.steps_open += 1
        try:
            return await work()
        except JsException as error:
            raise crossed(error) from error.__cause__
        except EngineError as error:
            raise storage_failure(error) from error
        finally:
            gate.steps_open -= 1

    async def _sleep(self, key: str, target: str, duration_ms: float) -> None:
        step = self._store.find(key)
        if step is None:
            start = step_entry(LogEvent.SLEEP_START, key, target, {"durationMs": duration_ms})
            self._check_duration(duration_ms, start)
            step = StepRecord(key, due_ms=self._store.gate.due_ms(duration_ms))
            self._store.save(step, start)
        await self._sleep_on(step, target)

    async def _sleep_until(self, key: str, target: str, moment_ms: float) -> None:
        step = self._store.find(key)
        if step is None:
            left_ms = moment_ms - self._store.now_ms()
            if left_ms < 0:
                raise JsException("Error", IN_THE_PAST)
            start = step_entry(LogEvent.SLEEP_START, key, target, {"durationMs": number(left_ms)})
            self._check_duration(left_ms, start)
            step = StepRecord(key, due_ms=math.ceil(moment_ms))
            self._store.save(step, start)
        await self._sleep_on(step, target)

    def _check_duration(self, duration_ms: float, start: LogEntry) -> None:
        """Log the start of a wait that the platform cannot even store, and fail as it does."""
        if math.isnan(duration_ms):
            self._store.log(start)
            raise JsException("Error", NO_DURATION)

    async def _sleep_on(self, step: StepRecord, target: str) -> None:
        if step.state == "done":
            return
        await self._store.gate.wait(step.due_ms or 0)
        done = StepRecord(step.key, "done")
        self._store.save(done, step_entry(LogEvent.SLEEP_COMPLETE, step.key, target))

    async def _wait(self, key: str, target: str, event_type: str, timeout_ms: float) -> Any:
        step = self._store.find(key)
        if step is not None and step.state != "open":
            return step_result(step) if step.state == "done" else _raise(stored_error(step))
        if step is None:
            start = step_entry(LogEvent.WAIT_START, key, target, {"event": event_type})
            self._check_duration(timeout_ms, start)
            step = StepRecord(key, due_ms=self._store.gate.due_ms(timeout_ms))
            self._store.save(step, start)
        event = await self._next_event(event_type, step.due_ms or 0)
        if event is None:
            error = JsException("WorkflowTimeoutError", f"Execution timed out after {to_string(timeout_ms)}ms")
            entry = step_entry(LogEvent.WAIT_TIMED_OUT, key, target, error_object(error).own_properties())
            self._store.fail(step, error, entry)
            raise error
        return self._take(step, target, event)

    async def _next_event(self, event_type: str, due_ms: int) -> SentEvent | None:
        """Return the next event of a type; None when it is due and there is none."""
        while True:
            event = self._store.next_event(event_type)
            if event is not None:
                return event
            if due_ms <= self._store.now_ms():
                return None
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            waiters = self._event_waiters.setdefault(event_type, [])
            waiters.append(waiter)
            try:
                await self._store.gate.wait(due_ms, waiter)
            finally:
                if waiter in waiters:
                    waiters.remove(waiter)

    def _take(self, step: StepRecord, target: str, event: SentEvent) -> Any:
        payload = deserialize(event.payload)
        fields = JsObject({"payload": payload, "type": event.event_type, "timestamp": Date(event.time_ms)})
        entry = step_entry(LogEvent.WAIT_COMPLETE, step.key, target, fields.own_properties())
        self._store.finish(step, fields, entry, event=event)
        return fields


async def _result_of(task: asyncio.Task[Any]) -> Any:
    return await asyncio.shield(task)


def _raise(error: JsException) -> Any:
    raise error
