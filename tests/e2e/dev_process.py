"""Runs the real command as a process, and reads what it writes instead of sleeping."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import httpx

COMMAND = Path(os.environ.get("PYWORKERS_COMMAND") or Path(sys.executable).with_name("pyworkers"))
READY = "[wrangler:info] Ready on "
# How long anything is waited for: a guard against hanging, never a measure of speed.
HANG_S = 120.0
CONFIG = """name = "{name}"
main = "{main}"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
"""

HELLO = """
from workers import Response

async def fetch(request, env):
    return Response("hello")
"""

API = """
from workers import Response

async def fetch(request, env, ctx):
    print("api was asked for", request.url.rpartition("/")[2])
    return await env.STREAMING.fetch(request)
"""

STREAMING = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        print("streaming answers")
        return Response("from streaming", headers={"X-Made-By": "streaming"})
"""

SERVICE = '\nservices = [{ binding = "STREAMING", service = "streaming" }]\n'

MakeWorker = Callable[..., Path]


class Dev:
    """A running ``pyworkers dev``.

    Args:
        folder: where it runs.
        args: what follows ``dev``.
        environ: further process variables.
    """

    def __init__(self, folder: Path, args: Sequence[str], environ: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [COMMAND, "dev", *args],
            cwd=folder,
            env=clean_environ(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.client = httpx.Client(base_url="http://unknown", trust_env=False, timeout=HANG_S)

    def _read(self) -> None:
        assert self.process.stdout is not None
        pending = b""
        while chunk := os.read(self.process.stdout.fileno(), 65536):
            *whole, pending = (pending + chunk).split(b"\n")
            with self._changed:
                self.lines += [line.decode() for line in whole]
                # A prompt has no line break; whoever waits for it sees it as the last line.
                self.prompt = pending.decode(errors="replace")
                self._changed.notify_all()

    prompt = ""

    @property
    def text(self) -> str:
        return "\n".join([*self.lines, self.prompt])

    def wait_for(self, text: str, timeout_s: float = HANG_S, *, times: int = 1) -> str:
        """Wait until a text has been written so many times; returns everything written so far."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self.text.count(text) < times:
                left = deadline - time.monotonic()
                assert left > 0, f"{text!r} did not come:\n{self.text}"
                if self.process.poll() is not None and not self._reader.is_alive():
                    raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.text}")
                self._changed.wait(min(left, 0.2))
            return self.text

    def wait_ready(self) -> Dev:
        """Wait for the server's line, and point the client at it."""
        found = re.search(re.escape(READY) + r"(http://\S+)\n", self.wait_for(READY) + "\n")
        while found is None:
            found = re.search(re.escape(READY) + r"(http://\S+)\n", self.wait_for(READY) + "\n")
        self.url = found[1]
        self.port = int(self.url.rpartition(":")[2])
        self.client.base_url = httpx.URL(self.url.replace("localhost", "127.0.0.1"))
        return self

    url = ""
    port = 0

    def get(self, path: str = "/", **options: object) -> httpx.Response:
        return self.client.get(path, **options)  # type: ignore[arg-type]  # httpx's own

    def type(self, text: str) -> None:
        """Write to the server's standard input, as someone at its terminal."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal; returns the exit status."""
        self.process.send_signal(number)
        return self.process.wait(HANG_S)

    def close(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(HANG_S)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
        self._reader.join(HANG_S)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


class StartDev(Protocol):
    """Starts a server that the test ends with."""

    def __call__(
        self, *args: str, folder: Path | None = None, ready: bool = True, environ: Mapping[str, str] = ...
    ) -> Dev:
        """Start ``pyworkers dev`` with arguments, on a free port unless they name one."""
        ...


def clean_environ(extra: Mapping[str, str] = {}) -> dict[str, str]:  # never written to
    """Return the process environment without what would change the command's behaviour."""
    removed = {"CLOUDFLARE_ENV", "NO_COLOR", "FORCE_COLOR", "PYTHONBREAKPOINT", "PYTHONPATH"}
    kept = {name: value for name, value in os.environ.items() if name not in removed}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "", **extra}


def run_command(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [COMMAND, *args], cwd=folder, env=clean_environ(), capture_output=True, text=True, timeout=HANG_S, check=False
    )
