"""Testing workers from pytest: the plugin's fixtures, and the parts they are made of."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "ManualClock": "pyworkers.clock",
    "OutboundMock": "pyworkers.testing.outbound",
    "TestWorker": "pyworkers.testing.worker",
    "UnexpectedRequest": "pyworkers.testing.outbound",
}

__all__ = ["ManualClock", "OutboundMock", "TestWorker", "UnexpectedRequest"]  # found by __getattr__


def __getattr__(name: str) -> Any:
    # pytest imports this package at every start, in projects that have no worker too: it must cost nothing.
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
