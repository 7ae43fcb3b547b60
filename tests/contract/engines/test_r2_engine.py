"""The laws of R2 engines, each under its own words, on every engine."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from s3_endpoint import Endpoint, run_endpoint

from pyworkers.clock import ManualClock
from pyworkers.engines.r2 import (
    ENGINES,
    DigestMismatch,
    InvalidPart,
    NoSuchUpload,
    PartTooSmall,
    R2Attributes,
    R2Condition,
    R2Digest,
    R2Engine,
    R2Etag,
    R2Object,
    R2Page,
    R2Part,
    RepeatedPart,
    UnevenParts,
    UnknownUpload,
)
from pyworkers.engines.r2.moto_engine import MotoR2Engine
from pyworkers.engines.r2.s3_engine import S3R2Engine
from pyworkers.errors import EngineClosed, EngineCorrupt, EngineError

NOW_S = 1_700_000_000
MIB = 1024 * 1024
PART = 5 * MIB
PLAIN = R2Attributes()
FULL = R2Attributes(
    {"content_type": "text/plain", "cache_control": "no-store"}, 1_900_000_000_000, {"k": "日本"}, "InfrequentAccess"
)
PRESENT = R2Condition(etag_matches=(R2Etag(None),))
ABSENT = R2Condition(etag_does_not_match=(R2Etag(None),))
Program = Callable[[R2Engine], Awaitable[None]]


class Bench:
    """Makes engines of one kind on one clock."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.clock = ManualClock(NOW_S)

    def open(self) -> R2Engine:
        return MotoR2Engine(self.path, clock=self.clock)

    def run(self, program: Program) -> None:
        async def main() -> None:
            async with self.open() as engine:
                await program(engine)

        asyncio.run(main())

    def files(self) -> list[str]:
        """The names of all bodies that are files."""
        assert self.path is not None
        return sorted(file.name for file in (self.path / "blobs").rglob("*") if file.is_file())


@pytest.fixture(params=["moto", "moto-memory"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(tmp_path / "r2" / "bucket" if request.param == "moto" else None)


class EndpointBench:
    """Makes engines on one bucket of an S3 endpoint, whose clock is its own."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.bucket = endpoint.new_bucket()

    def open(self) -> R2Engine:
        return S3R2Engine(self.endpoint.settings, self.bucket)

    def run(self, program: Program) -> None:
        async def main() -> None:
            async with self.open() as engine:
                await program(engine)

        asyncio.run(main())


AnyBench = Bench | EndpointBench


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    yield from run_endpoint(tmp_path_factory.mktemp("endpoint"))


@pytest.fixture(params=["moto", "moto-memory", "s3"])
def any_bench(request: pytest.FixtureRequest, tmp_path: Path) -> AnyBench:
    """A bench of any engine, for the laws that do not ask what time it is."""
    if request.param == "s3":
        return EndpointBench(request.getfixturevalue("endpoint"))
    return Bench(tmp_path / "r2" / "bucket" if request.param == "moto" else None)


@pytest.fixture
def kept(tmp_path: Path) -> Bench:
    """A bucket that outlives its engines."""
    return Bench(tmp_path / "r2" / "bucket")


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def pattern(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def in_pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def body(engine: R2Engine, key: str, offset: int = 0, length: int | None = None) -> bytes:
    reading = await engine.get(key)
    assert reading is not None
    left = reading.object.size - offset if length is None else length
    return b"".join([piece async for piece in reading.chunks(offset, left)])


async def put(engine: R2Engine, *keys: str) -> None:
    for key in keys:
        await engine.put(key, key.encode(), attributes=PLAIN)


def names(page: R2Page) -> tuple[list[str], list[str], str | None]:
    return [found.key for found in page.objects], page.prefixes, page.next_after


# ---- bodies


@pytest.mark.parametrize("size", [0, 1, 16 * 1024, 16 * 1024 + 1, MIB, MIB + 1, 3 * MIB + 7])
@pytest.mark.parametrize("piece", [None, 1000, 700_000])
def test_a_put_body_comes_back_whole_of_any_size_and_in_parts(bench: Bench, size: int, piece: int | None) -> None:
    data = pattern(size)
    etag = hashlib.md5(data).hexdigest()

    async def program(engine: R2Engine) -> None:
        source = data if piece is None else in_pieces(data, piece)
        stored = await engine.put("日本/🌍\n\x00", source, attributes=FULL)
        assert stored is not None
        assert stored == R2Object(
            "日本/🌍\n\x00", stored.version, size, etag, NOW_S * 1000, {"md5": bytes.fromhex(etag)}, FULL
        )
        assert await engine.head("日本/🌍\n\x00") == stored
        assert await body(engine, "日本/🌍\n\x00") == data
        assert await body(engine, "日本/🌍\n\x00", size // 3, size // 2) == data[size // 3 : size // 3 + size // 2]
        assert await engine.head("日本/🌍\n") is None
        assert await engine.get("日本/🌍\n") is None

    bench.run(program)


@pytest.mark.parametrize("sizes", [(1, 2), (1, MIB), (MIB, 1), (MIB, 2 * MIB)])
def test_a_put_replaces_body_and_attributes_together_under_a_new_version(bench: Bench, sizes: tuple[int, int]) -> None:
    async def program(engine: R2Engine) -> None:
        first = await engine.put("k", b"x" * sizes[0], attributes=FULL)
        bench.clock.advance(1)
        second = await engine.put("k", b"y" * sizes[1], attributes=PLAIN)
        assert first is not None
        assert second is not None
        assert second.version != first.version
        assert (second.attributes, second.uploaded_ms) == (PLAIN, first.uploaded_ms + 1000)
        assert await engine.head("k") == second
        assert await body(engine, "k") == b"y" * sizes[1]

    bench.run(program)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("size", [5, 2 * MIB])
def test_a_body_with_another_digest_stores_nothing_and_leaves_nothing_behind(
    kept: Bench, algorithm: str, size: int
) -> None:
    data = pattern(size)
    right, wrong = hashlib.new(algorithm, data).digest(), hashlib.new(algorithm, b"other").digest()

    async def program(engine: R2Engine) -> None:
        with pytest.raises(DigestMismatch) as caught:
            await engine.put("k", data, attributes=PLAIN, digest=R2Digest(algorithm, wrong))
        assert (caught.value.algorithm, caught.value.expected, caught.value.actual) == (algorithm, wrong, right)
        assert await engine.head("k") is None
        assert kept.files() == []
        stored = await engine.put("k", data, attributes=PLAIN, digest=R2Digest(algorithm, right))
        assert stored is not None
        assert stored.checksums == {"md5": hashlib.md5(data).digest(), algorithm: right}
        assert await engine.head("k") == stored

    kept.run(program)


@pytest.mark.parametrize("size", [100, 3 * MIB])
def test_a_body_that_fails_stores_nothing_and_leaves_nothing_behind(kept: Bench, size: int) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield pattern(size)
        raise RuntimeError("the sender is gone")

    async def program(engine: R2Engine) -> None:
        await engine.put("k", b"old", attributes=PLAIN)
        with pytest.raises(RuntimeError, match=r"^the sender is gone$"):
            await engine.put("k", failing(), attributes=PLAIN)
        assert await body(engine, "k") == b"old"
        assert kept.files() == []

    kept.run(program)


def test_a_put_that_is_cancelled_stores_nothing_and_leaves_nothing_behind(kept: Bench) -> None:
    async def program(engine: R2Engine) -> None:
        has_begun = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield pattern(2 * MIB)
            yield pattern(2 * MIB)
            has_begun.set()
            await asyncio.Event().wait()

        writing = asyncio.create_task(engine.put("k", endless(), attributes=PLAIN))
        await has_begun.wait()
        assert len(kept.files()) == 1
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await engine.head("k") is None
        assert kept.files() == []

    kept.run(program)


@pytest.mark.parametrize("size", [10, 3 * MIB])
def test_an_open_body_is_read_to_its_end_though_its_object_is_replaced_or_deleted(
    any_bench: AnyBench, size: int
) -> None:
    data = pattern(size)

    async def program(engine: R2Engine) -> None:
        await engine.put("k", data, attributes=PLAIN)
        first = await engine.get("k")
        await engine.put("k", b"new" * size, attributes=PLAIN)
        second = await engine.get("k")
        await engine.delete(["k"])
        assert first is not None
        assert second is not None
        assert b"".join([piece async for piece in first.chunks(0, size)]) == data
        assert b"".join([piece async for piece in second.chunks(0, size * 3)]) == b"new" * size

    any_bench.run(program)


def test_a_replaced_or_deleted_body_leaves_no_file(kept: Bench) -> None:
    async def program(engine: R2Engine) -> None:
        for _ in range(3):
            await engine.put("a", pattern(MIB), attributes=PLAIN)
            await engine.put("b", pattern(MIB), attributes=PLAIN)
        assert len(kept.files()) == 2
        await engine.put("a", b"small", attributes=PLAIN)
        assert len(kept.files()) == 1
        await engine.delete(["a", "b"])
        assert kept.files() == []

    kept.run(program)


def test_bodies_that_are_not_read_do_not_keep_their_files_open(kept: Bench) -> None:
    async def program(engine: R2Engine) -> None:
        await engine.put("k", pattern(2 * MIB), attributes=PLAIN)
        reading = await engine.get("k")
        before = open_files()
        for _ in range(50):
            await engine.get("k")
        assert reading is not None
        async for _piece in reading.chunks(0, 2 * MIB):
            pass
        assert open_files() == before - 1

    kept.run(program)


def test_a_body_that_was_closed_cannot_be_read(any_bench: AnyBench) -> None:
    async def program(engine: R2Engine) -> None:
        await engine.put("k", pattern(MIB), attributes=PLAIN)
        reading = await engine.get("k")
        assert reading is not None
        reading.close()
        reading.close()
        with pytest.raises(EngineClosed, match=r"^the body of 'k' is closed$"):
            await anext(reading.chunks(0, MIB))

    any_bench.run(program)


# ---- conditions


def test_a_put_whose_condition_fails_stores_nothing(kept: Bench) -> None:
    async def program(engine: R2Engine) -> None:
        assert (
            await engine.put("k", b"1", attributes=PLAIN, condition=R2Condition(etag_matches=(R2Etag(None),))) is None
        )
        assert await engine.head("k") is None
        assert await engine.put("k", b"1", attributes=PLAIN, condition=ABSENT) is not None
        assert await engine.put("k", pattern(MIB), attributes=PLAIN, condition=ABSENT) is None
        assert await body(engine, "k") == b"1"
        assert kept.files() == []

    kept.run(program)


def test_of_two_puts_that_race_on_one_condition_one_wins(any_bench: AnyBench) -> None:
    async def program(engine: R2Engine) -> None:
        for size in (10, 2 * MIB):
            results = await asyncio.gather(
                *[engine.put(f"k{size}", bytes([n]) * size, attributes=PLAIN, condition=ABSENT) for n in range(8)]
            )
            winners = [n for n, result in enumerate(results) if result is not None]
            assert len(winners) == 1
            assert await body(engine, f"k{size}") == bytes(winners) * size

    any_bench.run(program)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (R2Condition(), True),
        (R2Condition(etag_matches=(R2Etag("e"),)), True),
        (R2Condition(etag_matches=(R2Etag("x"), R2Etag("e"))), True),
        (R2Condition(etag_matches=(R2Etag("e", is_weak=True),)), False),
        (R2Condition(etag_matches=(R2Etag(None),)), True),
        (R2Condition(etag_matches=(R2Etag(""),)), False),
        (R2Condition(etag_does_not_match=(R2Etag("e"),)), False),
        (R2Condition(etag_does_not_match=(R2Etag("e", is_weak=True),)), False),
        (R2Condition(etag_does_not_match=(R2Etag("x"),)), True),
        (R2Condition(uploaded_after_ms=4999), True),
        (R2Condition(uploaded_after_ms=5000), False),
        (R2Condition(uploaded_before_ms=5001), True),
        (R2Condition(uploaded_before_ms=5000), False),
        (R2Condition(uploaded_after_ms=4999, in_seconds=True), True),
        (R2Condition(uploaded_before_ms=5999, in_seconds=True), False),
        (R2Condition(etag_matches=(R2Etag("e"),), uploaded_before_ms=1), True),
        (R2Condition(etag_does_not_match=(R2Etag("x"),), uploaded_after_ms=9999), True),
        (R2Condition(etag_matches=(R2Etag("x"),), uploaded_before_ms=9999), False),
    ],
)
def test_conditions_of_an_object_with_etag_e_uploaded_at_5000(condition: R2Condition, expected: bool) -> None:
    assert condition.holds("e", 5000) is expected


# ---- keys


def test_deleted_keys_are_gone_and_deleting_an_absent_key_is_no_error(any_bench: AnyBench) -> None:
    async def program(engine: R2Engine) -> None:
        await put(engine, "a", "b", "c")
        await engine.delete(["a", "c", "missing", "a"])
        await engine.delete([])
        assert names(await engine.list_objects()) == (["b"], [], None)

    any_bench.run(program)


def test_a_listing_is_in_the_order_of_the_keys_utf8_bytes(bench: Bench) -> None:
    keys = ["b", "a", "B", "10", "9", "é", "中", "🌍", "\uffff", "z", "aa", "~", ""]

    async def program(engine: R2Engine) -> None:
        await put(engine, *keys)
        assert names(await engine.list_objects())[0] == sorted(keys, key=str.encode)

    bench.run(program)


def test_a_listing_holds_the_keys_with_the_prefix_after_after_at_most_limit(any_bench: AnyBench) -> None:
    async def program(engine: R2Engine) -> None:
        await put(engine, "a", "a%", "a*", "a/1", "a/2", "a/3", "a_", "b", "\U0010ffff", "\U0010ffffx")
        assert names(await engine.list_objects(prefix="a/")) == (["a/1", "a/2", "a/3"], [], None)
        assert names(await engine.list_objects(prefix="a/", limit=2)) == (["a/1", "a/2"], [], "a/2")
        assert names(await engine.list_objects(prefix="a/", after="a/2", limit=2)) == (["a/3"], [], None)
        assert names(await engine.list_objects(prefix="a/", after="a/15", limit=1)) == (["a/2"], [], "a/2")
        assert names(await engine.list_objects(prefix="a/", after="")) == (["a/1", "a/2", "a/3"], [], None)
        assert names(await engine.list_objects(prefix="a/", after="b")) == ([], [], None)
        assert names(await engine.list_objects(prefix="\U0010ffff")) == (["\U0010ffff", "\U0010ffffx"], [], None)
        assert names(await engine.list_objects(prefix="zzz")) == ([], [], None)

    any_bench.run(program)


def test_a_common_prefix_stands_once_for_all_its_keys(bench: Bench) -> None:
    async def program(engine: R2Engine) -> None:
        await put(engine, "a/1", "a/2", "b/1", "c", "d/1", "x::y::z", "x::q", "\U0010ffff/1")
        assert names(await engine.list_objects(delimiter="/")) == (
            ["c", "x::q", "x::y::z"],
            ["a/", "b/", "d/", "\U0010ffff/"],
            None,
        )
        assert names(await engine.list_objects(delimiter="/", limit=2)) == ([], ["a/", "b/"], "b/1")
        assert names(await engine.list_objects(delimiter="/", limit=2, after="b/1")) == (["c"], ["d/"], "d/1")
        assert names(await engine.list_objects(delimiter="/", limit=1)) == ([], ["a/"], "a/2")
        assert names(await engine.list_objects(delimiter="/", after="a/1", limit=1)) == ([], ["a/"], "a/2")
        assert names(await engine.list_objects(delimiter="::", prefix="x::")) == (["x::q"], ["x::y::"], None)
        assert names(await engine.list_objects(delimiter="/", prefix="a")) == ([], ["a/"], None)
        assert names(await engine.list_objects(delimiter="/", prefix="a/")) == (["a/1", "a/2"], [], None)

    bench.run(program)


# ---- uploads in parts


def test_parts_in_any_order_of_arrival_become_one_object_only_when_completed(kept: Bench) -> None:
    data = [pattern(PART), pattern(PART)[::-1], b"tail"]
    digests = b"".join(hashlib.md5(part).digest() for part in data)

    async def program(engine: R2Engine) -> None:
        upload = await engine.create_upload("m", attributes=FULL)
        third = await engine.put_part("m", upload, 9, data[2])
        second = await engine.put_part("m", upload, 2, in_pieces(data[1], 300_000))
        replaced = await engine.put_part("m", upload, 1, b"something else")
        first = await engine.put_part("m", upload, 1, data[0])
        unused = await engine.put_part("m", upload, 5, pattern(MIB))
        assert len({first.etag, second.etag, third.etag, replaced.etag, unused.etag}) == 5
        assert await engine.head("m") is None
        stored = await engine.complete_upload("m", upload, [first, second, third])
        assert stored.etag == f"{hashlib.md5(digests).hexdigest()}-3"
        assert (stored.size, stored.checksums, stored.attributes) == (2 * PART + 4, {}, FULL)
        assert await engine.head("m") == stored
        assert await body(engine, "m") == b"".join(data)
        assert len(kept.files()) == 1

    kept.run(program)


@pytest.mark.parametrize("sizes", [(), (0,), (5,), (MIB,), (PART, 1)])
def test_an_upload_of_few_parts_becomes_an_object(kept: Bench, sizes: tuple[int, ...]) -> None:
    async def program(engine: R2Engine) -> None:
        await engine.put("m", pattern(MIB), attributes=PLAIN)
        upload = await engine.create_upload("m", attributes=PLAIN)
        parts = [await engine.put_part("m", upload, n, pattern(size)) for n, size in enumerate(sizes, 1)]
        stored = await engine.complete_upload("m", upload, parts)
        assert stored.etag.endswith(f"-{len(sizes)}")
        assert await body(engine, "m") == b"".join(pattern(size) for size in sizes)
        assert len(kept.files()) == (1 if sum(sizes) >= MIB else 0)

    kept.run(program)


def test_an_upload_that_is_over_takes_nothing_more(kept: Bench) -> None:
    async def program(engine: R2Engine) -> None:
        done = await engine.create_upload("m", attributes=PLAIN)
        part = await engine.put_part("m", done, 1, b"x")
        await engine.complete_upload("m", done, [part])
        dropped = await engine.create_upload("m", attributes=PLAIN)
        await engine.put_part("m", dropped, 1, pattern(MIB))
        await engine.abort_upload("m", dropped)
        for upload in (done, dropped):
            with pytest.raises(NoSuchUpload):
                await engine.put_part("m", upload, 2, pattern(MIB))
            with pytest.raises(NoSuchUpload):
                await engine.complete_upload("m", upload, [part])
            await engine.abort_upload("m", upload)
        for key, upload in (("m", "never"), ("other", done)):
            with pytest.raises(NoSuchUpload):
                await engine.put_part(key, upload, 2, pattern(MIB))
            with pytest.raises(UnknownUpload):
                await engine.complete_upload(key, upload, [part])
            with pytest.raises(UnknownUpload):
                await engine.abort_upload(key, upload)
        assert await body(engine, "m") == b"x"
        assert kept.files() == []

    kept.run(program)


@pytest.mark.parametrize(
    ("sizes", "order", "error"),
    [
        ((5, 5), (1, 2), PartTooSmall),
        ((PART, 5), (2, 1), PartTooSmall),
        ((PART, PART + 1), (1, 2), UnevenParts),
        ((PART, PART + 1, 5), (1, 2, 3), UnevenParts),
        ((PART, PART + 1), (2, 1), UnevenParts),
        ((PART, 5), (1, 1), RepeatedPart),
        ((PART, 5), (1, 3), InvalidPart),
    ],
)
def test_parts_that_make_no_object_change_nothing(
    kept: Bench, sizes: tuple[int, ...], order: tuple[int, ...], error: type[EngineError]
) -> None:
    async def program(engine: R2Engine) -> None:
        upload = await engine.create_upload("m", attributes=PLAIN)
        parts = {n: await engine.put_part("m", upload, n, bytes(size)) for n, size in enumerate(sizes, 1)}
        before = kept.files()
        with pytest.raises(error):
            await engine.complete_upload("m", upload, [parts.get(n, R2Part(n, "x")) for n in order])
        assert await engine.head("m") is None
        assert kept.files() == before

    kept.run(program)


def test_a_part_is_named_by_its_tag_or_its_md5(bench: Bench) -> None:
    async def program(engine: R2Engine) -> None:
        upload = await engine.create_upload("m", attributes=PLAIN)
        old = await engine.put_part("m", upload, 1, b"same")
        await engine.put_part("m", upload, 1, b"same")
        with pytest.raises(InvalidPart):
            await engine.complete_upload("m", upload, [old])
        await engine.complete_upload("m", upload, [R2Part(1, hashlib.md5(b"same").hexdigest())])
        assert await body(engine, "m") == b"same"

    bench.run(program)


# ---- durability


def test_what_was_acknowledged_is_there_after_the_engine_is_opened_again(kept: Bench) -> None:
    stored: list[R2Object | None] = []

    async def write(engine: R2Engine) -> None:
        stored.append(await engine.put("small", b"s", attributes=FULL))
        stored.append(await engine.put("large", pattern(MIB), attributes=PLAIN))

    async def read(engine: R2Engine) -> None:
        assert [await engine.head("small"), await engine.head("large")] == stored
        assert await body(engine, "large") == pattern(MIB)

    kept.run(write)
    kept.run(read)


def test_an_upload_survives_that_the_engine_is_opened_again(kept: Bench) -> None:
    upload: list[str] = []
    parts: list[R2Part] = []

    async def begin(engine: R2Engine) -> None:
        upload.append(await engine.create_upload("m", attributes=FULL))
        parts.append(await engine.put_part("m", upload[0], 1, pattern(PART)))

    async def end(engine: R2Engine) -> None:
        parts.append(await engine.put_part("m", upload[0], 2, b"tail"))
        assert (await engine.complete_upload("m", upload[0], parts)).attributes == FULL
        assert await body(engine, "m") == pattern(PART) + b"tail"

    kept.run(begin)
    kept.run(end)


def test_what_a_killed_process_left_half_written_is_swept_when_the_engine_is_opened(kept: Bench) -> None:
    async def write(engine: R2Engine) -> None:
        await engine.put("k", pattern(MIB), attributes=PLAIN)

    kept.run(write)
    assert kept.path is not None
    live = kept.files()
    for name in ("aa/" + "a" * 32, "aa/" + "b" * 32 + ".tmp", live[0][:2] + "/" + "c" * 32):
        orphan = kept.path / "blobs" / name
        orphan.parent.mkdir(exist_ok=True)
        orphan.write_bytes(b"half")

    async def read(engine: R2Engine) -> None:
        assert await body(engine, "k") == pattern(MIB)
        assert kept.files() == live

    kept.run(read)


def test_what_another_engine_is_writing_is_not_swept(kept: Bench) -> None:
    async def program(engine: R2Engine) -> None:
        has_begun, may_end = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield pattern(2 * MIB)
            yield pattern(2 * MIB)
            has_begun.set()
            await may_end.wait()

        writing = asyncio.create_task(engine.put("k", slow(), attributes=PLAIN))
        await has_begun.wait()
        async with kept.open() as other:
            assert await other.head("k") is None
            may_end.set()
            assert await writing is not None
            assert await body(other, "k") == pattern(2 * MIB) * 2

    kept.run(program)


WRITE = """
import asyncio, sys
from pathlib import Path
from pyworkers.engines.r2 import R2Attributes
from pyworkers.engines.r2.moto_engine import MotoR2Engine
from pyworkers.engines.r2.s3_engine import S3R2Engine

async def main():
    engine = MotoR2Engine(Path(sys.argv[1]))
    for n in range(10**9):
        data = b"%06d" % n * (1, 5000, 300_000)[n % 3]
        await engine.put(f"k{n % 60}", data, attributes=R2Attributes(custom={"n": str(n)}))
        print(n, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 40, 150])
def test_a_killed_process_loses_no_acknowledged_object_and_tears_none(kept: Bench, acknowledged: int) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITE, str(kept.path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(acknowledged):
            process.stdout.readline()
        process.kill()
        rest = process.stdout.read().split("\n")
    last = max([acknowledged - 1, *(int(line) for line in rest[:-1])])

    async def program(engine: R2Engine) -> None:
        large = 0
        for number in range(max(0, last - 59), last + 1):
            found = await engine.head(f"k{number % 60}")
            assert found is not None
            written = int(found.attributes.custom["n"])
            assert written in (number, number + 60)  # the write that was under way may be there or not
            data = b"%06d" % written * (1, 5000, 300_000)[written % 3]
            assert await body(engine, f"k{number % 60}") == data
            large += written % 3 > 0
        # The write that was under way when the process died may have made a further object.
        page = await engine.list_objects()
        assert len(kept.files()) == sum(found.size > 16 * 1024 for found in page.objects) >= large

    kept.run(program)
    assert kept.path is not None
    with sqlite3.connect(kept.path / "objects.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


# ---- the rest


def test_other_programs_can_read_the_bucket_while_it_is_open(kept: Bench) -> None:
    async def program(engine: R2Engine) -> None:
        await engine.put("k", b"small", attributes=FULL)
        assert kept.path is not None
        database = sqlite3.connect(kept.path / "objects.sqlite")
        row = database.execute("SELECT key, size, custom_metadata FROM objects").fetchall()
        data = database.execute("SELECT data FROM small_bodies").fetchall()
        database.close()
        assert (row, data) == ([("k", 5, '{"k": "日本"}')], [(b"small",)])

    kept.run(program)


def test_a_body_whose_file_is_gone_is_an_error_and_nothing_is_deleted(kept: Bench) -> None:
    async def program(engine: R2Engine) -> None:
        stored = await engine.put("k", pattern(MIB), attributes=PLAIN)
        assert kept.path is not None
        (file,) = (kept.path / "blobs").rglob("?" * 32)
        file.unlink()
        with pytest.raises(EngineCorrupt) as caught:
            await engine.get("k")
        assert str(caught.value) == f"the body of 'k' is missing: {file}"
        assert await engine.head("k") == stored

    kept.run(program)


def test_a_body_whose_file_was_cut_is_an_error(kept: Bench) -> None:
    async def program(engine: R2Engine) -> None:
        await engine.put("k", pattern(3 * MIB), attributes=PLAIN)
        assert kept.path is not None
        (file,) = (path for path in (kept.path / "blobs").rglob("*") if path.is_file())
        os.truncate(file, MIB)
        with pytest.raises(EngineCorrupt, match=r"^the body of 'k' ends before its 3145728 bytes$"):
            await body(engine, "k")

    kept.run(program)


def test_a_file_that_is_no_database_is_an_error_and_stays(kept: Bench) -> None:
    assert kept.path is not None
    kept.path.mkdir(parents=True)
    (kept.path / "objects.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 100)

    async def program(engine: R2Engine) -> None:
        for _ in range(2):
            with pytest.raises(EngineCorrupt):
                await engine.head("k")

    kept.run(program)
    assert (kept.path / "objects.sqlite").read_bytes().startswith(b"not a database")


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    async def program(engine: R2Engine) -> None:
        with pytest.raises(EngineError, match="cannot be made"):
            await engine.put("k", b"x", attributes=PLAIN)

    Bench(tmp_path / "file" / "bucket").run(program)


def test_close_is_idempotent_and_every_use_after_it_raises_engine_closed(any_bench: AnyBench) -> None:
    async def program(engine: R2Engine) -> None:
        await engine.put("k", pattern(MIB), attributes=PLAIN)
        reading = await engine.get("k")
        await engine.close()
        await engine.close()
        uses: list[Awaitable[object]] = [
            engine.head("k"),
            engine.get("k"),
            engine.put("k", b"", attributes=PLAIN),
            engine.put("k", pattern(2 * MIB), attributes=PLAIN),
            engine.delete(["k"]),
            engine.list_objects(),
            engine.create_upload("k", attributes=PLAIN),
            engine.put_part("k", "u", 1, b""),
            engine.complete_upload("k", "u", []),
            engine.abort_upload("k", "u"),
        ]
        for use in uses:
            with pytest.raises(EngineClosed, match=r"^the R2 bucket is closed$"):
                await use
        assert reading is not None
        assert b"".join([piece async for piece in reading.chunks(0, MIB)]) == pattern(MIB)

    any_bench.run(program)


def test_an_engine_without_a_folder_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    async def program(engine: R2Engine) -> None:
        await engine.put("k", pattern(MIB), attributes=PLAIN)
        assert len(entries(tmp_path)) == 1

    Bench(None).run(program)
    assert entries(tmp_path) == []


def test_an_engine_that_is_not_used_costs_nothing(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from pyworkers.engines.r2.moto_engine import MotoR2Engine\n"
        "asyncio.run(MotoR2Engine(Path(sys.argv[1])).close())\n"
        "print('moto' in sys.modules, 'boto3' in sys.modules, Path(sys.argv[1]).exists())"
    )
    folder = tmp_path / "bucket"
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout == "False False False\n"


def test_the_engines_named_exist() -> None:
    assert {
        "moto": f"{MotoR2Engine.__module__}:MotoR2Engine",
        "s3": f"{S3R2Engine.__module__}:S3R2Engine",
    } == ENGINES


# ---- tables of an earlier version


def test_a_bucket_of_the_first_schema_goes_on(kept: Bench) -> None:
    async def fill(engine: R2Engine) -> None:
        await put(engine, "a")
        await engine.put("large", pattern(MIB), attributes=FULL)

    kept.run(fill)
    assert kept.path is not None
    with closing(sqlite3.connect(kept.path / "objects.sqlite")) as database:
        database.executescript(
            "ALTER TABLE uploads DROP COLUMN checksum; ALTER TABLE parts DROP COLUMN checksum; DROP TABLE bucket;"
            "INSERT INTO uploads VALUES ('u', 'k', 'open', 1, '{}', NULL, '{}', NULL);"
            "INSERT INTO parts VALUES ('u', 1, 'e', 1, x'9dd4e461268c8034f5c8564e155c67a6', 1, NULL, x'78');"
            "PRAGMA user_version = 1"
        )

    async def program(engine: R2Engine) -> None:
        assert await body(engine, "a") == b"a"
        assert await body(engine, "large") == pattern(MIB)
        made = await engine.complete_upload("k", "u", [R2Part(1, "e")])
        assert (made.size, await body(engine, "k")) == (1, b"x")

    kept.run(program)
    with closing(sqlite3.connect(kept.path / "objects.sqlite")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_bucket_of_a_later_schema_is_left_alone(kept: Bench) -> None:
    async def fill(engine: R2Engine) -> None:
        await put(engine, "a")

    kept.run(fill)
    assert kept.path is not None
    file = kept.path / "objects.sqlite"
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA user_version = 3")

    async def program(engine: R2Engine) -> None:
        with pytest.raises(EngineError) as caught:
            await engine.head("a")
        assert caught.value.message == f"{file} was written by a newer version: its schema is 3, not 2"

    kept.run(program)
