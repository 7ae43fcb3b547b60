"""Workflows: the binding, its instances, and the step that a run gets."""

from __future__ import annotations

from pyworkers.bindings.workflows.binding import InstanceImpl, WorkflowImpl
from pyworkers.bindings.workflows.host import StepHost, WorkflowHost
from pyworkers.bindings.workflows.step import WorkflowStep

__all__ = ["InstanceImpl", "StepHost", "WorkflowHost", "WorkflowImpl", "WorkflowStep"]
