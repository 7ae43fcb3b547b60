"""A worker as a test calls it: in process, no socket, its exceptions with their own tracebacks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from pyworkers.config.source import nearest
from pyworkers.js.request import Request
from pyworkers.runtime.isolate import Isolate
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.triggers import ScheduledController
from pyworkers.server.cf import incoming_cf

ORIGIN = "http://localhost"
_OPTIONS: Final = frozenset(
    {"body", "cache", "cf", "credentials", "duplex", "fetcher", "headers", "integrity", "json_body", "keepalive"}
    | {"method", "mode", "redirect", "referrer", "referrerPolicy", "signal"}
)


class TestWorker:
    """One worker of the project under test.

    Attribute access is an RPC method: ``await worker.add(1, 2)``.

    Args:
        runtime: what the worker runs in.
        name: the worker's name.
    """

    __test__ = False  # pytest must not collect it

    def __init__(self, runtime: Runtime, name: str) -> None:
        self._runtime = runtime
        self._name = name

    @property
    def isolate(self) -> Isolate:
        """The loaded worker."""
        return self._runtime.isolate(self._name)

    @property
    def env(self) -> Any:
        """The worker's ``env`` as its own code sees it, with live bindings."""
        return self.isolate.sdk._EnvWrapper(self.isolate.env)

    def other(self, name: str) -> TestWorker:
        """Return another worker of the project."""
        return TestWorker(self._runtime, name)

    async def fetch(self, resource: Any = "/", **options: Any) -> Any:
        """Send a request; returns the SDK's Response.

        Args:
            resource: a path (``/x?y=1``), a URL, or a Request of the SDK.
            options: as of the SDK's ``fetch``: method, headers, body …; ``json_body`` is sent as JSON in place of
                ``body``; ``redirect`` is ``manual``, as for a browser's request that reaches a worker.

        Raises:
            TypeError: an option that no request has.
            Exception: whatever escaped the worker's handler, as it was raised.
        """
        options = _request_options(options)
        sdk = self.isolate.sdk
        if isinstance(resource, str):
            url = ORIGIN + resource if resource.startswith("/") else resource
            request: Request = sdk.Request(url, **{"redirect": "manual", **options}).js_object
        else:
            request = sdk.Request(resource, **options).js_object if options else resource.js_object
        cf = partial(incoming_cf, "1.1", overrides=self._runtime.project.tools.dev.cf)
        response = await self.isolate.fetch(request.delivered(cf=cf))
        return sdk.Response(response.received(request))

    async def scheduled(self, *, cron: str = "* * * * *", scheduled_time_ms: int | None = None) -> ScheduledController:
        """Run the scheduled handler; returns the controller it got.

        Args:
            scheduled_time_ms: milliseconds since the epoch; the clock's now where None.
        """
        time_ms = self._runtime.clock.now_ms() if scheduled_time_ms is None else scheduled_time_ms
        controller = ScheduledController(cron, time_ms)
        await self.isolate.trigger("scheduled", controller)
        return controller

    async def settle(self) -> None:
        """Wait for everything that ``waitUntil`` keeps alive."""
        await self.isolate.drain()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        async def call(*args: Any) -> Any:
            sdk = self.isolate.sdk
            result = await self.isolate.call(name, tuple(sdk.python_to_rpc(arg) for arg in args))
            return sdk.python_from_rpc(result)

        return call


def _request_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options that the SDK's Request takes: it would pass over those that it does not know.

    Raises:
        TypeError: an option that no request has.
    """
    for name in options:
        if name not in _OPTIONS:
            near = "json_body" if name == "json" else nearest(name, _OPTIONS)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(sorted(_OPTIONS))}"
            raise TypeError(f'worker.fetch() has no option "{name}"; {hint}')
    taken = dict(options)
    if "json_body" in taken:
        taken["body"] = json.dumps(taken.pop("json_body"))
        headers = dict(taken.get("headers") or {})
        if not any(name.lower() == "content-type" for name in headers):
            headers["content-type"] = "application/json"
        taken["headers"] = headers
    return taken
