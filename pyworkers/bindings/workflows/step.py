"""``step``: what a run of a workflow gets beside its event."""

from __future__ import annotations

from typing import Any

from pyworkers.bindings.workflows.host import StepHost
from pyworkers.js.promise import JsPromise
from pyworkers.js.values import JsObject, JsProxy, is_callable, js_method


class WorkflowStep(JsProxy, js_name="RpcStub"):
    """``WorkflowStep``, a stub of the engine's."""

    def __init__(self, host: StepHost) -> None:
        self._host = host

    @js_method
    def do(self, name: Any = None, config: Any = None, callback: Any = None) -> JsPromise:
        """``step.do(name, callback)`` or ``step.do(name, config, callback)``."""
        if callback is None or not is_callable(callback):
            config, callback = JsObject(), config
        return self._host.do(name, config, callback)

    @js_method
    def sleep(self, name: Any = None, duration: Any = None) -> JsPromise:
        """``step.sleep(name, duration)``."""
        return self._host.sleep(name, duration)

    @js_method
    def sleepUntil(self, name: Any = None, timestamp: Any = None) -> JsPromise:
        """``step.sleepUntil(name, timestamp)``."""
        return self._host.sleep_until(name, timestamp)

    @js_method
    def waitForEvent(self, name: Any = None, options: Any = None) -> JsPromise:
        """``step.waitForEvent(name, {type, timeout})``."""
        return self._host.wait_for_event(name, options)
