"""How `pyworkers workflows` shows an instance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import click

from pyworkers.cli.output import print_table

STATUS_SIGNS: Final = {
    "queued": "⌛ Queued",
    "running": "▶ Running",
    "paused": "⏸️ Paused",
    "errored": "❌ Errored",
    "terminated": "🚫 Terminated",
    "complete": "✅ Completed",
    "waiting": "⏰ Waiting",
    "waitingForPause": "⏱️ Waiting for Pause",
}
_STEP_SIGNS: Final = {"step": "🎯 Step", "sleep": "💤 Sleeping", "waitForEvent": "👀 Waiting for event"}


def print_details(name: str, instance_id: str, details: Mapping[str, Any], *, output_limit: int | None) -> None:
    """Print an instance with its steps and their attempts.

    Args:
        output_limit: how many characters of a step's result are shown; None shows none.
    """
    error = details["error"]
    _print_values(
        {
            "Workflow Name": name,
            "Instance Id": instance_id,
            "Status": STATUS_SIGNS[details["status"]],
            "Queued": details["queued"],
            "Start": details["start"],
            "End": details["end"],
            "Duration": _duration(details),
            "Params": _text(details["params"], output_limit),
            "Output": None if details["output"] is None else _text(details["output"], output_limit),
            "Error": f"{error['name']}: {error['message']}" if error else None,
        }
    )
    click.echo("Steps:")
    for step in details["steps"]:
        _print_step(step, output_limit)


def _print_step(step: Mapping[str, Any], output_limit: int | None) -> None:
    values: dict[str, str | None] = {
        "Name": step["name"],
        "Type": _STEP_SIGNS[step["type"]],
        "Start": step["start"],
        "End": step["end"],
        "Duration": _duration(step),
    }
    if step["type"] == "step":
        values["Success"] = {True: "✅ Yes", False: "❌ No", None: "▶ Running"}[step["success"]]
    if step.get("output") is not None:
        values["Output"] = _text(step["output"], output_limit)
    if step.get("error"):
        values["Error"] = f"{step['error']['name']}: {step['error']['message']}"
    click.echo("")
    _print_values(values, indent="  ")
    attempts = step.get("attempts") or []
    print_table([_attempt(attempt) for attempt in attempts])


def _attempt(attempt: Mapping[str, Any]) -> dict[str, object]:
    error = attempt["error"]
    return {
        "Start": attempt["start"],
        "End": attempt["end"] or "",
        "Duration": _duration(attempt) or "",
        "State": {True: "✅ Success", False: "❌ Error", None: "🔄 Working"}[attempt["success"]],
        "Error": f"{error['name']}: {error['message']}" if error else "",
    }


def _print_values(values: Mapping[str, str | None], *, indent: str = "") -> None:
    shown = {title: value for title, value in values.items() if value is not None}
    width = max(map(len, shown), default=0) + 2
    for title, value in shown.items():
        click.echo(f"{indent}{title + ':':{width}}{value}")


def _duration(entry: Mapping[str, Any]) -> str | None:
    if entry["start"] is None or entry["end"] is None:
        return None
    start, end = (datetime.fromisoformat(entry[name]) for name in ("start", "end"))
    return f"{(end - start).total_seconds():g} s"


def _text(value: Any, limit: int | None) -> str | None:
    if limit is None:
        return None
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[:limit] + "[...output truncated]"
