"""What a worker sees of an engine's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pyworkers.bindings.failures import tell
from pyworkers.engines.d1.protocol import Refusal, SqlError, StatementRefused
from pyworkers.engines.durable.protocol import QueryCanceled
from pyworkers.errors import EngineBusy, EngineClosed, EngineCorrupt, EngineError
from pyworkers.js.values import JsException

_REFUSALS: Final = {
    Refusal.NO_STATEMENT: "SQL code did not contain a statement.",
    Refusal.PARAMETER_COUNT: "Wrong number of parameter bindings for SQL query.",
    Refusal.EARLY_PARAMETERS: (
        "When executing multiple SQL statements in a single call, only the last statement can have parameters."
    ),
    Refusal.TRANSACTION: (
        "To execute a transaction, please use the state.storage.transaction() or state.storage.transactionSync() APIs "
        "instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript API is safer because it will "
        "automatically roll back on exceptions, and because it interacts correctly with Durable Objects' automatic "
        "atomic write coalescing."
    ),
}
CONSTRAINTS_VIOLATED: Final = (
    "Durable Object was reset and rolled back to its last known good state because the application left the database "
    "in a state where constraints were violated: "
)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn an engine's errors into the platform's."""
    try:
        yield
    except EngineError as error:
        raise storage_error(error) from error


def storage_error(error: EngineError) -> JsException:
    """Return the platform's error for an engine's."""
    return JsException("Error", _text_of(error))


def _text_of(error: EngineError) -> str:
    """Return the platform's text; what is no matter of SQL is told at the terminal too."""
    if isinstance(error, SqlError):
        where = "" if error.offset is None else f" at offset {error.offset}"
        more = "" if error.extended_code is None else f" (extended: {error.extended_code})"
        return f"{error.message}{where}: {error.sqlite_code}{more}"
    if isinstance(error, StatementRefused):
        return _REFUSALS[error.refusal]
    if isinstance(error, QueryCanceled):
        return "SQLite query was canceled because the database was deleted."
    if not isinstance(error, EngineClosed):
        tell(error)
    if isinstance(error, EngineBusy):
        return "database is locked: SQLITE_BUSY"
    if isinstance(error, EngineCorrupt):
        return "database disk image is malformed: SQLITE_CORRUPT"
    return "Internal error in Durable Object storage."
