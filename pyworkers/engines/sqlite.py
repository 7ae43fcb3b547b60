"""What every engine on SQLite shares: how a file is opened, and what its failures are called.

Files are in WAL mode with ``synchronous = NORMAL``. A commit is in the operating system's hands when the call returns,
so it survives the death of this process (SIGKILL included); the last commits before a power failure or a kernel crash
may be lost, the file stays whole. Other programs may read and write the file at the same time.

Source: sqlite.org/wal.html; sqlite.org/pragma.html#pragma_synchronous
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import apsw

from pyworkers.errors import EngineBusy, EngineClosed, EngineCorrupt, EngineError

BUSY_TIMEOUT_MS = 5_000
# Without a checkpoint the log grows without bound; 1,000 pages are SQLite's own default.
CHECKPOINT_PAGES = 1_000
# A log that is written all the time is never moved whole, and begins anew only then: a log this long is waited for.
LONG_LOG_PAGES = 4 * CHECKPOINT_PAGES
# How long a program that reads or writes is waited for; it waits for this one as long at most.
LONG_LOG_WAIT_MS = 20


def file_name(name: str) -> str:
    """Return a file name, without its ending, that stands for any name a user may give a resource."""
    return quote(name, safe=" !#$&'()+,;=@[]{}~") if name.strip(".") else name.replace(".", "%2E") or "%00"


def open_database(
    path: Path | None, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS, statements_kept: int = 100
) -> apsw.Connection:
    """Open a database, made where it is missing with the folders above it; None is one in memory.

    Raises:
        EngineError: the file cannot be opened, or is no database.
    """
    with sqlite_errors(path):
        if path is None:
            return apsw.Connection(":memory:", statementcachesize=statements_kept)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(
                f"the folder {path.parent} cannot be made: {error.strerror}", hint="choose another --persist-to folder"
            ) from error
        connection = apsw.Connection(str(path), statementcachesize=statements_kept)
        try:
            connection.set_busy_timeout(busy_timeout_ms)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection


class LogMover:
    """Has a thread of its own move a long write-ahead log into the file: that syncs the disk, which may take long.

    Args:
        path: the file; None, which has no log, is left alone.
        name: the thread's.
    """

    def __init__(self, path: Path | None, name: str) -> None:
        self._path = path
        self._name = name
        self._thread: threading.Thread | None = None
        self._tried_pages = 0

    def watch(self, connection: apsw.Connection) -> None:
        """Look at the log after every commit of a connection, which no longer moves it itself."""
        if self._path is not None:
            connection.set_wal_hook(self._after_commit)

    def join(self) -> None:
        """Wait until nothing is being moved; blocking."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _after_commit(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        if pages < self._tried_pages:  # the log has begun anew
            self._tried_pages = 0
        if pages - self._tried_pages >= CHECKPOINT_PAGES and (self._thread is None or not self._thread.is_alive()):
            self._tried_pages = pages
            thread = threading.Thread(target=self._move, name=self._name, daemon=True)
            # The commit has happened, whether the system has a thread to spare or not: a later one tries again.
            with suppress(RuntimeError):
                thread.start()
                self._thread = thread
        return apsw.SQLITE_OK

    def _move(self) -> None:
        try:
            connection = open_database(self._path, busy_timeout_ms=LONG_LOG_WAIT_MS)
            try:
                pages, moved_pages = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                if moved_pages < pages and pages >= LONG_LOG_PAGES:
                    # Few are left, and nobody writes until they are moved: the log begins anew with the next commit.
                    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)
            finally:
                connection.close()
        except Exception:
            # The log is whole without it; a later commit tries again.
            return


@contextmanager
def sqlite_errors(path: Path | None) -> Iterator[None]:
    """Turn apsw's errors into this project's."""
    try:
        yield
    except apsw.Error as error:
        raise engine_error(error, path) from error


def engine_error(error: apsw.Error, path: Path | None) -> EngineError:
    """Return the project's error for one of apsw's."""
    where = "the database in memory" if path is None else str(path)
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return EngineBusy(f"{where} is locked by another process", hint="end the program that writes to it")
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return EngineCorrupt(
            f"{where} cannot be read as a SQLite database: {error}", hint="move the file away, or restore a copy"
        )
    if isinstance(error, apsw.FullError):
        return EngineError(f"{where} could not be written: the disk is full", hint="free some space")
    if isinstance(error, apsw.ReadOnlyError | apsw.CantOpenError | apsw.PermissionsError):
        return EngineError(f"{where} could not be opened for writing: {error}", hint="check the folder's permissions")
    if isinstance(error, apsw.ConnectionClosedError):
        return EngineClosed(f"{where} is closed")
    return EngineError(f"{where}: {error}")


def prefix_end(prefix: str) -> str | None:
    """Return the first text after every text that starts with ``prefix``, in the order of UTF-8 bytes; None: no end."""
    for index in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[index])
        if code < 0x10FFFF:
            following = 0xE000 if code + 1 == 0xD800 else code + 1
            return prefix[:index] + chr(following)
    return None
