"""Tail: what every event of a worker was, printed and came to, for tail consumers and `pyworkers tail`.

Nothing is noted of a worker that nobody tails.

Source: the local runtime, workerd 1.20260426.1; workerd src/workerd/io/trace.c++
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from pyworkers.clock import Clock
from pyworkers.config.model import WorkerConfig
from pyworkers.errors import WorkerLoadError
from pyworkers.js import json
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.response import Response
from pyworkers.js.values import JsException, JsObject, JsProxy
from pyworkers.runtime.events import current_event
from pyworkers.runtime.failures import format_traceback, plain_error
from pyworkers.runtime.triggers import run_trigger

if TYPE_CHECKING:
    from pyworkers.runtime.events import Event
    from pyworkers.runtime.isolate import Isolate

# Events that tell of other events.
_UNTRACED: Final = frozenset(("tail", "trace"))
_SECRET_NAMES: Final = ("auth", "jwt", "key", "secret", "token", "cookie")
REDACTED: Final = "REDACTED"
_URL_TOKEN: Final = re.compile(r"[A-Za-z0-9+_-]+")
_HEX_DIGITS: Final = 32
_ID_CHARACTERS: Final = 21
_log = logging.getLogger("pyworkers.tail")


@dataclass(slots=True)
class Trace:
    """What is noted of one event while it runs.

    Attributes:
        info: makes the event's own part of the item.
        started_ms: milliseconds since the Unix epoch.
    """

    worker: str
    entrypoint: str | None
    info: Callable[[Trace], Any]
    clock: Clock
    started_ms: int
    started_s: float = field(default_factory=perf_counter)
    is_object: bool = False
    outcome: str = "ok"
    status: int | None = None
    logs: list[Any] = field(default_factory=list)
    exceptions: list[Any] = field(default_factory=list)
    partial: str = ""

    def log(self, level: str, args: Iterable[object]) -> None:
        """Note a ``console.*`` call."""
        self.logs.append(TraceLog(level, JsArray([_plain(arg) for arg in args]), self.clock.now_ms()))

    def write(self, text: str) -> None:
        """Note a piece of what ``print`` writes; every line is a call of ``console.log``."""
        *lines, self.partial = (self.partial + text).split("\n")
        for line in lines:
            self.log("log", [line])

    def failed(self, error: BaseException) -> None:
        """Note what escaped."""
        is_canceled = isinstance(error, asyncio.CancelledError)
        self.outcome = "canceled" if is_canceled else "exceededCpu" if _is_cpu_limit(error) else "exception"
        if not is_canceled:
            self.note(error)

    def note(self, error: BaseException) -> None:
        """Note an error, which need not have ended the event."""
        shown = plain_error(error)
        stack = "" if isinstance(error, JsException) else format_traceback(error)
        self.exceptions.append(TraceException(shown.name, shown.message, stack, self.clock.now_ms()))


class _Shown(JsProxy):
    """An object whose attributes are its own properties, in their order."""

    def own_properties(self) -> dict[str, object]:
        """Return the own enumerable properties."""
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}


class TraceLog(_Shown):
    """A ``console.*`` call."""

    def __init__(self, level: str, message: JsArray, timestamp_ms: int) -> None:
        self.message = message
        self.level = level
        self.timestamp = timestamp_ms


class TraceException(_Shown):
    """What escaped a handler."""

    def __init__(self, name: str, message: str, stack: str, timestamp_ms: int) -> None:
        self.stack = stack or None
        self.name = name
        self.message = message
        self.timestamp = timestamp_ms


class TraceItem(_Shown):
    """One event, as a tail handler gets it. Its times are whole milliseconds."""

    def __init__(self, trace: Trace, cpu_s: float) -> None:
        self.wallTime = round((perf_counter() - trace.started_s) * 1000)
        self.cpuTime = round(cpu_s * 1000)
        self.truncated = False
        self.executionModel = "durableObject" if trace.is_object else "stateless"
        self.outcome = trace.outcome
        self.durableObjectId = None
        self.preview = None
        self.tailAttributes = None
        self.scriptTags = None
        self.dispatchNamespace = None
        self.scriptVersion = None
        self.entrypoint = trace.entrypoint
        self.scriptName = trace.worker
        self.diagnosticsChannelEvents = JsArray()
        self.exceptions = JsArray(trace.exceptions)
        self.logs = JsArray(trace.logs)
        self.eventTimestamp = trace.started_ms
        self.event = trace.info(trace)


class TracedRequest(_Shown, js_name="Request"):
    """A request: its secrets are left out unless one asks for them."""

    def __init__(self, url: str, method: str, headers: list[tuple[str, str]], cf: Any, *, is_redacted: bool) -> None:
        self._given = url, method, headers, cf
        self.url = redact_url(url) if is_redacted else url
        self.method = method
        self.headers = JsObject(
            {name: REDACTED if is_redacted and is_secret(name) else value for name, value in sorted(headers)}
        )
        self.cf = cf

    def getUnredacted(self, *_: object) -> TracedRequest:
        """Return the request with its secrets."""
        return TracedRequest(*self._given, is_redacted=False)


class FetchEventInfo(_Shown):
    """A request and its answer."""

    def __init__(self, request: TracedRequest, status: int | None) -> None:
        self.request = request
        self.response = None if status is None else JsObject({"status": status})


class JsRpcEventInfo(_Shown):
    """A call over RPC."""

    def __init__(self, method: str) -> None:
        self.rpcMethod = method


class ScheduledEventInfo(_Shown):
    """A cron trigger."""

    def __init__(self, cron: str, scheduled_ms: int) -> None:
        self.scheduledTime = scheduled_ms
        self.cron = cron


class QueueEventInfo(_Shown):
    """A batch."""

    def __init__(self, queue: str, size: int) -> None:
        self.queue = queue
        self.batchSize = size


class EmailEventInfo(_Shown):
    """A message."""

    def __init__(self, sender: str, recipient: str, size_bytes: int) -> None:
        self.mailFrom = sender
        self.rcptTo = recipient
        self.rawSize = size_bytes


class AlarmEventInfo(_Shown):
    """An alarm of a Durable Object."""


class CustomEventInfo(_Shown):
    """Any other event."""


class Tracer:
    """Notes the events of one worker.

    Args:
        deliver: takes every event that is over.
    """

    def __init__(self, worker: str, clock: Clock, deliver: Callable[[Trace, float], None]) -> None:
        self._worker = worker
        self._clock = clock
        self._deliver = deliver

    def opened(
        self, event: Event, info: Callable[[Trace], Any] | None = None, *, entrypoint: str | None = None
    ) -> Trace | None:
        """Begin to note an event; None where it is none that is told of."""
        if event.kind in _UNTRACED:
            return None
        make = info or (lambda _trace: AlarmEventInfo() if event.kind == "alarm" else CustomEventInfo())
        trace = Trace(self._worker, entrypoint, make, self._clock, self._clock.now_ms())
        event.trace = trace
        return trace

    def closed(self, event: Event, trace: Trace, result: Any) -> None:
        """An event's handler is done: tell of it once that is done, too, which it keeps alive."""
        if isinstance(result, Response):
            trace.status = result.status
        task = asyncio.get_running_loop().create_task(self._finish(event, trace), context=contextvars.Context())
        event.isolate.background.add(task)
        task.add_done_callback(event.isolate.background.discard)

    async def _finish(self, event: Event, trace: Trace) -> bool:
        await event.until_done()
        if trace.partial:
            trace.write("\n")
        self._deliver(trace, event.cpu_s)
        return True


Session = Callable[[TraceItem], None]


class Tails:
    """Who is told of which worker's events.

    Args:
        find_isolate: finds a worker as it is now, by name; None where there is none.
    """

    def __init__(self, find_isolate: Callable[[str], Isolate | None], *, clock: Clock) -> None:
        self._find_isolate = find_isolate
        self._clock = clock
        self._consumers: dict[str, tuple[str, ...]] = {}
        self._sessions: dict[str, list[Session]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def configure(self, config: WorkerConfig, aliases: Mapping[str, str]) -> None:
        """Take over a worker's tail consumers."""
        names = (
            f"{consumer.service}-{consumer.environment}" if consumer.environment else consumer.service
            for consumer in config.tail_consumers
        )
        self._consumers[config.name] = tuple(aliases.get(name, name) for name in names)

    def attach(self, isolate: Isolate) -> None:
        """Let a worker's events be noted, or not."""
        name = isolate.name
        is_tailed = bool(self._consumers.get(name) or self._sessions.get(name))
        isolate.tracer = Tracer(name, self._clock, self._deliver) if is_tailed else None

    def open(self, worker: str, session: Session) -> Callable[[], None]:
        """Tell a session of a worker's events; returns what ends that."""
        self._sessions.setdefault(worker, []).append(session)
        self._reattach(worker)

        def close() -> None:
            if session in self._sessions.get(worker, ()):
                self._sessions[worker].remove(session)
                self._reattach(worker)

        return close

    async def close(self) -> None:
        """Wait for the tail handlers that run."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _reattach(self, worker: str) -> None:
        isolate = self._loaded(worker)
        if isolate is not None:
            self.attach(isolate)

    def _loaded(self, worker: str) -> Isolate | None:
        try:
            return self._find_isolate(worker)
        except WorkerLoadError:
            return None

    def _deliver(self, trace: Trace, cpu_s: float) -> None:
        for session in list(self._sessions.get(trace.worker, ())):
            session(TraceItem(trace, cpu_s))
        for name in self._consumers.get(trace.worker, ()):
            consumer = self._loaded(name)
            if consumer is None:
                _log.warning("the tail consumer %s of %s is not there", name, trace.worker)
                continue
            # As other languages name it, or as Python workers did first.
            kind = "tail" if consumer.has_handler("tail") or not consumer.has_handler("trace") else "trace"
            task = asyncio.get_running_loop().create_task(
                _run_tail(consumer, kind, JsArray([TraceItem(trace, cpu_s)])), context=contextvars.Context()
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _run_tail(isolate: Isolate, kind: str, items: JsArray) -> None:
    occurrence = await run_trigger(isolate, kind, items, label="TAIL", target=isolate.name)
    if occurrence.error is not None:
        _log.error("%s: uncaught in %s\n%s", isolate.name, kind, format_traceback(occurrence.error).rstrip())


# ---- what each kind of event shows


def fetch_info(request: Any) -> Callable[[Trace], Any]:
    """Return what shows a request."""

    def make(trace: Trace) -> FetchEventInfo:
        headers = [(name, value) for name, value in request.headers.displayed()]
        cf = request.cf
        shown = TracedRequest(request.url, request.method, headers, None if cf is jsnull else cf, is_redacted=True)
        return FetchEventInfo(shown, trace.status)

    return make


def trigger_info(kind: str, payload: Any) -> Callable[[Trace], Any] | None:
    """Return what shows an event other than a request; None for one without anything to show."""
    if kind == "scheduled":
        return lambda _trace: ScheduledEventInfo(payload.cron, payload.scheduledTime)
    if kind == "queue":
        return lambda _trace: QueueEventInfo(payload.queue, len(payload.messages))
    if kind == "email":
        return lambda _trace: EmailEventInfo(payload.__dict__["from"], payload.to, payload.rawSize)
    return None


def is_secret(header: str) -> bool:
    """Tell whether a header's value is left out."""
    return any(part in header.lower() for part in _SECRET_NAMES)


def redact_url(url: str) -> str:
    """Return a URL without what looks like an id or a token."""
    return _URL_TOKEN.sub(lambda match: REDACTED if _is_secret_token(match[0]) else match[0], url)


def _is_secret_token(token: str) -> bool:
    digits = [character for character in token if character in "0123456789abcdefABCDEF"]
    if len(digits) >= _HEX_DIGITS and all(character in "-_" for character in token if character not in digits):
        return True
    kinds = (str.isupper, str.islower, str.isdigit)
    return len(token) >= _ID_CHARACTERS and all(sum(map(kind, token)) >= 2 for kind in kinds)


def note_console(level: str, args: tuple[object, ...]) -> None:
    """Note a ``console.*`` call of the running event."""
    event = current_event()
    if event is not None and event.trace is not None:
        event.trace.log(level, args)


def _plain(value: object) -> Any:
    """Return a logged value as JSON has it, which is what a tail handler sees of it."""
    try:
        text = json.stringify(value)
    except JsException:
        return str(value)
    return jsnull if text is None else json.parse(text)


def _is_cpu_limit(error: BaseException) -> bool:
    return isinstance(error, JsException) and error.message.startswith("Worker exceeded CPU time limit")
