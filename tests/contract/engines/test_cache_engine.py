"""The laws of cache engines, each under its own words, on every engine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from pyworkers.clock import ManualClock
from pyworkers.engines.cache import CachedResponse, CacheEngine, CacheReading
from pyworkers.engines.cache.sqlite_engine import INLINE_BYTES, ORPHAN_AGE_S, SqliteCacheEngine
from pyworkers.errors import EngineClosed

NOW_S = 1_700_000_000
LARGE = INLINE_BYTES + 1
Program = Callable[[CacheEngine], Awaitable[None]]


class Bench:
    """Makes engines of one kind on one clock."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.clock = ManualClock(NOW_S)

    def run(self, program: Program) -> None:
        async def main() -> None:
            async with SqliteCacheEngine(self.path, clock=self.clock) as engine:
                await program(engine)

        asyncio.run(main())


@pytest.fixture(params=["sqlite", "sqlite-memory"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(tmp_path / "cache" / "worker.sqlite" if request.param == "sqlite" else None)


def response(status: int = 200, *, ttl_s: int = 60) -> CachedResponse:
    return CachedResponse(status, (("x-é", "ü"), ("a", "1")), (NOW_S + ttl_s) * 1000)


async def body_of(reading: CacheReading | None, offset: int = 0, length: int | None = None) -> bytes | None:
    if reading is None:
        return None
    size = reading.size - offset if length is None else length
    return b"".join([chunk async for chunk in reading.chunks(offset, size)])


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def broken(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk
    raise ValueError("broken")


def files(path: Path) -> list[Path]:
    folder = path.with_suffix(".bodies")
    return list(folder.iterdir()) if folder.is_dir() else []


@pytest.mark.parametrize("size", [0, 1, INLINE_BYTES, LARGE, 3_000_000])
def test_match_returns_what_was_put_last_byte_for_byte(bench: Bench, size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]

    async def program(engine: CacheEngine) -> None:
        await engine.put("c", "https://é/", response(404), b"before" * 10_000)
        await engine.put("c", "https://é/", response(), data)
        reading = await engine.match("c", "https://é/")
        assert reading is not None
        assert (reading.response, reading.size) == (response(), size)
        assert await body_of(reading) == data
        assert await engine.match("c", "https://e/") is None

    bench.run(program)


@pytest.mark.parametrize("chunks", [(), (b"a", b"", b"b"), (b"a" * INLINE_BYTES, b"b"), (b"c" * LARGE, b"d" * LARGE)])
def test_a_streamed_body_is_stored_whole(bench: Bench, chunks: tuple[bytes, ...]) -> None:
    async def program(engine: CacheEngine) -> None:
        await engine.put("c", "k", response(), pieces(*chunks))
        assert await body_of(await engine.match("c", "k")) == b"".join(chunks)

    bench.run(program)


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_part_of_a_body_can_be_read(bench: Bench, size: int) -> None:
    data = os.urandom(size)

    async def program(engine: CacheEngine) -> None:
        await engine.put("c", "k", response(), data)
        reading = await engine.match("c", "k")
        assert await body_of(reading, 2, 3) == data[2:5]
        assert await body_of(reading, size - 1, 1) == data[-1:]
        assert await body_of(reading, 0, 0) == b""

    bench.run(program)


def test_an_expired_response_is_never_returned_and_deleting_it_deletes_nothing(bench: Bench) -> None:
    async def program(engine: CacheEngine) -> None:
        await engine.put("c", "k", response(ttl_s=10), b"x")
        bench.clock.advance(9.9)
        assert await engine.match("c", "k") is not None
        bench.clock.advance(0.1)
        assert await engine.match("c", "k") is None
        assert await engine.delete("c", "k") is False

    bench.run(program)


@pytest.mark.parametrize("size", [1, LARGE])
def test_a_body_that_fails_in_the_middle_leaves_what_was_there_before(bench: Bench, size: int) -> None:
    async def program(engine: CacheEngine) -> None:
        await engine.put("c", "k", response(), b"old")
        with pytest.raises(ValueError, match="broken"):
            await engine.put("c", "k", response(), broken(b"n" * size))
        assert await body_of(await engine.match("c", "k")) == b"old"

    bench.run(program)
    assert bench.path is None or files(bench.path) == []


def test_caches_of_different_names_share_nothing(bench: Bench) -> None:
    async def program(engine: CacheEngine) -> None:
        await engine.put("one", "k", response(), b"1")
        await engine.put("two", "k", response(), b"2")
        assert await engine.delete("one", "k") is True
        assert await engine.delete("one", "k") is False
        assert await engine.match("one", "k") is None
        assert await body_of(await engine.match("two", "k")) == b"2"

    bench.run(program)


@pytest.mark.parametrize("size", [1, LARGE])
def test_a_body_that_is_being_read_is_not_disturbed_by_a_put_or_a_delete(bench: Bench, size: int) -> None:
    async def program(engine: CacheEngine) -> None:
        await engine.put("c", "k", response(), b"1" * size)
        first = await engine.match("c", "k")
        await engine.put("c", "k", response(), b"2" * size)
        second = await engine.match("c", "k")
        await engine.delete("c", "k")
        assert await body_of(first) == b"1" * size
        assert await body_of(second) == b"2" * size

    bench.run(program)
    assert bench.path is None or files(bench.path) == []


def test_what_was_put_is_there_when_the_engine_is_opened_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "w.sqlite")

    async def put(engine: CacheEngine) -> None:
        await engine.put("c", "small", response(), b"s")
        await engine.put("c", "large", response(), b"l" * LARGE)

    async def match(engine: CacheEngine) -> None:
        assert await body_of(await engine.match("c", "small")) == b"s"
        assert await body_of(await engine.match("c", "large")) == b"l" * LARGE

    bench.run(put)
    bench.run(match)


def test_expired_bodies_are_swept_from_the_disk(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "w.sqlite")

    async def program(engine: CacheEngine) -> None:
        await engine.put("c", "old", response(ttl_s=10), b"o" * LARGE)
        bench.clock.advance(100)
        await engine.put("c", "new", response(ttl_s=1000), b"n" * LARGE)
        assert len(files(tmp_path / "w.sqlite")) == 1

    bench.run(program)


def test_what_a_killed_process_left_is_removed_when_the_caches_are_opened(tmp_path: Path) -> None:
    path = tmp_path / "w.sqlite"
    folder = path.with_suffix(".bodies")
    folder.mkdir()
    (folder / "left").write_bytes(b"x")
    (folder / "being-written").write_bytes(b"x")
    stat = (folder / "left").stat()
    os.utime(folder / "left", (stat.st_atime, stat.st_mtime - ORPHAN_AGE_S - 1))

    async def program(engine: CacheEngine) -> None:
        assert await engine.match("c", "k") is None

    Bench(path).run(program)
    assert [file.name for file in files(path)] == ["being-written"]


def test_a_row_whose_body_is_gone_counts_as_absent(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "w.sqlite")

    async def program(engine: CacheEngine) -> None:
        await engine.put("c", "k", response(), b"x" * LARGE)
        for file in files(tmp_path / "w.sqlite"):
            file.unlink()
        assert await engine.match("c", "k") is None
        assert await engine.delete("c", "k") is False

    bench.run(program)


def test_a_closed_engine_says_so(bench: Bench) -> None:
    async def program(engine: CacheEngine) -> None:
        await engine.put("c", "k", response(), b"x")
        await engine.close()
        await engine.close()
        with pytest.raises(EngineClosed):
            await engine.match("c", "k")

    bench.run(program)
