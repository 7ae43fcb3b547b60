"""Tells whether another process of this machine consumes the queues of a state folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pyworkers.engines.file_lock import try_lock
from pyworkers.engines.files import file_errors


class ConsumerLock:
    """A lock on a file, which the system lets go of when the process dies.

    Args:
        path: the file, made by `acquire`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting; tells whether no other process holds it.

        Raises:
            EngineError: the file cannot be made.
        """
        if sys.platform == "win32":  # what a killed process held comes back when its leases end
            return False
        with file_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if not try_lock(descriptor):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let go of it; idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
