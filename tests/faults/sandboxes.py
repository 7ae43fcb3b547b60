"""Commands that run a server where its data folder is small or cannot be written, for as long as it runs.

They are namespaces of Linux (`unshare`), made without root's rights: the disk and the read-only folder exist for the
server alone, and go with it.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

_ENTER = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")


def small_disk(folder: Path, size_bytes: int) -> Sequence[str]:
    """Return the command that gives the server an empty disk of that size at ``folder``."""
    _require_namespaces()
    return (*_ENTER, f'mount -t tmpfs -o size={size_bytes} none "$0" && exec "$@"', str(folder))


def read_only(folder: Path) -> Sequence[str]:
    """Return the command that makes ``folder`` read-only for the server."""
    _require_namespaces()
    return (*_ENTER, 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"', str(folder))


def small_files(kilobytes: int) -> Sequence[str]:
    """Return the command that keeps the server from writing a file beyond that size; works everywhere."""
    return ("sh", "-c", f'ulimit -f {kilobytes * 2} && exec "$@"', "sh")  # in blocks of 512 bytes


def seen_by(process_id: int, path: Path) -> Path:
    """Return where a process's view of a path can be reached from outside."""
    return Path(f"/proc/{process_id}/root") / path.relative_to("/")


def _require_namespaces() -> None:
    if shutil.which("unshare") is None:
        pytest.skip("unshare (Linux, util-linux) is not here: no disk can be filled without filling the machine's")
    try_out = subprocess.run([*_ENTER, "mount -t tmpfs none /tmp"], capture_output=True, text=True, check=False)
    if try_out.returncode != 0:
        pytest.skip(f"this system lets nobody make a mount namespace: {try_out.stderr.strip()}")
