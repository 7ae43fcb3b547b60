"""One ``step.do``: attempts until one succeeds, as often and as far apart as its configuration says."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pyworkers.bindings.failures import tell
from pyworkers.bindings.workflows.durations import milliseconds
from pyworkers.bindings.workflows.failures import crossed, is_non_retryable
from pyworkers.engines.workflows import StepRecord
from pyworkers.errors import EngineError
from pyworkers.js.clone import structured_clone
from pyworkers.js.primitives import to_string
from pyworkers.js.promise import settle
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject, call, is_callable, type_error
from pyworkers.runtime.events import current_event
from pyworkers.runtime.failures import plain_error
from pyworkers.runtime.workflows.gate import set_done, spawn
from pyworkers.runtime.workflows.history import LogEvent, error_object, step_entry
from pyworkers.runtime.workflows.step_store import StepStore, step_result, stored_error

_log = logging.getLogger("pyworkers.worker")

_PREVIEW_CHARACTERS = 1024


class Attempts:
    """The attempts of one step.

    Args:
        key: what the step is stored under.
        name, count: what its callback is told it is.
        config: as `resolve_config` returns it; what an earlier run has stored wins.
        callback: the worker's function.
        on_fatal: ends the instance with an error that it cannot catch.
    """

    def __init__(
        self,
        store: StepStore,
        key: str,
        name: str,
        count: int,
        *,
        config: dict[str, Any],
        callback: Any,
        on_fatal: Callable[[JsException], None],
    ) -> None:
        self._store = store
        self._key = key
        self._name = name
        self._count = count
        self._target = f"{name}-{count}"
        self._config = config
        self._callback = callback
        self._on_fatal = on_fatal

    async def run(self) -> Any:
        """Return the step's result.

        Raises:
            JsException: it has failed for good, or the run is paused.
        """
        step = self._store.find(self._key)
        if step is None:
            step = StepRecord(self._key, config=json.dumps(self._config))
        elif step.state == "done":
            return step_result(step)
        elif step.state == "failed":
            raise stored_error(step)
        else:
            self._config = json.loads(step.config or "{}")
            if step.state == "running":  # the process ended in the middle of it
                step = self._note_interruption(step)
        result = await self._until_done(step)
        self._store.gate.check_after_step()
        return result

    async def _until_done(self, step: StepRecord) -> Any:
        gate = self._store.gate
        while True:
            if step.due_ms is not None:
                await gate.wait(step.due_ms)
            await gate.enter()
            try:
                step = self._begin(step)
                try:
                    return self._keep(step, await self._attempt(step.attempts))
                except JsException as error:
                    step = self._note_failure(step, error)
            finally:
                gate.leave()

    def _begin(self, step: StepRecord) -> StepRecord:
        logs = [self._entry(LogEvent.ATTEMPT_START, attempt=step.attempts + 1)]
        if not step.attempts:
            logs.insert(0, self._entry(LogEvent.STEP_START, config=_js_config(self._config)))
        begun = replace(step, state="running", attempts=step.attempts + 1, due_ms=None)
        return self._store.save(begun, *logs)

    # ---- one attempt

    async def _attempt(self, attempt: int) -> Any:
        """Return what the callback returned, a stream as its bytes.

        Raises:
            JsException: what it threw; WorkflowTimeoutError.
        """
        timeout_ms = milliseconds(self._config["timeout"])
        expired: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        running = spawn(self._call(attempt))
        running.add_done_callback(_look_at)
        gate = self._store.gate
        timer = gate.call_at(gate.due_ms(timeout_ms), lambda: set_done(expired))
        try:
            await asyncio.wait((running, expired), return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                text = f"Execution timed out after {to_string(timeout_ms)}ms"
                raise JsException("WorkflowTimeoutError", text)
            return await running
        except (JsException, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, JsException) or (task is not None and task.cancelling()):
                raise
            raise plain_error(error) from error  # the callback cancelled itself
        finally:
            timer.cancel()
            running.cancel()

    async def _call(self, attempt: int) -> Any:
        if not is_callable(self._callback):
            raise type_error("doWrapperClosure is not a function")
        context = {
            "step": JsObject({"name": self._name, "count": self._count}),
            "attempt": attempt,
            "config": _js_config(self._config),
        }
        _renew_cpu_time()
        try:
            returned = await settle(call(self._callback, JsObject(context)))
            value = structured_clone(returned, for_rpc=True, stub=lambda target: target)
            return await value.read_all() if isinstance(value, ReadableStream) else value
        except JsException as error:
            raise crossed(error) from error
        except Exception as error:
            raise plain_error(error) from error

    # ---- what comes of it

    def _keep(self, step: StepRecord, value: Any) -> Any:
        """Store a result; returns the worker's own copy of it."""
        shown = _preview(value) if isinstance(value, bytes) else value
        logs = (
            self._entry(LogEvent.ATTEMPT_SUCCESS, attempt=step.attempts),
            self._entry(LogEvent.STEP_SUCCESS, result=shown),
        )
        try:
            self._store.finish(step, value, *logs)
        except EngineError as error:
            tell(error)
            text = f"Storage failure for {self._target} due to internal error."
            raise JsException("WorkflowInternalError", text) from error
        except JsException as error:
            if error.name == "WorkflowInternalError":
                text = f"Step {self._target} output is too large. Maximum allowed size is 1MiB."
                raise JsException("WorkflowInternalError", text) from error
            self._refuse(step)
        stored = self._store.find(self._key)
        return None if stored is None else step_result(stored)

    def _refuse(self, step: StepRecord) -> None:
        """End the instance for a result that cannot be stored."""
        error = JsException("WorkflowFatalError", f'Value returned from step "{self._name}" is not serialisable')
        self._store.fail(
            step,
            error,
            self._entry(LogEvent.ATTEMPT_FAILURE, attempt=step.attempts, error=error_object(error)),
            self._entry(LogEvent.STEP_FAILURE),
        )
        self._on_fatal(
            JsException(
                "WorkflowFatalError",
                f'The execution of the Workflow instance was terminated, as the step "{self._name}" returned a value '
                "which is not serialisable",
            )
        )
        raise asyncio.CancelledError

    def _note_failure(self, step: StepRecord, error: JsException) -> StepRecord:
        """Store that an attempt has failed; returns the step that is to be tried again.

        Raises:
            JsException: the error, where it is not.
        """
        if is_non_retryable(error):
            shown = JsException("WorkflowFatalError", f'Step threw a NonRetryableError with message "{error.message}"')
            entry = self._entry(LogEvent.ATTEMPT_FAILURE, attempt=step.attempts, error=error_object(shown))
            self._store.fail(step, error, entry, self._entry(LogEvent.STEP_FAILURE))
            raise error
        entry = self._entry(LogEvent.ATTEMPT_FAILURE, attempt=step.attempts, error=error_object(error))
        if step.attempts > self._config["retries"]["limit"]:
            self._store.fail(step, error, entry, self._entry(LogEvent.STEP_FAILURE))
            raise error
        delay_ms = retry_delay_ms(self._config["retries"], step.attempts)
        _log.warning(
            "step %s: attempt %d failed, next in %g s\n%s", self._target, step.attempts, delay_ms / 1000, error
        )
        return self._store.save(replace(step, state="open", due_ms=self._store.gate.due_ms(delay_ms)), entry)

    def _note_interruption(self, step: StepRecord) -> StepRecord:
        error = JsException("WorkflowInternalError", "Attempt failed due to internal workflows error")
        entry = self._entry(LogEvent.ATTEMPT_FAILURE, attempt=step.attempts, error=error_object(error))
        return self._store.save(replace(step, state="open"), entry)

    def _entry(self, event: LogEvent, **metadata: Any) -> Any:
        return step_entry(event, self._key, self._target, metadata)


def retry_delay_ms(retries: dict[str, Any], attempts: int) -> float:
    """Return how long to wait after a number of attempts.

    Source: the local engine's ``retries.ts``
    """
    delay_ms = milliseconds(retries["delay"])
    if retries["backoff"] == "exponential":
        return float(delay_ms * 2 ** (attempts - 1))
    return float(delay_ms * attempts if retries["backoff"] == "linear" else delay_ms)


def _renew_cpu_time() -> None:
    """Give an attempt CPU time of its own, as the platform's limit is one for each step."""
    event = current_event()
    if event is not None:
        event.isolate.metrics.cpu_s += event.cpu_s
        event.cpu_s = 0.0


def _look_at(task: asyncio.Task[Any]) -> None:
    """Keep what a callback throws after its time off the log."""
    if not task.cancelled():
        task.exception()


def _js_config(config: dict[str, Any]) -> JsObject:
    return JsObject({"retries": JsObject(config["retries"]), "timeout": config["timeout"]})


def _preview(data: bytes) -> str:
    """Return what the status shows of a stream."""
    try:
        return data.decode()[:_PREVIEW_CHARACTERS]
    except UnicodeDecodeError:
        return f"[ReadableStream (binary): {len(data)} bytes]"
