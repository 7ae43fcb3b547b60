"""The server's own routes: under ``/cdn-cgi/``, and wrangler's ``/__scheduled``.

What changes state or tells of the server is for this machine alone. A page from elsewhere can make a browser send
requests here (cross-site requests, DNS rebinding), so a foreign ``Host`` or ``Origin`` is refused. Other paths under
``/cdn-cgi/`` reach the worker, as in the real runtime.

Source: recorded, contracts/http_dev, http_dev.sched.*
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from pyworkers.errors import WorkerLoadError
from pyworkers.runtime.cron_schedule import run_scheduled
from pyworkers.runtime.triggers import FacadeScheduledController, Occurrence, ScheduledController
from pyworkers.server.access import AccessLog
from pyworkers.server.egress import send_bytes, send_refusal
from pyworkers.server.errors import TEXT
from pyworkers.server.ingress import Receive, Refused, Scope, Send
from pyworkers.server.mail import EmailRoute
from pyworkers.server.metrics import CONTENT_TYPE, render_metrics, resident_bytes
from pyworkers.server.occurrences import OccurrenceLog
from pyworkers.server.queues import PATH as QUEUE_PATH
from pyworkers.server.queues import QueueRoute
from pyworkers.server.s3 import S3_ROOT, S3Route
from pyworkers.server.tail import TailRoute
from pyworkers.server.workflows import WORKFLOWS_ROOT, WorkflowsRoute

if TYPE_CHECKING:
    from pyworkers.runtime.runtime import Runtime

JSON: Final = b"application/json"
_SCHEDULED: Final = ("/cdn-cgi/handler/scheduled", "/cdn-cgi/local/scheduled", "/cdn-cgi/mf/scheduled")
_RESERVED: Final = ("/cdn-cgi/handler/", "/cdn-cgi/local/", "/cdn-cgi/metrics", "/cdn-cgi/explorer", "/cdn-cgi/client/")
_INVALID_DATE: Final = "TypeError: The value cannot be converted because it is not a valid Date."

Route = Callable[[Scope, Receive, Send], Awaitable[None]]


class Control:
    """Answers the control routes.

    Args:
        runtime: what they tell of and act on.
        log: where events that they trigger are written.
        hosts: further names under which the server may be called, such as the address it listens on.
    """

    def __init__(self, runtime: Runtime, log: AccessLog, *, hosts: tuple[str, ...] = ()) -> None:
        self._runtime = runtime
        self._hosts = frozenset(hosts)
        self._observer = OccurrenceLog(log)
        runtime.observer = self._observer
        self.s3 = S3Route(runtime, log)
        self._queues = QueueRoute(runtime)
        self._trees: dict[str, Route] = {S3_ROOT: self.s3, WORKFLOWS_ROOT: WorkflowsRoute(runtime)}
        self._routes: dict[str, Route] = {
            **dict.fromkeys(_SCHEDULED, self._scheduled),
            "/__scheduled": self._scheduled,
            "/cdn-cgi/handler/email": EmailRoute(runtime),
            "/cdn-cgi/metrics": self._metrics,
            "/cdn-cgi/tail": TailRoute(runtime),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer a request if it is for one of the routes; False leaves it to the worker."""
        path: str = scope["path"]
        root = next((root for root in self._trees if path == root or path.startswith(f"{root}/")), None)
        route = self._routes.get(path) if root is None else self._trees[root]
        if route is None and QUEUE_PATH.fullmatch(path):
            route = self._queues
        if route is None and not path.startswith("/cdn-cgi/"):
            return False
        refusal = self._refusal(scope)
        if refusal is not None:
            await send_refusal(send, Refused(403, refusal), TEXT)
            return True
        if route is None and not path.startswith(_RESERVED):
            return False
        if route is not None:
            await route(scope, receive, send)
        elif path.startswith("/cdn-cgi/handler/"):
            text = f'"{path}" is not a valid handler. Did you mean to use "/cdn-cgi/handler/scheduled"'
            await send_bytes(send, 404, TEXT, f'{text} or "/cdn-cgi/handler/email"?'.encode())
        else:
            await _send_json(send, 404, {"error": f"No control route {path}", "routes": sorted(self._routes)})
        return True

    def _refusal(self, scope: Scope) -> str | None:
        """Return why a request may not use the control routes, or None."""
        host = origin = b""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"origin":
                origin = value
        if not self._is_ours(host.decode("latin-1")):
            return "Invalid Host header"
        if origin and not self._is_ours(urlsplit(origin.decode("latin-1")).netloc):
            return "Invalid Origin header"
        return None

    def _is_ours(self, authority: str) -> bool:
        try:
            name = urlsplit(f"//{authority}").hostname or ""
        except ValueError:
            return False
        if name in self._hosts or name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False

    async def _metrics(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        text = render_metrics(self._runtime.metrics, resident_bytes=resident_bytes())
        await send_bytes(send, 200, CONTENT_TYPE, text.encode())

    async def _scheduled(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Run the scheduled handler: ``?cron=`` is the expression, ``?time=`` milliseconds; ``?worker=`` is ours."""
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        cron, time = query.get("cron", [""])[0], query.get("time", [""])[0]
        if time and not time.lstrip("-").isdigit():
            await send_bytes(send, 500, TEXT, _INVALID_DATE.encode())
            return
        is_facade = scope["path"] == "/__scheduled"
        kind = FacadeScheduledController if is_facade else ScheduledController
        controller = kind(cron, int(time) if time else self._runtime.clock.now_ms())
        succeeded = await self._run_scheduled(controller, query.get("worker", [None])[0])
        if is_facade:
            await send_bytes(send, 200, TEXT, b"Ran scheduled event")
        elif succeeded:
            await send_bytes(send, 200, TEXT, b"ok")
        else:
            await send_bytes(send, 500, TEXT, b"exception")

    async def _run_scheduled(self, controller: ScheduledController, worker: str | None) -> bool:
        """Run the handler and what it keeps alive; tells whether none of it failed."""
        started_s = perf_counter()
        try:
            isolate = self._runtime.primary if worker is None else self._runtime.isolate(worker)
        except (WorkerLoadError, KeyError) as error:
            failed = Occurrence("SCHEDULED", controller.cron or "-", None, started_s, succeeded=False, error=error)
            self._observer.closed(failed)
            return False
        return await run_scheduled(isolate, controller, self._observer)


async def _send_json(send: Send, status: int, value: object) -> None:
    await send_bytes(send, status, JSON, json.dumps(value).encode() + b"\n")
