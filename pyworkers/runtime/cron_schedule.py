"""Runs the scheduled handlers of a project's workers when their cron triggers are due."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from typing import Any

from pyworkers.clock import Clock, SystemClock, Timer
from pyworkers.config.model import WorkerConfig
from pyworkers.config.places import error_at
from pyworkers.errors import WorkerLoadError
from pyworkers.runtime.cron import Cron, CronError, parse_cron
from pyworkers.runtime.isolate import Isolate
from pyworkers.runtime.triggers import Observer, ScheduledController, run_trigger

_log = logging.getLogger("pyworkers.runtime")


class Crons:
    """The cron triggers of a project.

    Args:
        find_isolate: finds a worker as it is now, by name.
        clock: says when a trigger is due.
        observer: who is told of every event.

    Attributes:
        is_enabled: whether triggers fire by themselves; set it before `start`.
    """

    def __init__(
        self,
        find_isolate: Callable[[str], Isolate | None],
        *,
        clock: Clock,
        observer: Callable[[], Observer | None],
    ) -> None:
        self.is_enabled = True
        self._find_isolate = find_isolate
        self._clock = clock
        self._observer = observer
        self._crons: dict[str, tuple[Cron, ...]] = {}
        self._timers: dict[str, list[Timer]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._has_started = False

    def configure(self, config: WorkerConfig) -> None:
        """Take over a worker's triggers, in place of those it had before.

        Raises:
            ConfigError: one of them is no cron expression.
        """
        crons = tuple(read_crons(config))
        if self._crons.get(config.name) == crons:
            return
        self._crons[config.name] = crons
        if self._has_started:
            self._arm_all(config.name)

    def start(self) -> None:
        """Let triggers fire from now on; call it once the workers are loaded."""
        self._has_started = True
        for worker in self._crons:
            self._arm_all(worker)

    async def close(self, *, drain_s: float = 5.0) -> None:
        """Let no trigger fire any more, and wait for the handlers that run, at most ``drain_s`` seconds."""
        self._has_started = False
        for worker in list(self._timers):
            self._cancel(worker)
        if self._tasks:
            _, pending = await asyncio.wait(set(self._tasks), timeout=drain_s)
            for task in pending:
                task.cancel()
            if pending:
                await asyncio.wait(pending)

    def _arm_all(self, worker: str) -> None:
        self._cancel(worker)
        if self.is_enabled:
            for cron in self._crons[worker]:
                self._arm(worker, cron, self._clock.now_ms())

    def _cancel(self, worker: str) -> None:
        for timer in self._timers.pop(worker, ()):
            timer.cancel()

    def _arm(self, worker: str, cron: Cron, after_ms: int) -> None:
        due_ms = cron.next_after(after_ms)
        if due_ms is None:
            return

        def ring() -> asyncio.Task[Any]:
            timers.remove(timer)
            # A machine that slept does not make up for what it missed; a clock moved by hand leaves nothing out.
            self._arm(worker, cron, self._clock.now_ms() if isinstance(self._clock, SystemClock) else due_ms)
            return self._spawn(self._fire(worker, cron, due_ms))

        timers = self._timers.setdefault(worker, [])
        timer = self._clock.call_at(due_ms, ring)
        timers.append(timer)

    async def _fire(self, worker: str, cron: Cron, due_ms: int) -> None:
        try:
            isolate = self._find_isolate(worker)
        except WorkerLoadError:
            isolate = None
        if isolate is None:
            _log.warning("the cron trigger %s of %s was left out: the worker is not loaded", cron.text, worker)
            return
        await run_scheduled(isolate, ScheduledController(cron.text, due_ms), self._observer())

    def _spawn(self, coroutine: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(coroutine, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def run_scheduled(isolate: Isolate, controller: ScheduledController, observer: Observer | None) -> bool:
    """Run a worker's scheduled handler and what it keeps alive; tells whether none of it failed."""
    target = controller.cron or "-"
    occurrence = await run_trigger(
        isolate, "scheduled", controller, label="SCHEDULED", target=target, observer=observer
    )
    return occurrence.succeeded


def read_crons(config: WorkerConfig) -> list[Cron]:
    """Read a worker's cron triggers.

    Raises:
        ConfigError: one of them is no cron expression.
    """
    found = []
    for index, text in enumerate(config.crons):
        try:
            found.append(parse_cron(text))
        except CronError as error:
            raise error_at(
                config,
                ("triggers", "crons", index),
                f"triggers.crons: {error}",
                hint='write five fields such as "*/5 * * * *"; days of the week are 1 (Sunday) to 7',
            ) from None
    return found
