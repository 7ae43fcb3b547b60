"""One line a request, and what its handler printed under it.

``print`` and ``console.*`` of a running event are kept until its line is written. A request that takes long is
announced, and what it prints from then on is written as it comes, as is what ``waitUntil`` prints after the response.
While a debugger runs, output goes straight to the terminal.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from time import perf_counter
from types import TracebackType
from typing import Any, Final, TextIO

from pyworkers.runtime.events import current_event
from pyworkers.runtime.failures import format_traceback
from pyworkers.server.terminal import Output

INDENT: Final = "    "
_MAX_TARGET_CHARS: Final = 200
_SECRET: Final = re.compile(
    r"([?&](?:[\w.%-]*[_.-])?(?:(?:api|access|secret)[_-]?key|token|secret|signature|sig|password|passwd|credential|auth|jwt)=)[^&#]+",
    re.IGNORECASE,
)
GONE: Final = 499  # nginx's number for a client that left before its answer


class Prints(list[str]):
    """What one request's handlers printed: kept, then passed on at once."""

    __slots__ = ("_log", "direct", "live", "partial")

    def __init__(self, log: AccessLog) -> None:
        self._log = log
        self.live = False
        self.direct = False  # a debugger was started in this event
        self.partial = ""

    def append(self, line: str, /) -> None:
        """Take one line."""
        if self.live:
            self._log.printed(line)
        else:
            super().append(line)

    def write(self, text: str, worker: str) -> None:
        """Take a piece of text from ``print``, which ends lines in a call of its own."""
        *lines, self.partial = (self.partial + text).split("\n")
        for line in lines:
            self.append(self._log.label(worker) + line)

    def release(self) -> list[str]:
        """Return the lines kept so far; what follows is passed on at once."""
        self.live = True
        if not self and not self.partial:
            return []
        lines = [*self, self.partial] if self.partial else list(self)
        self.clear()
        self.partial = ""
        return lines


class AccessLog:
    """Writes the lines of requests.

    Args:
        output: where to.
        several: whether more than one worker runs, so that a print needs its worker's name.
    """

    def __init__(self, output: Output, *, several: bool) -> None:
        self._output = output
        self._style = output.style
        self._several = several
        self._shown = output.shows("info")

    def prints(self) -> Prints:
        """Return the list that an event of a new request prints to."""
        return Prints(self)

    def request(
        self,
        method: str,
        target: str,
        status: int,
        *,
        started_s: float,
        bindings: Mapping[str, int],
        prints: Prints,
        error: str = "",
        is_cut: bool = False,
    ) -> None:
        """Write the line of a finished request, what it printed, and the traceback of what it raised.

        Args:
            is_cut: the connection was closed in the middle of the response.
        """
        kept = prints.release()
        if "=" in target:
            target = _redacted(target)
        if self._shown:
            duration_ms = (perf_counter() - started_s) * 1000
            line = self._line(method, target, status, duration_ms, bindings, is_cut=is_cut)
            if kept and self._output.shows("log"):
                line = "\n".join([line, *(INDENT + text for text in kept)])
            if error:
                line = f"{line}\n{self._error(error)}"
            self._output.write(line + "\n")
        elif error:
            self._output.line(f"{method} {target}\n{self._error(error)}", "error")

    def refused(self, method: str, target: str, status: int, why: str) -> None:
        """Write the line of a request that reached no worker."""
        if self._shown:
            code = self._style(str(status), _color(status))
            self._output.line(f"{method or '-'} {_printable(target) or '-'} {code} refused: {why}")

    def running(self, method: str, target: str, prints: Prints) -> None:
        """A request takes long: say so, with what it printed so far; the rest is written as it comes."""
        if self._shown and not prints.live:
            self._output.line(f"{method} {_redacted(target)} {self._style('still running', 'dim')}")
        self.release(prints)

    def release(self, prints: Prints) -> None:
        """Write what was printed so far, and the rest as it comes."""
        for line in prints.release():
            self.printed(line)

    def printed(self, line: str) -> None:
        """Write a line that was printed when no access line was to follow."""
        self._output.line(INDENT + line, "log")

    def label(self, worker: str) -> str:
        """Return what stands before a worker's prints."""
        return self._style(f"{worker} │ ", "dim") if self._several else ""

    def _line(
        self, method: str, target: str, status: int, duration_ms: float, bindings: Mapping[str, int], *, is_cut: bool
    ) -> str:
        code = "client left" if status == GONE else f"{status} cut off" if is_cut else str(status)
        duration = f"({_duration(duration_ms)})"
        if self._style.enabled:
            code = self._style(code, "red" if is_cut else _color(status))
            duration = self._style(duration, "dim")
        if not bindings:
            return f"{method} {target} {code} {duration}"
        touched = "".join(f"  {name}" if count == 1 else f"  {name} ×{count}" for name, count in bindings.items())
        return f"{method} {target} {code} {duration}{touched}"

    def _error(self, error: str) -> str:
        return self._style("\n".join(INDENT + line for line in error.rstrip().split("\n")), "red")


def _color(status: int) -> str:
    return "red" if status >= 500 else "yellow" if status >= 400 else "green"


def _redacted(target: str) -> str:
    """Return a request target without what proves who asks: keys, tokens, passwords and signatures of its query."""
    return _SECRET.sub(r"\1***", target)


def _printable(target: str) -> str:
    """Return a request target as one short line, whatever bytes it is made of."""
    text = ascii(_redacted(target))[1:-1]
    return text if len(text) <= _MAX_TARGET_CHARS else text[:_MAX_TARGET_CHARS] + "..."


def _duration(milliseconds: float) -> str:
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds:.0f} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:.1f} s"


# Libraries that work for the server, and log what they do: a worker that lowers the root's level does not ask for that.
_LIBRARIES: Final = ("asyncio", "boto3", "botocore", "hpack", "httpcore", "s3transfer", "uvicorn", "websockets")


class Capture:
    """Stands in for ``sys.stdout`` and ``sys.stderr``, takes console calls and log records; a context manager.

    Args:
        output: where what belongs to no event goes.
        full_tracebacks: show frames that are not the worker's too.
    """

    def __init__(self, output: Output, log: AccessLog, *, full_tracebacks: bool = False) -> None:
        self._output = output
        self._log = log
        self._full_tracebacks = full_tracebacks
        self._restore: Callable[[], None] | None = None

    def __enter__(self) -> Capture:
        streams = sys.stdout, sys.stderr, sys.breakpointhook
        handler = _Handler(self)
        formatted = logging.Formatter.formatException
        loggers = [logging.getLogger(name) for name in ("pyworkers", "uvicorn", "asyncio")]
        sys.stdout = _Proxy(sys.stdout, self)
        sys.stderr = _Proxy(sys.stderr, self)
        sys.breakpointhook = self._breakpoint
        if not self._full_tracebacks:
            # Every formatter's that a worker may have set up: what it logs of an error shows its own frames.
            logging.Formatter.formatException = _format_exception  # type: ignore[method-assign]
        restore_levels = _quieten()
        for logger in loggers:
            logger.addHandler(handler)
        propagating = [logger.propagate for logger in loggers]
        for logger in loggers:
            logger.propagate = False

        def restore() -> None:
            sys.stdout, sys.stderr, sys.breakpointhook = streams
            logging.Formatter.formatException = formatted  # type: ignore[method-assign]  # as above
            restore_levels()
            for logger, propagate in zip(loggers, propagating, strict=True):
                logger.removeHandler(handler)
                logger.propagate = propagate

        self._restore = restore
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._restore is not None:
            self._restore()
            self._restore = None

    def console(self, worker: str, level: str, args: tuple[object, ...]) -> None:
        """Take a ``console.*`` call of a worker."""
        text = " ".join(str(arg) for arg in args)
        color = {"warn": ("yellow",), "error": ("red",), "debug": ("dim",)}.get(level, ())
        if not self._output.shows({"warn": "warn", "error": "error", "debug": "debug"}.get(level, "log")):
            return
        self.lines(self._output.style(text, *color) if color else text, worker)

    def lines(self, text: str, worker: str | None = None) -> None:
        """Take whole lines: for the running event if there is one."""
        event = current_event()
        name = worker or (event.isolate.name if event is not None else "")
        for line in text.split("\n"):
            labelled = (self._log.label(name) if name else "") + line
            if event is None or not isinstance(event.prints, Prints):  # an alarm has no line that this could go under
                self._output.line(labelled if not name else INDENT + labelled, "log")
            else:
                event.prints.append(labelled)

    def write(self, text: str, real: TextIO) -> None:
        """Take what was written to one of the two streams."""
        event = current_event()
        if event is not None and event.trace is not None:
            event.trace.write(text)
        prints = event.prints if event is not None else None
        if event is None or not isinstance(prints, Prints):
            self._output.write(text)
        elif prints.direct or sys.gettrace() is not None:
            self._output.flush()
            real.write(text)
            real.flush()
        else:
            prints.write(text, event.isolate.name)

    def unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take what the event loop has to report: of a task that failed, which nobody awaited, its error alone."""
        error = context.get("exception")
        if isinstance(error, BaseException) and isinstance(context.get("future"), asyncio.Task):
            text = "".join(traceback.format_exception(error)) if self._full_tracebacks else format_traceback(error)
            self.console("", "error", (f"Task exception was never retrieved\n{text.rstrip()}",))
        else:
            loop.default_exception_handler(context)

    def _breakpoint(self, *args: Any, **kwargs: Any) -> Any:
        event = current_event()
        if event is not None and isinstance(event.prints, Prints):
            event.prints.direct = True
            self._log.release(event.prints)
        self._output.flush()
        if os.environ.get("PYTHONBREAKPOINT", "") not in ("", "pdb.set_trace"):
            return sys.__breakpointhook__(*args, **kwargs)  # noqa: T100  # the worker's own breakpoint()
        from pyworkers.server.debugger import Debugger  # most servers never need one

        return Debugger().set_trace(sys._getframe(1))


class _Proxy(io.TextIOBase):
    """One of the two streams; whatever is not writing is the real one's."""

    def __init__(self, real: TextIO, capture: Capture) -> None:
        super().__init__()
        self._real = real
        self._capture = capture

    def write(self, text: str) -> int:
        """Write text."""
        if type(text) is not str:
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._capture.write(text, self._real)
        return len(text)

    def flush(self) -> None:
        """Do nothing: lines are written when their request ends."""

    def isatty(self) -> bool:
        """Tell whether the real stream is a terminal."""
        return self._real.isatty()

    def fileno(self) -> int:
        """Return the real stream's descriptor."""
        return self._real.fileno()

    def writable(self) -> bool:
        """Return True."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed declares an attribute
        """The real stream's encoding."""
        return self._real.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # typeshed declares an attribute
        """The real stream's error handler."""
        return self._real.errors

    @property
    def buffer(self) -> Any:
        """The real stream's bytes."""
        return self._real.buffer


def _quieten() -> Callable[[], None]:
    """Let the libraries of the server log warnings only; return what undoes it."""
    loggers = [logging.getLogger(name) for name in _LIBRARIES]
    quiet = [logger for logger in loggers if logger.level == logging.NOTSET]
    for logger in quiet:
        logger.setLevel(logging.WARNING)

    def restore() -> None:
        for logger in quiet:
            logger.setLevel(logging.NOTSET)

    return restore


def _format_exception(self: logging.Formatter, ei: Any) -> str:
    """Stand in for ``logging.Formatter.formatException``: a worker's logs leave our frames out."""
    del self
    error: BaseException = ei[1]
    text = "".join(traceback.format_exception(error)) if current_event() is None else format_traceback(error)
    return text.rstrip("\n")


class _Handler(logging.Handler):
    """Shows log records as lines."""

    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture

    def emit(self, record: logging.LogRecord) -> None:
        """Show one record."""
        text = self.format(record)
        level = record.levelno
        self._capture.console("", "error" if level >= 40 else "warn" if level >= 30 else "info", (text,))
