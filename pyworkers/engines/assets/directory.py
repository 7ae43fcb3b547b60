"""A folder of static assets, read as it is at the moment of each request.

Nothing is kept of the files: one that is saved, added or removed is seen by the next request.

Source: workers-sdk packages/workers-shared/utils/helpers.ts; recorded, contracts/assets
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

from pyworkers.engines.assets.content_types import content_type
from pyworkers.engines.files import FilePieces, OpenFile

IGNORE_FILE: Final = ".assetsignore"
HEADERS_FILE: Final = "_headers"
REDIRECTS_FILE: Final = "_redirects"
# A body of this size is read at once: it takes no longer than a trip to a thread.
SMALL_BYTES: Final = 64 * 1024

_ALWAYS_IGNORED: Final = (f"/{IGNORE_FILE}", f"/{REDIRECTS_FILE}", f"/{HEADERS_FILE}")

# What tells one version of a file from another: its time of change in nanoseconds and its size.
Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that is open.

    Attributes:
        etag: 32 hexadecimal digits; another one after the file was saved.
    """

    etag: str
    content_type: str | None
    size: int
    file: OpenFile

    def body(self) -> bytes | AsyncIterator[bytes]:
        """Return the file's bytes where they are few, else an iterator over them."""
        if self.size <= SMALL_BYTES:
            return self.file.read(0, self.size)
        return FilePieces(self.file, 0, self.size)


class AssetDirectory:
    """A folder of assets.

    Args:
        folder: the folder; files that its ``.assetsignore`` names are not there, nor are its own rule files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ignored: GitIgnoreSpec = GitIgnoreSpec.from_lines(_ALWAYS_IGNORED)
        self._ignore_version: Version | None = None

    def exists(self, path: str) -> bool:
        """Tell whether there is an asset.

        Args:
            path: decoded, from the folder, such as ``/a/b.txt``.
        """
        return self._file(path) is not None

    def open(self, path: str) -> Asset | None:
        """Open an asset; None where there is none."""
        file = self._file(path)
        if file is None:
            return None
        try:
            opened = OpenFile(file)
        except OSError:
            return None  # removed in between, or not readable
        status = opened.status
        version = f"{path}\0{status.st_mtime_ns}\0{status.st_size}"
        etag = hashlib.md5(version.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()
        return Asset(etag, content_type(file.name), status.st_size, opened)

    def read_rules(self, name: str) -> tuple[Version | None, str]:
        """Return a file of rules at the folder's top, and its version; None and nothing where there is none."""
        version = _version(self.folder / name)
        try:
            return version, "" if version is None else (self.folder / name).read_text("utf-8", "replace")
        except OSError:
            return None, ""

    def version_of(self, name: str) -> Version | None:
        """Return the version of a file at the folder's top, None where there is none."""
        return _version(self.folder / name)

    def _file(self, path: str) -> Path | None:
        """Return where an asset lies, None where there is none; never a place outside of the folder."""
        segments = path.split("/")
        if segments[0] or any(part in ("", ".", "..") or "\0" in part for part in segments[1:]):
            return None
        file = self.folder.joinpath(*segments[1:])
        try:
            if not stat.S_ISREG(file.stat().st_mode):
                return None
        except (OSError, ValueError):
            return None
        return None if self._is_ignored(path[1:]) else file

    def _is_ignored(self, relative: str) -> bool:
        version = _version(self.folder / IGNORE_FILE)
        if version != self._ignore_version:
            lines = (self.folder / IGNORE_FILE).read_text("utf-8", "replace").splitlines() if version else []
            self._ignored = GitIgnoreSpec.from_lines([*_ALWAYS_IGNORED, *lines])
            self._ignore_version = version
        return self._ignored.match_file(relative)


def _version(file: Path) -> Version | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size) if stat.S_ISREG(status.st_mode) else None
