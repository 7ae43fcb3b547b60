"""A worker as a test calls it: in process, no socket, its exceptions with their own tracebacks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pyworkers.bindings.queues import QueueController, encode_body
from pyworkers.config.source import nearest
from pyworkers.engines.queues import Backlog, TakenMessage
from pyworkers.js.request import Request
from pyworkers.runtime.isolate import Isolate
from pyworkers.runtime.mail import IncomingEmail, read_email
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.triggers import ScheduledController
from pyworkers.server.cf import incoming_cf

ORIGIN = "http://localhost"
_OPTIONS: Final = frozenset(
    {"body", "cache", "cf", "credentials", "duplex", "fetcher", "headers", "integrity", "json_body", "keepalive"}
    | {"method", "mode", "redirect", "referrer", "referrerPolicy", "signal"}
)


@dataclass(frozen=True, slots=True)
class QueueOutcome:
    """What a queue handler decided about the bodies of a batch: which are done, which come again."""

    acknowledged: list[Any]
    retried: list[Any]


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

    async def queue(self, queue: str, bodies: Sequence[Any], *, attempts: int = 1) -> QueueOutcome:
        """Deliver a batch to the queue handler; returns what it decided.

        Args:
            queue: the queue's name, as the handler sees it.
            bodies: what was sent: values that can cross to JavaScript.
            attempts: how often the messages were delivered, this time included.

        Raises:
            Exception: whatever escaped the handler, as it was raised; then every message is retried.
        """
        now_ms = self._runtime.clock.now_ms()
        to_js = self.isolate.sdk.python_to_rpc
        messages = [
            TakenMessage(f"{at:032x}", encode_body(to_js(body), "v8"), "v8", now_ms, attempts, "")
            for at, body in enumerate(bodies)
        ]
        controller = QueueController(queue, messages, Backlog(0, 0, None))
        await self.isolate.trigger("queue", controller)
        is_retried = [controller.result.is_retried(message.id) for message in messages]
        pairs = list(zip(bodies, is_retried, strict=True))
        return QueueOutcome([body for body, again in pairs if not again], [body for body, again in pairs if again])

    async def email(self, raw: str | bytes, *, sender: str, recipient: str) -> IncomingEmail:
        """Deliver a message to the email handler; returns it, with what it was told.

        Args:
            raw: the whole message; it needs a Message-ID.

        Raises:
            ValueError: it has none.
            Exception: whatever escaped the handler, as it was raised.
        """
        data = raw.encode() if isinstance(raw, str) else raw
        parsed = read_email(data)
        if parsed is None:
            raise ValueError("the message has no Message-ID header, without which none is delivered")
        message = IncomingEmail(sender, recipient, data, parsed, self._runtime.mailbox)
        await self.isolate.trigger("email", message)
        for _ in range(3):  # a refusal that was not waited for is on its way
            await asyncio.sleep(0)
        return message

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
