"""The workflows of a project, by name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyworkers.bindings.workflows import WorkflowImpl
from pyworkers.clock import Clock
from pyworkers.config.model import WorkerConfig, WorkflowBinding
from pyworkers.errors import EngineError
from pyworkers.runtime.isolate import Isolate
from pyworkers.runtime.stores import Stores
from pyworkers.runtime.triggers import Observer
from pyworkers.runtime.workflows.workflow import Workflow

_log = logging.getLogger("pyworkers.runtime")


class Workflows:
    """The workflows of a project. Two bindings that name the same one share it.

    Args:
        stores: where their data lives.
        find_isolate: finds a worker as it is now, by name.
        aliases: deployed names of workers to those they have here.
        clock: what sleeps, retries and timeouts go by.
        observer: finds who is told of a run that is over.
        is_live: run instances; otherwise what is done to them is stored, for whoever runs them next.
    """

    def __init__(
        self,
        stores: Stores,
        find_isolate: Callable[[str], Isolate | None],
        *,
        aliases: Mapping[str, str],
        clock: Clock,
        observer: Callable[[], Observer | None] = lambda: None,
        is_live: bool = True,
    ) -> None:
        self._observer = observer
        self._is_started = False
        self._is_live = is_live
        self._stores = stores
        self._find_isolate = find_isolate
        self._aliases = aliases
        self._clock = clock
        self._workflows: dict[str, Workflow] = {}

    def __iter__(self) -> Iterator[Workflow]:
        return iter(self._workflows.values())

    def get(self, name: str) -> Workflow | None:
        """Return a workflow by its name."""
        return self._workflows.get(name)

    def binding(self, config: WorkerConfig, binding: WorkflowBinding) -> WorkflowImpl:
        """Return the object of a binding."""
        script = config.name if binding.script_name is None else binding.script_name
        worker = self._aliases.get(script, script)
        workflow = self._workflows.get(binding.name)
        if workflow is None:
            workflow = self._workflows[binding.name] = Workflow(
                binding.name,
                worker=worker,
                class_name=binding.class_name,
                engine=self._stores.engine("workflows", binding.name),
                find_isolate=self._find_isolate,
                clock=self._clock,
                observer=self._observer,
                is_live=self._is_live,
            )
        elif binding.script_name is None:  # the definition, which a reload may have changed
            workflow.worker, workflow.class_name = worker, binding.class_name
        limit: Any = binding.limits.get("steps")
        if isinstance(limit, int) and binding.script_name is None:
            workflow.step_limit = limit
        return WorkflowImpl(workflow)

    def start(self) -> None:
        """Run on what the end of the last process has interrupted; call it once the workers are loaded."""
        for workflow in self:
            self._resume(workflow)
        self._is_started = True

    def reload(self, worker: str) -> None:
        """Let the instances of a worker that was loaded go on in its code."""
        for workflow in self:
            if self._is_started and workflow.worker == worker:
                self._resume(workflow, is_reload=True)

    def _resume(self, workflow: Workflow, *, is_reload: bool = False) -> None:
        path = self._stores.path_of("workflows", workflow.name)
        if path is not None and not path.exists():
            return
        try:
            workflow.reload() if is_reload else workflow.resume_all()
        except EngineError as error:
            _log.error("workflow %s: its instances cannot be read: %s", workflow.name, error)

    async def close(self) -> None:
        """Stop everything; what is unfinished runs on at the next start."""
        for workflow in self:
            await workflow.close()
