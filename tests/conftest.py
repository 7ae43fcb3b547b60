"""What every test runs under."""

from __future__ import annotations

import ast
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

# The same examples every time, however slow the machine is; who asks for more programs gets new ones.
settings.register_profile(
    "suite",
    derandomize="PYWORKERS_PROGRAMS" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("suite")


def one_tree_at_a_time(parse: Callable[..., ast.AST]) -> Callable[..., ast.AST]:
    """Return an ``ast.parse`` within which no other begins.

    CPython before 3.11.8 keeps the depth of every tree that is being made in one counter of the interpreter. Where the
    garbage collector runs in the middle of one and lets another thread go on, or a finalizer format a traceback, and a
    second tree is made, the first ends in ``SystemError: AST constructor recursion depth mismatch``. hypothesis, pytest
    and the traceback module all make trees.

    Source: github.com/python/cpython/issues/106905
    """
    lock = threading.RLock()

    def parse_alone(*args: Any, **options: Any) -> ast.AST:
        with lock:
            collects = gc.isenabled()
            gc.disable()
            try:
                return parse(*args, **options)
            finally:
                if collects:
                    gc.enable()

    return parse_alone


# A shell ignores Ctrl-C for what it runs in the background, and so would the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

if sys.version_info < (3, 11, 8):
    ast.parse = one_tree_at_a_time(ast.parse)  # type: ignore[assignment]  # its overloads
