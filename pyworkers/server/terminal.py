"""Lines for whoever watches the server: colours where there is a terminal, and writes that never block the server.

A program that starts the server may stop reading its output. The pipe is then full, and an ordinary ``print`` would
stop the event loop and every worker with it; `Output` keeps a bounded backlog instead.
"""

from __future__ import annotations

import asyncio
import os
import select
import sys
from collections import deque
from collections.abc import Mapping
from typing import Final, TextIO

MAX_BACKLOG_CHARS: Final = 4_000_000
_CHUNK_BYTES: Final = 4096  # a pipe that polls as writable takes this much without blocking
_GATHER_S: Final = 0.01
_RETRY_S: Final = 0.05

LEVELS: Final[Mapping[str, int]] = {"none": -1, "error": 0, "warn": 1, "info": 2, "log": 3, "debug": 4}

_STYLES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


def wants_color(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether to colour what goes to a stream: a terminal, unless ``NO_COLOR`` is set; ``FORCE_COLOR`` wins.

    Source: no-color.org
    """
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in ("0", ""):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"


class Style:
    """Colours text, or leaves it alone.

    Args:
        enabled: whether to colour.
    """

    def __init__(self, *, enabled: bool) -> None:
        self.enabled = enabled

    def __call__(self, text: str, *names: str) -> str:
        """Return the text in styles: ``bold dim red green yellow blue cyan``."""
        if not self.enabled or not names:
            return text
        return f"\x1b[{';'.join(_STYLES[name] for name in names)}m{text}\x1b[0m"


class Output:
    """Writes lines to a stream without ever waiting for its reader while the event loop runs.

    Args:
        stream: the real standard output.
        level: the most talkative level that is written: a key of `LEVELS`.
        style: colours; None asks the stream.
    """

    def __init__(self, stream: TextIO | None = None, *, level: str = "log", style: Style | None = None) -> None:
        self.stream = stream or sys.__stdout__ or sys.stdout
        self.style = style or Style(enabled=wants_color(self.stream))
        self.level = LEVELS[level]
        self.is_terminal = self.stream.isatty()
        self._backlog: deque[str] = deque()
        self._backlog_chars = 0
        self._dropped = 0
        self._rest = b""
        self._timer: asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        try:
            self._fd: int | None = self.stream.fileno()
        except (OSError, ValueError):
            self._fd = None  # a stream in memory, as tests use

    def shows(self, level: str) -> bool:
        """Tell whether lines of this level are written."""
        return LEVELS[level] <= self.level

    def line(self, text: str, level: str = "info") -> None:
        """Write a line, or several joined by line breaks."""
        if LEVELS[level] <= self.level:
            self.write(text + "\n")

    def warn(self, text: str) -> None:
        """Write a warning of the command's own."""
        self.line(self.style(text, "yellow"), "warn")

    def write(self, text: str) -> None:
        """Write text as it is."""
        if self._backlog_chars > MAX_BACKLOG_CHARS:
            self._dropped += 1
            return
        self._backlog.append(text)
        self._backlog_chars += len(text)
        if self._timer is not None:
            return
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            if self._loop is None or self._loop.is_closed():
                self.flush()
            else:
                self._loop.call_soon_threadsafe(self._schedule)  # a thread that a worker started
            return
        self._schedule()

    def flush(self) -> None:
        """Write everything now, waiting for the reader if need be."""
        self._cancel()
        text = self._take()
        try:
            if self._fd is None:
                self.stream.write(text)
                self.stream.flush()
            elif text or self._rest:
                data, self._rest = self._rest + self._encode(text), b""
                while data:
                    data = data[os.write(self._fd, data) :]
        except OSError:
            self._backlog.clear()  # nobody is there to read

    def close(self, timeout_s: float = 0.2) -> None:
        """Write what a reader takes within ``timeout_s`` seconds of silence; the rest is lost."""
        self._cancel()
        if self._fd is None:
            self.flush()
            return
        self._rest += self._encode(self._take())
        try:
            while self._rest and _is_writable(self._fd, timeout_s):
                self._rest = self._rest[os.write(self._fd, self._rest[:_CHUNK_BYTES]) :]
        except OSError:
            pass
        self._rest = b""

    def _schedule(self) -> None:
        # What is written within a moment leaves in one system call; one a line would be a third of a small request.
        if self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(_GATHER_S, self._drain)

    def _drain(self) -> None:
        self._timer = None
        if self._fd is None:
            self.flush()
            return
        self._rest += self._encode(self._take())
        try:
            while self._rest and _is_writable(self._fd, 0):
                self._rest = self._rest[os.write(self._fd, self._rest[:_CHUNK_BYTES]) :]
        except OSError:
            self._rest = b""
        if self._rest:
            self._backlog_chars += len(self._rest)
            self._timer = asyncio.get_running_loop().call_later(_RETRY_S, self._retry)

    def _retry(self) -> None:
        self._backlog_chars = sum(map(len, self._backlog))
        self._drain()

    def _take(self) -> str:
        text = "".join(self._backlog)
        if self._dropped:
            text += f"... {self._dropped} lines were dropped: nothing reads the output\n"
        self._backlog.clear()
        self._backlog_chars = self._dropped = 0
        return text

    def _encode(self, text: str) -> bytes:
        return text.encode(self.stream.encoding or "utf-8", "replace")

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _is_writable(fd: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(timeout_s * 1000))
