"""What is logged of an instance, and what is told from it.

Source: the local engine's ``instance.ts`` and ``explorer/workflows.ts`` (miniflare 4.20260426)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from typing import Any

from pyworkers.engines.workflows import InstanceRecord, LogEntry, LogRecord
from pyworkers.js.dates import Date
from pyworkers.js.json import parse, stringify
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.values import JsException, JsObject


class LogEvent(IntEnum):
    """The platform's numbers."""

    WORKFLOW_QUEUED = 0
    WORKFLOW_START = 1
    WORKFLOW_SUCCESS = 2
    WORKFLOW_FAILURE = 3
    WORKFLOW_TERMINATED = 4
    STEP_START = 5
    STEP_SUCCESS = 6
    STEP_FAILURE = 7
    SLEEP_START = 8
    SLEEP_COMPLETE = 9
    ATTEMPT_START = 10
    ATTEMPT_SUCCESS = 11
    ATTEMPT_FAILURE = 12
    WAIT_START = 14
    WAIT_COMPLETE = 15
    WAIT_TIMED_OUT = 16


def log_entry(event: LogEvent, metadata: Mapping[str, Any] | None = None) -> LogEntry:
    """Return what is logged of an instance.

    Args:
        metadata: JavaScript values; what JSON does not know is left out, as on the platform.
    """
    return LogEntry(int(event), metadata=_json(metadata))


def step_entry(event: LogEvent, key: str, target: str, metadata: Mapping[str, Any] | None = None) -> LogEntry:
    """Return what is logged of a step."""
    return LogEntry(int(event), key, target, _json(metadata))


def error_object(error: JsException) -> JsObject:
    """Return an error as it is logged."""
    return JsObject({"name": error.name, "message": error.message})


def status_of(record: InstanceRecord, logs: Iterable[LogRecord]) -> JsObject:
    """Return what ``instance.status()`` answers."""
    outputs: list[Any] = []
    output: Any = jsnull
    error = None
    for log in logs:
        event = log.entry.event
        if event == LogEvent.STEP_SUCCESS:
            outputs.append(_member(log, "result"))
        elif event == LogEvent.WAIT_COMPLETE:
            outputs.append(_member(log, "payload"))
        elif event == LogEvent.WORKFLOW_SUCCESS:
            found = _member(log, "result")
            output = jsnull if found is None else found
        elif event == LogEvent.WORKFLOW_FAILURE:
            error = _member(log, "error")
    return JsObject(
        {"status": record.status, "__LOCAL_DEV_STEP_OUTPUTS": JsArray(outputs), "output": output, "error": error}
    )


def details_of(record: InstanceRecord, logs: Iterable[LogRecord]) -> JsObject:
    """Return everything that is known of an instance, as the local explorer's API answers."""
    groups: dict[str, list[LogRecord]] = {}
    own: dict[int, LogRecord] = {}
    for log in logs:
        if log.entry.step_key is None:
            own.setdefault(log.entry.event, log)
        else:
            groups.setdefault(log.entry.step_key, []).append(log)
    ends = (LogEvent.WORKFLOW_SUCCESS, LogEvent.WORKFLOW_FAILURE, LogEvent.WORKFLOW_TERMINATED)
    steps = [step for group in groups.values() for step in _step_details(group)]
    return JsObject(
        {
            "status": record.status,
            "params": _of(own.get(LogEvent.WORKFLOW_QUEUED), "params"),
            "queued": _time(own.get(LogEvent.WORKFLOW_QUEUED)),
            "start": _time(own.get(LogEvent.WORKFLOW_START)),
            "end": _time(next((own[event] for event in ends if event in own), None)),
            "output": _of(own.get(LogEvent.WORKFLOW_SUCCESS), "result"),
            "error": _of(own.get(LogEvent.WORKFLOW_FAILURE), "error"),
            "steps": JsArray(steps),
            "step_count": len(steps),
        }
    )


def iso_time(time_ms: int) -> str:
    """Return a time as JSON has it."""
    text: str = Date(time_ms).toISOString()
    return text


def _step_details(logs: list[LogRecord]) -> Iterator[JsObject]:
    by_event = {log.entry.event: log for log in reversed(logs)}  # the first of each
    common = {"name": logs[0].entry.target or ""}
    if LogEvent.SLEEP_START in by_event:
        end = by_event.get(LogEvent.SLEEP_COMPLETE)
        times = {"start": _time(by_event[LogEvent.SLEEP_START]), "end": _time(end)}
        yield JsObject({**common, **times, "finished": end is not None, "type": "sleep", "error": jsnull})
    elif LogEvent.WAIT_START in by_event:
        yield _wait_details(common, by_event)
    elif LogEvent.STEP_START in by_event:
        success, failure = by_event.get(LogEvent.STEP_SUCCESS), by_event.get(LogEvent.STEP_FAILURE)
        yield JsObject(
            {
                **common,
                "start": _time(by_event[LogEvent.STEP_START]),
                "end": _time(success or failure),
                "success": True if success else False if failure else jsnull,
                "type": "step",
                "output": None if success is None else _member(success, "result"),
                "config": _of(by_event[LogEvent.STEP_START], "config"),
                "attempts": JsArray(list(_attempts(logs))),
            }
        )


def _wait_details(common: Mapping[str, Any], by_event: Mapping[int, LogRecord]) -> JsObject:
    taken, expired = by_event.get(LogEvent.WAIT_COMPLETE), by_event.get(LogEvent.WAIT_TIMED_OUT)
    return JsObject(
        {
            **common,
            "start": _time(by_event[LogEvent.WAIT_START]),
            "end": _time(taken or expired),
            "finished": bool(taken or expired),
            "type": "waitForEvent",
            "error": parse(expired.entry.metadata) if expired else jsnull,
            "output": parse(taken.entry.metadata) if taken else jsnull,
        }
    )


def _attempts(logs: list[LogRecord]) -> Iterator[JsObject]:
    for start in logs:
        if start.entry.event != LogEvent.ATTEMPT_START:
            continue
        number = _member(start, "attempt")
        ends = (
            log
            for log in logs
            if log.entry.event in (LogEvent.ATTEMPT_SUCCESS, LogEvent.ATTEMPT_FAILURE)
            and _member(log, "attempt") == number
        )
        end = next(ends, None)
        success = jsnull if end is None else end.entry.event == LogEvent.ATTEMPT_SUCCESS
        error = jsnull if end is None or success is True else _of(end, "error")
        yield JsObject({"start": _time(start), "end": _time(end), "success": success, "error": error})


def _json(metadata: Mapping[str, Any] | None) -> str:
    try:
        return stringify(JsObject(metadata or {})) or "{}"
    except JsException:  # a bigint, or what refers to itself
        return "{}"


def _member(log: LogRecord, name: str) -> Any:
    return parse(log.entry.metadata).own_properties().get(name)


def _of(log: LogRecord | None, name: str) -> Any:
    found = None if log is None else _member(log, name)
    return jsnull if found is None else found


def _time(log: LogRecord | None) -> Any:
    return jsnull if log is None else iso_time(log.time_ms)
