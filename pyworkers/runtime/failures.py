"""How an exception looks: to the developer as a trimmed traceback, to another worker as a JavaScript error."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from pyworkers.bindings.failures import remote
from pyworkers.js.collections import JsMap, JsSet
from pyworkers.js.error_names import ERROR_NAMES
from pyworkers.js.objects import JsArray
from pyworkers.js.values import JsException, JsObject, JsProxy
from pyworkers.runtime.loader import plain_names

_OURS: Final = str(Path(__file__).resolve().parent.parent)
_STANDARD: Final = str(Path(traceback.__file__).parent)
_HIDDEN_FILES: Final = ("/workers/entrypoints.py", "/workers/rpc.py", "/workers/fetch.py")
_CALLERS: Final = (*_HIDDEN_FILES, "/pyworkers/runtime/isolate.py")  # of a worker's handlers, or awaiting for them
_HEADING: Final = "Traceback (most recent call last):"
_REMOTE_NAMES: Final = ERROR_NAMES - {"DOMException", "NonRetryableError"}


def remote_error(error: BaseException) -> BaseException:
    """Return the error as the other side of a service binding sees it.

    A JavaScript error keeps its message, and its name where that is a built-in one; a Python exception becomes a
    ``PythonError`` whose message is its traceback. Either says with ``remote`` where it came from. Cancellation stays
    what it is.

    Source: recorded, contracts/services, services.rpc.errors; contracts/python, python.do.rpc
    """
    if isinstance(error, asyncio.CancelledError):
        return error
    found = remote(plain_error(error))
    for name in ("overloaded", "retryable"):  # the kind of the failure: one of them travels
        if getattr(error, name, None) and found.kind != "DOMException":
            setattr(found, name, True)
            break
    return found


def plain_error(error: BaseException) -> JsException:
    """Return the error as JavaScript code has it that knows nothing of the error's own fields."""
    if isinstance(error, JsException):
        if error.kind == "DOMException":
            return JsException(error.name, error.message, kind="DOMException")
        thrown = getattr(error, "_thrown", None)
        if isinstance(thrown, JsProxy) and not isinstance(thrown, JsException):
            return JsException("Error", _described(thrown))
        if error.name in _REMOTE_NAMES:
            return JsException(error.name, error.message)
        return JsException("Error", error.toString())
    text = format_traceback(error)
    # Pyodide's messages always begin so, with or without frames that can be shown.
    return JsException("PythonError", text if text.startswith(_HEADING) else f"{_HEADING}\n{text}")


def _described(thrown: JsProxy) -> str:
    """What V8 says of an object that is no error: its class, or its tag where it prints itself."""
    if isinstance(thrown, JsObject | JsMap | JsSet) or "toString" not in _own_members(type(thrown)):
        return f"#<{thrown.js_name}>" if not isinstance(thrown, JsArray) else "[object Array]"
    return f"[object {thrown.js_name}]"


def _own_members(cls: type) -> set[str]:
    """The names that a class and its bases define, those of every object apart."""
    return {name for base in cls.__mro__ if base not in (JsProxy, object) for name in vars(base)}


def format_traceback(error: BaseException) -> str:
    """Return the traceback with the worker's own frames and those of the libraries it uses, ours left out.

    The last line is ``module.ExceptionType: message``; the text ends with a line break.
    """
    trimmed = traceback.TracebackException(type(error), error, error.__traceback__)
    _trim(trimmed)
    return plain_names("".join(trimmed.format()))


def worker_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Return the traceback's frames, outermost first, ours left out."""
    return _kept(traceback.extract_tb(error.__traceback__))


def where(error: BaseException, roots: Sequence[str] = ()) -> tuple[Path, int] | None:
    """Return the file and line that an error points at: of a syntax error its own, else of the innermost frame.

    Args:
        roots: folders of the worker's own modules; a frame in one of them goes before a library's.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return Path(error.filename), error.lineno or 1
    frames = worker_frames(error)
    own = [frame for frame in frames if any(Path(frame.filename).is_relative_to(root) for root in roots)]
    found = (own or frames)[-1:]
    return (Path(found[0].filename), found[0].lineno or 1) if found else None


def _trim(trimmed: traceback.TracebackException) -> None:
    for part in _chain(trimmed):
        kept = _kept(part.stack)
        if kept:
            part.stack = traceback.StackSummary.from_list(kept)
        elif part.stack and part.stack[-1].filename.endswith(_CALLERS):
            # The handler could not be called, or returned what failed: no frame of the worker's, and none that helps.
            part.stack = None  # type: ignore[assignment]  # format() leaves the heading out, too


def _chain(part: traceback.TracebackException | None) -> Iterator[traceback.TracebackException]:
    while part is not None:
        yield part
        if part.__context__ is not None and part.__context__ is not part.__cause__:
            yield from _chain(part.__context__)
        part = part.__cause__


def _kept(frames: Sequence[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    shown = _shown(frame.filename for frame in frames)
    return [frame for frame, is_shown in zip(frames, shown, strict=True) if is_shown]


def _shown(files: Iterable[str]) -> Iterator[bool]:
    """Tell which frames are shown, outermost first: ours are not, nor the standard library's that ours call."""
    is_inside = False
    for name in files:
        if name.startswith((_OURS, "<frozen importlib")) or name.endswith(_HIDDEN_FILES):
            is_inside = True
        elif not (name.startswith(_STANDARD) and "site-packages" not in name):
            is_inside = False
        yield not is_inside


def worker_traceback(error: BaseException) -> TracebackType | None:
    """Return the traceback object without our frames; whole where there are none but ours."""
    kept: TracebackType | None = None
    links = list(_links(error.__traceback__))
    shown = list(_shown(tb.tb_frame.f_code.co_filename for tb in links))
    for tb, is_shown in zip(reversed(links), reversed(shown), strict=True):
        if is_shown:
            kept = TracebackType(kept, tb.tb_frame, tb.tb_lasti, tb.tb_lineno)
    return kept or error.__traceback__


def _links(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def strip_frames(error: BaseException) -> TracebackType | None:
    """Return the traceback object starting at the first frame that is not ours."""
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith(_OURS):
        tb = tb.tb_next
    return tb or error.__traceback__
