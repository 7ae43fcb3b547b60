"""``pyodide.ffi.wrappers``: event listeners and timers that take plain Python functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyworkers.js.timers import clearInterval, clearTimeout, setInterval, setTimeout


def add_event_listener(elt: Any, event: str, listener: Callable[[Any], object]) -> None:
    """Add a listener to an EventTarget."""
    elt.addEventListener(event, listener)


def remove_event_listener(elt: Any, event: str, listener: Callable[[Any], object]) -> None:
    """Remove a listener that `add_event_listener` added."""
    elt.removeEventListener(event, listener)


def set_timeout(callback: Callable[[], object], timeout: int) -> int:
    """Run a function once, ``timeout`` milliseconds from now; returns the timer's id."""
    return int(setTimeout(callback, timeout))


def clear_timeout(timeout_retval: int) -> None:
    """Cancel a timer of `set_timeout`."""
    clearTimeout(timeout_retval)


def set_interval(callback: Callable[[], object], interval: int) -> int:
    """Run a function every ``interval`` milliseconds; returns the timer's id."""
    return int(setInterval(callback, interval))


def clear_interval(interval_retval: int) -> None:
    """Cancel a timer of `set_interval`."""
    clearInterval(interval_retval)


__all__ = [
    "add_event_listener",
    "clear_interval",
    "clear_timeout",
    "remove_event_listener",
    "set_interval",
    "set_timeout",
]
