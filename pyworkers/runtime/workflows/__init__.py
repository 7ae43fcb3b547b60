"""Workflows: instances that run in a worker's isolate, step by step."""

from __future__ import annotations

from pyworkers.runtime.workflows.registry import Workflows
from pyworkers.runtime.workflows.workflow import Workflow

__all__ = ["Workflow", "Workflows"]
