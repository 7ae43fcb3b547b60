"""What was acknowledged survives SIGKILL, on the engines that keep files."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pyworkers.engines.d1 import D1Statement
from pyworkers.engines.d1.sqlite_engine import SqliteD1Engine
from pyworkers.engines.kv.sqlite_engine import SqliteKVEngine

WRITE_KV = """
import asyncio, sys
from pathlib import Path
from pyworkers.engines.kv.sqlite_engine import SqliteKVEngine

async def main():
    engine = SqliteKVEngine(Path(sys.argv[1]))
    for n in range(10**9):
        await engine.put(f"k{n}", b"%d" % n * (1 + n % 3 * 2000), metadata=str(n))
        print(n, flush=True)

asyncio.run(main())
"""
WRITE_D1 = """
import asyncio, sys
from pathlib import Path
from pyworkers.engines.d1 import D1Statement
from pyworkers.engines.d1.sqlite_engine import SqliteD1Engine

async def main():
    engine = SqliteD1Engine(Path(sys.argv[1]))
    await engine.run([D1Statement("CREATE TABLE t (n INTEGER PRIMARY KEY)")])
    for n in range(10**9):
        await engine.run([D1Statement("INSERT INTO t VALUES (?)", (n * 2 + half,)) for half in (0, 1)])
        print(n, flush=True)

asyncio.run(main())
"""


def kill_while_writing(program: str, path: Path, acknowledged: int) -> int:
    """Run the program, kill it after so many acknowledgements, and return the number of the last one."""
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(acknowledged):
            process.stdout.readline()
        process.kill()
        rest = process.stdout.read().split("\n")
    # The last line may be cut.
    return max([acknowledged - 1, *(int(line) for line in rest[:-1])])


@pytest.mark.parametrize("acknowledged", [1, 50, 700])
def test_kv_keeps_every_acknowledged_value_whole(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "kv.sqlite"
    last = kill_while_writing(WRITE_KV, path, acknowledged)

    async def check() -> None:
        async with SqliteKVEngine(path) as engine:
            for number in range(last + 1):
                entry = await engine.get(f"k{number}")
                assert entry is not None
                assert entry.value == b"%d" % number * (1 + number % 3 * 2000)
                assert entry.metadata == str(number)

    asyncio.run(check())
    assert _integrity(path) == "ok"


@pytest.mark.parametrize("acknowledged", [1, 50, 700])
def test_d1_keeps_every_acknowledged_batch_and_no_half_of_one(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "d1.sqlite"
    last = kill_while_writing(WRITE_D1, path, acknowledged)

    async def check() -> None:
        async with SqliteD1Engine(path) as engine:
            answer = await engine.run([D1Statement("SELECT count(*), max(n) FROM t")])
            ((count, highest),) = answer.results[0].rows
            assert isinstance(count, int)
            assert count >= (last + 1) * 2
            assert count % 2 == 0
            assert highest == count - 1

    asyncio.run(check())
    assert _integrity(path) == "ok"


def _integrity(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()
