"""Every error that pyworkers itself raises.

    PyworkersError                code, message, hint
    ├── UserError                 your project or command is wrong: no traceback, exit 2
    │   ├── ConfigError           file, key, line
    │   ├── WorkerLoadError       worker, file, line
    │   └── UsageError            a command's arguments are wrong
    ├── WorkerError               an exception escaped the worker: trimmed traceback, HTTP 500
    ├── EngineError               storage failed
    │   ├── EngineBusy            another process holds a lock
    │   ├── EngineCorrupt         the stored data cannot be read
    │   └── EngineClosed          used after close()
    └── InternalError             our bug: full traceback, exit 3

What a worker catches is none of these but the platform's own: a ``JsException`` with the platform's name and
exact message.
"""

from __future__ import annotations

from pathlib import Path


class PyworkersError(Exception):
    """Base of every error pyworkers raises.

    Args:
        message: what was found and what was expected, one sentence.
        hint: the one next step that mends it, or None.
    """

    code = "error"
    exit_status = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def next_step(self) -> str:
        """The hint as it is shown everywhere: a clause without capital and full stop; empty where there is none."""
        return as_clause(self.hint or "")


class UserError(PyworkersError):
    """The project or the command is wrong; shown without a traceback."""

    code = "user"
    exit_status = 2


class ConfigError(UserError):
    """A configuration file is wrong.

    Args:
        file: the configuration file.
        key: the dotted key that is wrong, such as ``services[0].binding``, or None for the whole file.
        line: 1-based line in ``file``, or None when it is not known.
    """

    code = "config"

    def __init__(
        self,
        message: str,
        *,
        file: Path | None = None,
        key: str | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.key = key
        self.line = line


class WorkerLoadError(UserError):
    """A worker's module could not be loaded.

    Args:
        worker: the worker's name.
        file: the file the failure points at, or None.
        line: 1-based line in ``file``, or None.
    """

    code = "load"

    def __init__(
        self,
        message: str,
        *,
        worker: str,
        file: Path | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.worker = worker
        self.file = file
        self.line = line


class UsageError(UserError):
    """A command was called with arguments that make no sense together."""

    code = "usage"


class WorkerError(PyworkersError):
    """An exception escaped a worker's handler.

    Args:
        worker: the worker's name.
    """

    code = "worker"

    def __init__(self, message: str, *, worker: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.worker = worker


class EngineError(PyworkersError):
    """Storage failed; a worker sees it as the platform's own error and the server lives on."""

    code = "engine"


class EngineBusy(EngineError):
    """Another process holds a lock on the data."""

    code = "engine-busy"


class EngineCorrupt(EngineError):
    """The stored data cannot be read; nothing of it is deleted."""

    code = "engine-corrupt"


class EngineClosed(EngineError):
    """The engine was used after ``close()``."""

    code = "engine-closed"


class InternalError(PyworkersError):
    """A bug in pyworkers."""

    code = "internal"
    exit_status = 3


def as_clause(sentence: str) -> str:
    """Return a sentence without its capital and full stop, a name that it begins with left alone."""
    first = sentence.partition(" ")[0]
    if first[1:].islower() or first in ("A", "I"):
        sentence = sentence[0].lower() + sentence[1:]
    return sentence.removesuffix(".")


def render_user_error(error: PyworkersError) -> str:
    """Return message, place and next step as lines."""
    file: Path | None = getattr(error, "file", None)
    line: int | None = getattr(error, "line", None)
    worker: str | None = getattr(error, "worker", None)
    lines = [f"Error: {f'{worker}: ' if worker and isinstance(error, UserError) else ''}{error.message}"]
    if file is not None:
        lines.append(f"  at {file}:{line}" if line else f"  in {file}")
    if error.next_step:
        lines.append(f"  {error.next_step}")
    return "\n".join(lines) + "\n"
