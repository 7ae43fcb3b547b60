"""The ``cloudflare:*`` modules, and the SDK's one JavaScript file, as ``import_from_javascript`` gives them.

Source: developers.cloudflare.com/workers/runtime-apis; facts of the SDK, sections 1.9 and 1.11
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from pyworkers.js.promise import settle
from pyworkers.js.values import JsException, JsObject, JsProxy, call
from pyworkers.runtime.events import current_event
from pyworkers.runtime.failures import plain_error

_env_override: ContextVar[Any] = ContextVar("pyworkers.env", default=None)


class CloudflareWorkers(JsProxy, js_name="Module"):
    """``cloudflare:workers`` of one worker."""

    def __init__(self, env: JsObject) -> None:
        self._env = env

    @property
    def env(self) -> JsObject:
        """The worker's bindings, or what ``withEnv`` put in their place."""
        override = _env_override.get()
        return self._env if override is None else override

    @property
    def exports(self) -> JsObject:
        """The worker's own entrypoints."""
        event = current_event()
        return JsObject() if event is None else event.isolate.exports

    def waitUntil(self, promise: Any = None, *_: object) -> None:
        """As ``ctx.waitUntil`` of the running event.

        Raises:
            JsException: no event is running.
        """
        event = current_event()
        if event is None:
            raise JsException(
                "Error",
                "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), "
                "setting a timeout, and generating random values are not allowed within global scope.",
            )
        event.ctx.waitUntil(promise)

    def withEnv(self, env: Any, function: Callable[..., Any], *_: object) -> Any:
        """Run a function with another ``env`` in force, also for what an async function does later."""
        token = _env_override.set(env)
        try:
            result = call(function)
            return asyncio.ensure_future(result) if inspect.iscoroutine(result) else result
        finally:
            _env_override.reset(token)


def sdk_workflows_module() -> JsObject:
    """``workflows.js`` of the SDK, whose one task is to name a Python NonRetryableError as the engine knows it."""
    return JsObject({"wrapWorkflowStep": wrap_workflow_step, "wrapWorkflowStepCallback": wrap_workflow_step_callback})


def wrap_workflow_step(step: Any) -> Any:
    """Return the step with a ``do`` whose callbacks translate their errors."""
    return _WrappedStep(step) if isinstance(step, JsProxy) else step


def wrap_workflow_step_callback(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Return the callback, its Python exceptions as the engine gets them.

    A NonRetryableError is the JavaScript error of that name, with the last line of its text; others are PythonErrors.
    """

    async def wrapped(*args: Any) -> Any:
        try:
            return await settle(callback(*args))
        except JsException:
            raise
        except Exception as error:
            failure = plain_error(error)
            if type(error).__name__ == "NonRetryableError":
                failure = JsException("NonRetryableError", str(failure).rstrip().rpartition("\n")[2].partition(": ")[2])
            raise failure from error

    return wrapped


class _WrappedStep(JsProxy, js_name="WorkflowStep"):
    def __init__(self, step: Any) -> None:
        self._step = step

    def do(self, name: Any, *rest: Any) -> Any:
        """``step.do`` with translated callbacks."""
        return self._step.do(name, *[wrap_workflow_step_callback(arg) if callable(arg) else arg for arg in rest])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)
