"""Starting the servers that are measured, and reading what they cost."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Server:
    """A server process and the port it listens on."""

    process: subprocess.Popen[bytes]
    port: int

    def cpu_s(self) -> float:
        """Return the CPU seconds the process has used, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Return the resident memory in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024


@contextmanager
def serving(command: Sequence[str], port: int, *, cwd: Path = ROOT, on_one_core: bool = False) -> Iterator[Server]:
    """Run a server and wait until it accepts connections; end it afterwards.

    Args:
        on_one_core: whether it has one core of the machine, and its clients, which are in this process, the others.
    """
    log = subprocess.DEVNULL if "BENCH_VERBOSE" not in os.environ else None
    process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log)
    cores = os.sched_getaffinity(0)
    try:
        if on_one_core and len(cores) > 1:
            os.sched_setaffinity(process.pid, {min(cores)})
            os.sched_setaffinity(0, cores - {min(cores)})
        wait_for_port(port, process)
        yield Server(process, port)
    finally:
        os.sched_setaffinity(0, cores)
        process.send_signal(signal.SIGINT)
        process.wait(10)


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until something accepts connections on the port.

    Raises:
        RuntimeError: the process ended first.
    """
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.002)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pyworkers(*arguments: str) -> list[str]:
    """Return the command line of ``pyworkers`` in this environment."""
    return [sys.executable, "-m", "pyworkers", *arguments]
