"""Which frames of a traceback a developer sees."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pyworkers
from pyworkers.runtime.failures import format_traceback, worker_frames, worker_traceback
from pyworkers.runtime.loader import ModuleNamespace

OURS = str(Path(pyworkers.__file__).parent / "bindings" / "made_up.py")
STANDARD = contextlib.__file__
SDK = "/site-packages/workers/entrypoints.py"
SDK_FETCH = "/site-packages/workers/fetch.py"
WORKER = "/project/src/entry.py"
LIBRARY = "/venv/lib/site-packages/library/core.py"


def raised(files: list[str]) -> BaseException:
    """Return an error that went through a function in each of the files, outermost first."""

    def fail() -> None:
        raise ValueError("wrong")

    call: Callable[[], Any] = fail
    for number, file in reversed(list(enumerate(files))):
        source = "raise ValueError('wrong')" if number == len(files) - 1 else "call()"
        namespace: dict[str, Any] = {"call": call}
        exec(compile(f"def step():\n    {source}\n", file, "exec"), namespace)
        call = namespace["step"]
    with pytest.raises(ValueError, match="wrong") as caught:
        call()
    return caught.value


def shown(error: BaseException) -> list[str]:
    return [frame.filename for frame in worker_frames(error) if frame.filename != __file__]


def test_frames_of_the_machinery_are_left_out_and_the_standard_librarys_that_it_calls() -> None:
    error = raised([OURS, SDK, WORKER, LIBRARY, OURS, STANDARD, OURS])
    assert shown(error) == [WORKER, LIBRARY]
    trace = worker_traceback(error)
    assert trace is not None
    kept = []
    while trace is not None:
        kept.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    assert kept == [__file__, WORKER, LIBRARY]


def test_frames_of_the_standard_library_that_the_worker_calls_are_shown() -> None:
    assert shown(raised([OURS, WORKER, STANDARD])) == [WORKER, STANDARD]


def test_what_fails_before_a_handler_begins_is_told_without_frames() -> None:
    error = raised([OURS, SDK])
    error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ is not None else None  # the test's own
    assert format_traceback(error) == "ValueError: wrong\n"


def test_an_error_of_ours_keeps_its_frames() -> None:
    error = raised([OURS, OURS])
    error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ is not None else None
    assert format_traceback(error).count(OURS) == 2


def test_what_a_handler_returned_unawaited_and_fails_is_told_without_frames() -> None:
    error = raised([OURS, OURS, SDK_FETCH, SDK_FETCH])
    error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ is not None else None
    assert format_traceback(error) == "ValueError: wrong\n"


def test_a_workers_own_class_is_called_as_its_module_is() -> None:
    space = ModuleNamespace("app", [])
    try:
        kind = type("Refused", (ValueError,), {"__module__": f"{space.prefix}.shop.errors"})
        assert format_traceback(kind("no")) == "shop.errors.Refused: no\n"
        group = ExceptionGroup("several", [kind("a"), kind("b")])
        assert format_traceback(group).count("| shop.errors.Refused: ") == 2
    finally:
        space.dispose()
