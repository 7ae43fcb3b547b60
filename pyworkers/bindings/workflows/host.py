"""What the binding and the step need of whoever runs workflows."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from pyworkers.js.promise import JsPromise
from pyworkers.js.values import JsObject


class WorkflowHost(Protocol):
    """One workflow: its instances by id. An id is valid where it is given."""

    def create(self, instance_id: str, params: Any) -> None:
        """Add an instance and start it; nothing happens where it exists.

        Args:
            params: a copy of the worker's, which is the instance's own.
        """
        ...

    def has(self, instance_id: str) -> bool:
        """Tell whether an instance exists."""
        ...

    def status(self, instance_id: str) -> JsObject:
        """Return ``{status, __LOCAL_DEV_STEP_OUTPUTS, output, error}``."""
        ...

    def change(self, instance_id: str, action: str) -> Awaitable[None]:
        """Do one of ``pause``, ``resume``, ``restart`` and ``terminate``.

        Raises:
            JsException: it is finished and cannot be terminated.
        """
        ...

    def send_event(self, instance_id: str, event_type: str, payload: Any) -> None:
        """Give an instance an event.

        Raises:
            JsException: DataCloneError, for a payload that cannot be stored.
        """
        ...


class StepHost(Protocol):
    """One run of an instance. What a method returns is rejected with what the worker's code gets to see."""

    def do(self, name: Any, config: Any, callback: Any) -> JsPromise:
        """Run a step, or return what it returned in an earlier run."""
        ...

    def sleep(self, name: Any, duration: Any) -> JsPromise:
        """Sleep for a duration."""
        ...

    def sleep_until(self, name: Any, moment: Any) -> JsPromise:
        """Sleep until a date or a number of milliseconds."""
        ...

    def wait_for_event(self, name: Any, options: Any) -> JsPromise:
        """Wait for an event ``{type, timeout}``."""
        ...
