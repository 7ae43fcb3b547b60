"""Locks on files, which the system takes away from a process that dies."""

from __future__ import annotations

import sys


def try_lock(descriptor: int) -> bool:
    """Lock an open file for whoever opened it here, without waiting; tell whether nobody else has locked it.

    The lock ends when the file is closed. There is none on Windows.
    """
    assert sys.platform != "win32"
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
