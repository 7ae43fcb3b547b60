"""Workflows: engines that keep instances, their steps and their events."""

from __future__ import annotations

from pyworkers.engines.workflows.protocol import (
    FINISHED,
    InstanceRecord,
    LogEntry,
    LogRecord,
    SentEvent,
    StepRecord,
    WorkflowEngine,
)

__all__ = [
    "ENGINES",
    "FINISHED",
    "InstanceRecord",
    "LogEntry",
    "LogRecord",
    "SentEvent",
    "StepRecord",
    "WorkflowEngine",
]

# Short name -> where the class is; imported when chosen.
ENGINES = {"sqlite": "pyworkers.engines.workflows.sqlite_engine:SqliteWorkflowEngine"}
