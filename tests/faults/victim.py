"""A real ``pyworkers dev`` that tests kill, starve and start again."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

COMMAND = Path(os.environ.get("PYWORKERS_COMMAND") or Path(sys.executable).with_name("pyworkers"))
READY = re.compile(r"\[wrangler:info\] Ready on http://[^:]+:(\d+)")

CONFIG = """name = "stored"
main = "entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
[[kv_namespaces]]
binding = "KV"
id = "namespace"
[[d1_databases]]
binding = "DB"
database_name = "database"
[[r2_buckets]]
binding = "BUCKET"
bucket_name = "bucket"
"""
# A guard against hanging only.
HANG_S = 120.0
WORKER = Path(__file__).with_name("stored_worker.py")


def write_project(folder: Path) -> Path:
    """Write the worker that stores what it is sent."""
    (folder / "wrangler.toml").write_text(CONFIG)
    (folder / "entry.py").write_text(WORKER.read_text())
    return folder


class Victim:
    """A running server.

    Args:
        folder: the project's.
        prefix: a command that runs the server, such as one that gives it a small disk.
    """

    def __init__(self, folder: Path, *args: str, prefix: Sequence[str] = ()) -> None:
        environ = {name: value for name, value in os.environ.items() if name != "CLOUDFLARE_ENV"}
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [*prefix, str(COMMAND), "dev", "--port", "0", "--no-reload", *args],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        self.port = self._wait_ready()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _wait_ready(self) -> int:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if found := READY.search(line):
                return int(found[1])
        raise AssertionError(f"the server ended with {self.process.wait()}:\n{''.join(self.lines)}")

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection of its own, for one thread."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG_S)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, str]:
        """Make one request; return status and text."""
        connection = self.connect()
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def kill(self) -> None:
        """End it as a crash does."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self._end()

    def stop(self) -> int:
        """End it as Ctrl-C does; return its status."""
        self.process.send_signal(signal.SIGINT)
        self._end()
        return self.process.returncode

    def _end(self) -> None:
        self.process.wait(HANG_S)
        self._reader.join(HANG_S)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def __enter__(self) -> Victim:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.kill()
