"""Which server uses a folder of data: the commands find its port, and a second server says that there are two."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from pyworkers.engines.file_lock import try_lock

DEFAULT_PORT: Final = 8787
_NAME: Final = ".server"  # holds the port, and is locked while the server lives


class Claim:
    """A server's mark on its folder of data; the system takes it away when the process dies.

    Args:
        state_dir: the folder; None is memory, which nobody shares.
    """

    def __init__(self, state_dir: Path | None) -> None:
        self._state_dir = state_dir
        self._descriptor: int | None = None

    def take(self, port: int, *, makes: bool = False) -> int | None:
        """Mark the folder; return the port of the server that has marked it before and still runs, or None.

        A folder that cannot be written is left as it is.

        Args:
            makes: make the folder where it is not there yet.
        """
        if self._state_dir is None or sys.platform == "win32":
            return None
        path = self._state_dir / _NAME
        with suppress(OSError):
            if makes:
                self._state_dir.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if not try_lock(descriptor):
                os.close(descriptor)
                return _read(path)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, b"%d\n" % port)
            self._descriptor = descriptor
        return None

    def release(self) -> None:
        """Take the mark away; idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def running_port(state_dir: Path) -> int | None:
    """Return the port of the server that uses a folder of data now, or None."""
    if sys.platform == "win32":
        return None
    path = state_dir / _NAME
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        return None if try_lock(descriptor) else _read(path)
    finally:
        os.close(descriptor)


def _read(path: Path) -> int | None:
    text = path.read_text(errors="replace").strip()
    return int(text) if text.isascii() and text.isdigit() else None
