"""A large body passes through an R2 engine, both ways, without being held in memory."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from s3_endpoint import Endpoint, run_endpoint

GROWTH_KIB = 32 * 1024
# A process of its own, so that what is measured is the engine's memory alone.
PROGRAM = """
    import asyncio, hashlib, json, sys
    from pathlib import Path
    from pyworkers.engines.r2 import R2Attributes
    from pyworkers.engines.r2.moto_engine import MotoR2Engine
    from pyworkers.engines.r2.s3_engine import S3R2Engine
    from pyworkers.engines.r2.s3_client import S3Settings

    PIECE = bytes(range(256)) * 4096
    asked = json.loads(sys.argv[1])

    def peak_kib():
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])

    async def body(count):
        for _ in range(count):
            yield PIECE

    async def copy(engine, key, count):
        stored = await engine.put(key, body(count), attributes=R2Attributes())
        reading = await engine.get(key)
        digest = hashlib.md5()
        async for piece in reading.chunks(0, stored.size):
            digest.update(piece)
        assert digest.hexdigest() == stored.etag

    async def main():
        if "path" in asked:
            engine = MotoR2Engine(Path(asked["path"]))
        else:
            engine = S3R2Engine(S3Settings(**asked["settings"]), asked["bucket"])
        async with engine:
            await copy(engine, "small", 4)
            before = peak_kib()
            await copy(engine, "large", 96)
            print(peak_kib() - before)

    asyncio.run(main())
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    yield from run_endpoint(tmp_path_factory.mktemp("endpoint"))


def growth_kib(asked: dict[str, object]) -> int:
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_memory_stays_flat_on_files(tmp_path: Path) -> None:
    assert growth_kib({"path": str(tmp_path / "bucket")}) <= GROWTH_KIB


def test_memory_stays_flat_on_an_s3_endpoint(endpoint: Endpoint) -> None:
    assert growth_kib({"settings": asdict(endpoint.settings), "bucket": endpoint.new_bucket()}) <= GROWTH_KIB
