"""Large bodies through the S3 API: memory stays flat, nothing of a body that breaks off is left."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from s3_server import S3Server
from signing import Signed

MIB = 1024 * 1024
SIZE = 96 * MIB

# A process of its own, so that what is measured is the server's memory alone.
PROGRAM = """
    import asyncio, sys
    from pathlib import Path
    from pyworkers.clock import SystemClock
    from pyworkers.config import load_project
    from pyworkers.runtime.runtime import Runtime
    from pyworkers.runtime.stores import Stores
    from pyworkers.server.access import AccessLog
    from pyworkers.server.app import App
    from pyworkers.server.control import Control
    from pyworkers.server.listener import Listener, bind
    from pyworkers.server.terminal import Output

    async def serve():
        folder = Path(sys.argv[1])
        sockets, port = bind("127.0.0.1", 0)
        project = load_project(folder, environ={})
        clock = SystemClock()
        async with Runtime(project, Stores(folder / "state", project, clock), clock=clock) as runtime:
            log = AccessLog(Output(sys.stderr), several=False)
            control = Control(runtime, log)
            listener = Listener(App(runtime, log, control), sockets)
            await listener.start()
            print(port, *control.s3.describe(""), flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
            await listener.stop(0.2)

    asyncio.run(serve())
"""


class Pattern(io.RawIOBase):
    """A body that is made as it is read."""

    block = bytes(range(256)) * 4096

    def __init__(self, size: int) -> None:
        self.size = size
        self.position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = (0, self.position, self.size)[whence] + offset
        return self.position

    def read(self, size: int = -1) -> bytes:
        start = self.position % len(self.block)
        length = min(len(self.block) - start, self.size - self.position, size if size >= 0 else self.size)
        self.position += length
        return self.block[start : start + length]

    def md5(self) -> str:
        digest = hashlib.md5()
        while data := self.read():
            digest.update(data)
        return digest.hexdigest()


def peak_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is read from /proc")
def test_memory_stays_flat_while_a_large_body_streams_both_ways(project: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(project)]
    environment = {**os.environ, "MALLOC_ARENA_MAX": "2"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        port, key, secret = words[0], words[words.index("key") + 1], words[-1]
        import boto3

        s3 = boto3.session.Session().client(
            "s3",
            endpoint_url=f"http://localhost:{port}/cdn-cgi/s3",
            region_name="auto",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )
        s3.put_object(Bucket="photos", Key="warm", Body=Pattern(2 * MIB))
        s3.get_object(Bucket="photos", Key="warm")["Body"].read()
        before = peak_kib(process.pid)
        expected = Pattern(SIZE).md5()
        assert s3.put_object(Bucket="photos", Key="large", Body=Pattern(SIZE))["ETag"] == f'"{expected}"'
        digest = hashlib.md5()
        for piece in s3.get_object(Bucket="photos", Key="large")["Body"].iter_chunks(MIB):
            digest.update(piece)
        assert digest.hexdigest() == expected
        grown = peak_kib(process.pid) - before
        s3.close()
        process.communicate("")
    assert grown <= 32 * 1024


def test_a_body_that_breaks_off_leaves_nothing(server: S3Server, s3: Any) -> None:
    request = Signed(server, "PUT", "/photos/k", "UNSIGNED-PAYLOAD")
    lines = [f"PUT {request.target} HTTP/1.1", "content-length: 1000000"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall("\r\n".join((*lines, "", "")).encode() + bytes(500_000))
    folder = server.runtime.stores.path_of("r2", "photos")
    assert folder is not None
    assert "Contents" not in s3.list_objects_v2(Bucket="photos")
    assert [file for file in folder.glob("blobs/*/*") if file.suffix != ".tmp"] == []
