"""Projects with workflows, and how they run in process, on a clock of the test's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.js.json import stringify
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

CONFIG = """
name = "flows"
main = "entry.py"
compatibility_date = "{date}"
compatibility_flags = ["python_workers"]
workflows = [{{ binding = "WF", name = "orders", class_name = "Orders"{more} }}]
"""
HEAD = """
import asyncio
from workers import Response, WorkflowEntrypoint, WorkerEntrypoint
from workers.workflows import NonRetryableError

ran = []

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("hello")

class Orders(WorkflowEntrypoint):
    async def run(self, event, step):
"""

WriteProject = Callable[..., Path]


def indented(code: str) -> str:
    return "".join(f"        {line}\n" for line in code.strip().splitlines())


@dataclass
class Running:
    """A project that runs."""

    runtime: Runtime
    clock: ManualClock

    @property
    def env(self) -> Any:
        """The worker's ``env``, as its code sees it."""
        isolate = self.runtime.primary
        return isolate.sdk._EnvWrapper(isolate.env)

    @property
    def ran(self) -> list[Any]:
        """What the worker's code noted."""
        noted: list[Any] = self.runtime.primary.namespace.import_module("entry").ran
        return noted

    async def status(self, instance: Any) -> tuple[str, Any, Any]:
        """Return an instance's status, output and error."""
        status = await instance.status()
        error = status["error"]
        return status["status"], status["output"], None if error is None else (error["name"], error["message"])

    async def details(self, instance_id: str) -> str:
        """Return everything that is known of an instance, as JSON."""
        workflow = self.runtime.workflows.get("orders")
        assert workflow is not None
        return stringify(workflow.details(instance_id)) or ""


@asynccontextmanager
async def running(folder: Path, clock: ManualClock, *, state: Path | None = None) -> AsyncIterator[Running]:
    """Run a project.

    Args:
        state: where its data is kept; in memory by default.
    """
    project = load_project(folder, [folder / "wrangler.toml"])
    stores = Stores(state, project, clock, scratch_dir=folder / "scratch")
    async with Runtime(project, stores, clock=clock) as runtime:
        for error in runtime.load_errors.values():
            raise error
        yield Running(runtime, clock)


async def turns(count: int = 30) -> None:
    """Let what has begun go on."""
    for _ in range(count):
        await asyncio.sleep(0)
