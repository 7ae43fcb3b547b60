"""A file system for SQLite whose n-th write, sync, truncation or opening fails."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import apsw

_SYSTEM = "unix"


class FailingVfs(apsw.VFS):
    """SQLite's default file system while it is entered.

    Args:
        fails_at: the number of the call that fails, from 1; 0 for none.
        is_lasting: every call after it fails too.
        error: what it fails with.
    """

    def __init__(self, fails_at: int, *, is_lasting: bool, error: type[apsw.Error]) -> None:
        super().__init__("failing", _SYSTEM, makedefault=True)
        self.calls = 0
        self.failures = 0
        self.fails_at = fails_at
        self._is_lasting = is_lasting
        self._error = error

    def count(self) -> None:
        """Count a call, and fail if it is its turn."""
        self.calls += 1
        if self.fails_at and (self.calls == self.fails_at or (self._is_lasting and self.calls > self.fails_at)):
            self.failures += 1
            raise self._error("injected")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        self.count()
        return _File(self, name, flags)

    def __enter__(self) -> FailingVfs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unregister()


class _File(apsw.VFSFile):
    def __init__(self, vfs: FailingVfs, name: Any, flags: list[int]) -> None:
        super().__init__(_SYSTEM, name, flags)
        self._vfs = vfs

    def xWrite(self, data: bytes, offset: int) -> None:
        self._vfs.count()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._vfs.count()
        super().xSync(flags)

    def xTruncate(self, size: int) -> None:
        self._vfs.count()
        super().xTruncate(size)
