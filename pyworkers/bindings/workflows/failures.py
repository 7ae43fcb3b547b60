"""How errors of Workflows look where they arrive.

An error crosses a boundary twice or more on its way: from a step's callback to the engine, from there to the run, and
from the run back. A name that is not one of JavaScript's own ends up in front of the message.

Source: recorded, recordings/own/workflows.json, workflows.errors.*; contracts/misc, misc.workflow.errors
"""

from __future__ import annotations

from typing import Final

from pyworkers.bindings.failures import tell
from pyworkers.errors import EngineClosed, EngineError
from pyworkers.js.error_names import ERROR_NAMES
from pyworkers.js.values import JsException

NON_RETRYABLE: Final = "NonRetryableError"
# A Python exception's text is its traceback; the SDK looks for it under this name.
_KEPT: Final = (ERROR_NAMES - {"DOMException", NON_RETRYABLE}) | {"PythonError", "DataCloneError"}

PAUSED: Final = "Aborting engine: User called pause"
NOT_FOUND: Final = "instance.not_found"
CANNOT_TERMINATE: Final = (
    "WorkflowError: (instance.cannot_terminate) Cannot terminate instance since its on a finite state"
)
INVALID_ID: Final = "WorkflowError: Workflow instance has invalid id"
EMPTY_BATCH: Final = "WorkflowError: batchCreate should have at least 1 instance"
STORAGE_FAILURE: Final = "WorkflowInternalError: Storage failure due to internal error."
IN_THE_PAST: Final = "You can't sleep until a time in the past, time-traveler"
NOT_HANDLED: Final = (
    "The execution of the Workflow instance was terminated, as a step threw an NonRetryableError and it was not handled"
)
# The platform's own, of a sleep or a timeout that is no duration.
NO_DURATION: Final = (
    "NOT NULL constraint failed: priority_queue.target_timestamp: SQLITE_CONSTRAINT "
    "(extended: SQLITE_CONSTRAINT_NOTNULL)"
)


def storage_failure(error: EngineError) -> JsException:
    """Return what a worker sees of an engine's error; the terminal gets its reason."""
    if not isinstance(error, EngineClosed):
        tell(error)
    return JsException("Error", STORAGE_FAILURE)


def crossed(error: JsException) -> JsException:
    """Return an error as the other side gets it."""
    if error.name in _KEPT:
        return JsException(error.name, error.message)
    return JsException("Error", f"{error.name}: {error.message}" if error.message else error.name)


def is_non_retryable(error: JsException) -> bool:
    """Tell whether an error says that trying again is of no use."""
    return error.name == NON_RETRYABLE or error.message.startswith(NON_RETRYABLE)


def non_retryable_message(error: JsException) -> str:
    """Return the message that the worker gave such an error."""
    if error.name == NON_RETRYABLE:
        return error.message
    return error.message.removeprefix(NON_RETRYABLE).removeprefix(":").lstrip()
