"""Ends a handler that overruns its CPU time, as the platform does with error 1102, while the server lives on.

The kernel's interval timer interrupts the main thread, so that code which never gives the thread back (``while True``,
a runaway regular expression, a sleep) is reached too. What cannot be interrupted is one C call that never checks for
signals (``sum(range(10**9))``), and a loop that swallows BaseException.

Source: developers.cloudflare.com/workers/platform/limits (checked 2026-11-23); measured for this project
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from time import thread_time
from types import FrameType
from typing import Any, Final

from pyworkers.pyodide import suspension
from pyworkers.runtime import events

DEFAULT_CPU_MS: Final = 30_000
TICK_S: Final = 0.01
IDLE_TICKS: Final = 50
MESSAGE: Final = "Worker exceeded CPU time limit."

_PACKAGE: Final = str(Path(__file__).parents[1]) + os.sep
_ENGINES: Final = _PACKAGE + "engines" + os.sep
_BOOKKEEPING: Final = (
    _ENGINES,
    *(f"{_PACKAGE}{layer}{os.sep}" for layer in ("bindings", "runtime")),
    suspension.__file__,
)


class CpuLimitExceeded(BaseException):
    """Raised inside the code that overran; a BaseException, so that ``except Exception`` does not swallow it."""


class Watchdog:
    """Watches the CPU time of the running event; a context manager, for the main thread only.

    It is armed by the first event and disarms itself after half a second without one, so that an idle server takes no
    signals.
    """

    def __init__(self) -> None:
        self._quiet_ticks = 0
        self._previous: Any = None
        self._stretch_s = 0.0  # the stretch of running that the last tick saw, by its start
        self._stretch_cpu_s = 0.0  # the thread's CPU time at the first tick of it

    def __enter__(self) -> Watchdog:
        assert threading.current_thread() is threading.main_thread()
        self._previous = signal.signal(signal.SIGALRM, self._tick)
        signal.siginterrupt(signal.SIGALRM, False)  # noqa: FBT003  # its signature
        events.on_first_enter = self.arm
        return self

    def __exit__(self, *_: object) -> None:
        events.on_first_enter = None
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._previous)

    def arm(self) -> None:
        """Start the timer."""
        events.on_first_enter = None
        self._quiet_ticks = 0
        signal.setitimer(signal.ITIMER_REAL, TICK_S, TICK_S)

    def _tick(self, _signal: int, frame: FrameType | None) -> None:
        event = events.running_event()
        if event is None:
            self._quiet_ticks += 1
            if self._quiet_ticks > IDLE_TICKS:
                signal.setitimer(signal.ITIMER_REAL, 0)
                events.on_first_enter = self.arm
            return
        self._quiet_ticks = 0
        # A debugger's prompt holds the thread without using it, so what counts is the thread's own CPU time.
        now_s = thread_time()
        if self._stretch_s != events.running_since_s():
            self._stretch_s, self._stretch_cpu_s = events.running_since_s(), now_s
        cpu_s = event.cpu_s + now_s - self._stretch_cpu_s
        limit_ms = event.isolate.config.limits.cpu_ms or DEFAULT_CPU_MS
        # What is brief ends within the next ticks.
        if cpu_s * 1000 > limit_ms and frame is not None and may_be_cut(frame):
            raise CpuLimitExceeded(MESSAGE)


def may_be_cut(frame: FrameType) -> bool:
    """Tell whether code may be ended where it is: bookkeeping and an engine's transactions must not be cut in two.

    Args:
        frame: of the code that runs.
    """
    if frame.f_code.co_filename.startswith(_BOOKKEEPING):
        return False
    caller: FrameType | None = frame
    while caller is not None and not caller.f_code.co_filename.startswith(_PACKAGE):
        caller = caller.f_back
    # What an engine calls belongs to it; a worker's stream that it reads is called by another part of the package.
    return caller is None or not caller.f_code.co_filename.startswith(_ENGINES)
