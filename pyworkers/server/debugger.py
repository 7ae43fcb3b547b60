"""pdb for a worker's code: stepping stays out of what runs it.

A handler is driven by this package, by asyncio and by uvicorn, and ``next`` past its end would lead into their frames.
"""

from __future__ import annotations

import pdb  # noqa: T100  # the worker's own breakpoint()
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final

MACHINERY: Final = ("pyworkers", "pyworkers.*", "asyncio", "asyncio.*", "uvicorn", "uvicorn.*", "uvloop", "uvloop.*")


class Debugger(pdb.Pdb):
    """pdb that steps over the frames of the machinery, and ends when the code it stepped through has ended.

    SIGINT stays the server's.
    """

    def __init__(self) -> None:
        super().__init__(nosigint=True, skip=MACHINERY)

    def dispatch_exception(
        self, frame: FrameType, arg: tuple[type[BaseException], BaseException, TracebackType]
    ) -> Callable[..., Any]:
        """Stop where an exception shows, except in the machinery: a coroutine that returns is a StopIteration there."""
        if self.is_skipped_module(frame.f_globals.get("__name__", "")):
            if self.stopframe is not None and issubclass(arg[0], StopIteration):
                self.set_continue()
            return self.trace_dispatch
        handler: Callable[..., Any] = super().dispatch_exception(frame, arg)
        return handler
