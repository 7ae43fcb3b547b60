"""The R2 binding beyond the public recordings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pyworkers.bindings.r2 import R2Bucket
from pyworkers.clock import ManualClock
from pyworkers.engines.r2.moto_engine import MotoR2Engine
from pyworkers.js.buffers import ArrayBuffer, Uint8Array
from pyworkers.js.dates import Date
from pyworkers.js.headers import Headers
from pyworkers.js.json import stringify
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.realm import REALM, Realm
from pyworkers.js.response import Response
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject

NOW_S = 1_700_000_000
MIB = 1024 * 1024
Program = Callable[[R2Bucket], Awaitable[None]]
INTERNAL = "We encountered an internal error. Please try again. (10001)"


@dataclass
class Bench:
    path: Path
    clock: ManualClock

    def run(self, program: Program) -> None:
        async def main() -> None:
            async with MotoR2Engine(self.path, clock=self.clock) as engine:
                await program(R2Bucket(engine))

        asyncio.run(main())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "bucket", ManualClock(NOW_S))


async def refusal(promise: Awaitable[Any]) -> str:
    with pytest.raises(JsException) as caught:
        await promise
    return str(caught.value)


def options(**fields: object) -> JsObject:
    return JsObject(fields)


def stream_of(*chunks: bytes, length: int | None) -> ReadableStream:
    async def pieces() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return ReadableStream.of_async_iterator(pieces(), length=length)


# ---- bodies


def test_a_large_stream_is_stored_and_streamed_back(bench: Bench) -> None:
    async def program(bucket: R2Bucket) -> None:
        stored = await bucket.put("k", stream_of(*[bytes([n]) * MIB for n in range(5)], length=5 * MIB))
        assert stored.size == 5 * MIB
        found = await bucket.get("k")
        assert found.body.length == 5 * MIB
        seen = 0
        async for chunk in found.body.chunks():
            assert len(chunk) <= MIB
            assert chunk == bytes([seen // MIB]) * len(chunk)
            seen += len(chunk)
        assert seen == 5 * MIB
        assert found.bodyUsed is True

    bench.run(program)


def test_a_body_that_was_got_can_be_put_and_answered_with(bench: Bench) -> None:
    async def program(bucket: R2Bucket) -> None:
        await bucket.put("a", b"x" * MIB)
        await bucket.put("b", (await bucket.get("a", options(range=options(offset=1, length=10)))).body)
        assert await (await bucket.get("b")).text() == "x" * 10
        assert len(await Response.js_new((await bucket.get("a")).body).text()) == MIB

    bench.run(program)


def test_a_stream_that_fails_stores_nothing_and_its_error_is_the_puts(bench: Bench) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"x"
        raise JsException("Error", "boom")

    async def program(bucket: R2Bucket) -> None:
        broken = ReadableStream.of_async_iterator(failing(), length=2)
        assert await refusal(bucket.put("k", broken)) == "Error: boom"
        assert await bucket.head("k") is jsnull

    bench.run(program)


def test_streams_that_cannot_be_put(bench: Bench) -> None:
    async def program(bucket: R2Bucket) -> None:
        assert await refusal(bucket.put("k", stream_of(b"x", length=None))) == (
            "TypeError: Provided readable stream must have a known length "
            "(request/response body or readable half of FixedLengthStream)"
        )
        locked = stream_of(b"x", length=1)
        locked.getReader()
        assert await refusal(bucket.put("k", locked)) == "TypeError: The ReadableStream has been locked to a reader."
        large = stream_of(b"x", length=5 * 1024**3)
        assert await refusal(bucket.put("k", large)) == (
            "Error: put: Your proposed upload exceeds the maximum allowed object size. (100100)"
        )

    bench.run(program)


def test_a_stream_that_is_refused_is_cancelled(bench: Bench) -> None:
    class Pieces:
        is_closed = False

        def __aiter__(self) -> Pieces:
            return self

        async def __anext__(self) -> bytes:
            return b"x"

        async def aclose(self) -> None:
            self.is_closed = True

    async def program(bucket: R2Bucket) -> None:
        pieces = Pieces()
        stream = ReadableStream.of_async_iterator(pieces, length=3)
        assert await refusal(bucket.put("k" * 1025, stream)) == (
            "Error: put: The specified object name is not valid. (10020)"
        )
        assert pieces.is_closed

    bench.run(program)


def test_a_body_is_read_once(bench: Bench) -> None:
    used = (
        "TypeError: Body has already been used. It can only be used once. Use tee() first if you need to read it twice."
    )

    async def program(bucket: R2Bucket) -> None:
        await bucket.put("k", '{"a":1}', options(httpMetadata=options(contentType="application/json")))
        for method in ("text", "json", "arrayBuffer", "bytes", "blob"):
            found = await bucket.get("k")
            await getattr(found, method)()
            assert await refusal(found.text()) == used
        assert (await (await bucket.get("k")).json()).a == 1
        assert (await (await bucket.get("k")).blob()).type == "application/json"
        held = await bucket.get("k")
        held.body.getReader()
        assert await refusal(held.text()) == "TypeError: This ReadableStream is currently locked to a reader."

    bench.run(program)


def test_of_two_readers_of_one_body_the_second_is_refused(bench: Bench) -> None:
    async def program(bucket: R2Bucket) -> None:
        await bucket.put("k", b"x" * MIB)
        found = await bucket.get("k")
        results = await asyncio.gather(found.text(), found.text(), return_exceptions=True)
        assert results[0] == "x" * MIB
        assert str(results[1]).startswith("TypeError: Body has already been used.")

    bench.run(program)


# ---- options


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"range": options(offset=-1)},
            "RangeError: Invalid range. Starting offset (-1) must be greater than or equal to 0.",
        ),
        (
            {"range": options(offset=1.5)},
            "RangeError: Invalid range. Starting offset (1.5) must be an integer, not floating point.",
        ),
        ({"range": options(length=-2)}, "RangeError: Invalid range. Length (-2) must be greater than or equal to 0."),
        ({"range": options(suffix=-2)}, "RangeError: Invalid suffix. Suffix (-2) must be greater than or equal to 0."),
        ({"range": options(length=0)}, "Error: get: The requested range is not satisfiable (10039)"),
        ({"range": options(suffix=0)}, "Error: get: The requested range is not satisfiable (10039)"),
        ({"range": options(offset=5)}, "Error: get: The requested range is not satisfiable (10039)"),
        ({"range": options(offset=5, length=1)}, "Error: get: Unspecified error (0)"),
        ({"range": options(offset=6)}, "Error: get: The requested range is not satisfiable (10039)"),
        (
            {"range": "bytes=0-1"},
            "TypeError: Incorrect type for the 'range' field on 'GetOptions': the provided value is not of "
            "type 'Range or Headers'.",
        ),
        (
            {"onlyIf": "x"},
            "TypeError: Incorrect type for the 'onlyIf' field on 'GetOptions': the provided value is not of "
            "type 'Conditional or Headers'.",
        ),
        (
            {"onlyIf": options(etagMatches=5)},
            "TypeError: Incorrect type for the 'etagMatches' field on 'Conditional': the provided value is "
            "not of type 'string'.",
        ),
        ({"ssecKey": ArrayBuffer(b"short")}, "Error: SSE-C Key must be 32 bytes in length"),
        ({"ssecKey": "ABC"}, "Error: SSE-C Key has invalid format"),
    ],
)
def test_get_refuses(bench: Bench, fields: dict[str, object], text: str) -> None:
    async def program(bucket: R2Bucket) -> None:
        await bucket.put("k", "hello")
        assert await refusal(bucket.get("k", JsObject(fields))) == text

    bench.run(program)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=1-2", (1, 2)),
        ("BYTES = 1 - 2 ", (1, 2)),
        ("bytes=3-", (3, 2)),
        ("bytes=-1", (4, 1)),
        ("bytes=-5", (0, 5)),
        ("bytes=-0", (0, 5)),
        ("bytes=2-99", (2, 3)),
        ("bytes=5-", (0, 5)),
        ("bytes=3-1", (0, 5)),
        ("bytes=0-0,2-2", (0, 5)),
        ("bytes=", (0, 5)),
        ("lines=0-1", (0, 5)),
        ("bytes=a-b", (0, 5)),
    ],
)
def test_a_range_header_that_is_no_single_range_means_everything(
    bench: Bench, header: str, part: tuple[int, int]
) -> None:
    async def program(bucket: R2Bucket) -> None:
        await bucket.put("k", "hello")
        found = await bucket.get("k", options(range=Headers([(b"range", header.encode())])))
        assert (found.range.offset, found.range.length) == part
        assert await found.text() == "hello"[part[0] : sum(part)]

    bench.run(program)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        (
            "if-match",
            '"a" "b"',
            "Comma was expected to separate etags. Encountered a double quote character '\"' instead. This "
            "would otherwise indicate the start of a new strong etag.",
        ),
        ("if-match", '"a" *', "Comma was expected to separate etags. Encountered a wildcard character '*' instead."),
        (
            "if-match",
            '"a" W/"b"',
            "Comma was expected to separate etags. Encountered a weak quotation character 'W' instead. This "
            "would otherwise indicate the start of a new weak etag.",
        ),
        ("if-match", 'W"a"', "Weak etags must start with W/ and their value must be quoted"),
        ("if-none-match", '"a', "Unclosed double quote for Etag"),
        ("if-none-match", "a", "Invalid ETag in if-none-match header"),
    ],
)
def test_conditional_headers_that_cannot_be_parsed(bench: Bench, name: str, value: str, text: str) -> None:
    async def program(bucket: R2Bucket) -> None:
        headers = Headers([(name.encode(), value.encode())])
        assert await refusal(bucket.get("k", options(onlyIf=headers))) == f"Error: {text}"

    bench.run(program)


def test_conditional_headers_compare_whole_seconds(bench: Bench) -> None:
    bench.clock.advance(0.5)

    async def program(bucket: R2Bucket) -> None:
        await bucket.put("k", "x")
        text = Date((NOW_S) * 1000).toUTCString().encode()
        for name, has_body in ((b"if-modified-since", False), (b"if-unmodified-since", False)):
            found = await bucket.get("k", options(onlyIf=Headers([(name, text)])))
            assert hasattr(found, "body") is has_body
        moment = Date(NOW_S * 1000)
        assert hasattr(await bucket.get("k", options(onlyIf=options(uploadedAfter=moment))), "body")
        assert not hasattr(
            await bucket.get("k", options(onlyIf=options(uploadedAfter=moment, secondsGranularity=True))), "body"
        )

    bench.run(program)


def test_a_condition_does_not_hold_for_an_object_that_is_not_there_but_get_answers_null(bench: Bench) -> None:
    async def program(bucket: R2Bucket) -> None:
        assert await bucket.get("k", options(onlyIf=options(etagMatches="x"))) is jsnull
        assert await bucket.put("k", "x", options(onlyIf=options(etagMatches="*"))) is jsnull

    bench.run(program)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"md5": "0" * 32, "sha1": "0" * 40}, "TypeError: You cannot specify multiple hashing algorithms."),
        ({"sha384": Uint8Array.of_bytes(b"x")}, "TypeError: SHA-384 is 48 bytes, not 1"),
        (
            {"customMetadata": options(k="x" * 2048)},
            "Error: put: Your metadata headers exceed the maximum allowed metadata size. (10012)",
        ),
        (
            {"customMetadata": options(k="й" * 1024)},
            "Error: put: Your metadata headers exceed the maximum allowed metadata size. (10012)",
        ),
        (
            {"httpMetadata": options(cacheExpiry="x")},
            "TypeError: Incorrect type for the 'cacheExpiry' field on 'HttpMetadata': the provided value is "
            "not of type 'date'.",
        ),
    ],
)
def test_put_refuses(bench: Bench, fields: dict[str, object], text: str) -> None:
    async def program(bucket: R2Bucket) -> None:
        assert await refusal(bucket.put("k", "hello", JsObject(fields))) == text
        assert await bucket.head("k") is jsnull

    bench.run(program)


def test_custom_metadata_may_be_as_long_as_the_limit(bench: Bench) -> None:
    async def program(bucket: R2Bucket) -> None:
        await bucket.put("k", "x", options(customMetadata=options(k="ü" * 2047)))
        assert (await bucket.head("k")).customMetadata.k == "ü" * 2047

    bench.run(program)


def test_python_keywords_become_the_options(bench: Bench) -> None:
    async def program(bucket: R2Bucket) -> None:
        await bucket.put("k", "x", httpMetadata=options(contentType="a/b"), customMetadata=options(q="w"))
        found = await bucket.head("k")
        assert (found.httpMetadata.contentType, found.customMetadata.q) == ("a/b", "w")

    bench.run(program)


# ---- what comes back


def test_an_object_has_the_platforms_properties(bench: Bench) -> None:
    async def program(bucket: R2Bucket) -> None:
        stored = await bucket.put("k", "hello", options(sha1="aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"))
        assert repr(stored) == "[object HeadResult]"
        assert repr(await bucket.get("k")) == "[object GetResult]"
        assert stored.uploaded.getTime() == NOW_S * 1000
        assert (stored.range, stored.ssecKeyMd5, stored.storageClass) == (None, None, "")
        assert stored.checksums.sha1.to_bytes().hex() == "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"
        assert stringify(stored.checksums) == (
            '{"md5":"5d41402abc4b2a76b9719d911017c592","sha1":"aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"}'
        )
        assert list(stored.checksums.own_properties()) == ["sha512", "sha384", "sha256", "sha1", "md5"]

    bench.run(program)


def test_http_metadata_round_trips_through_headers(bench: Bench) -> None:
    fields = [
        (b"content-type", b"a/b"),
        (b"content-language", b"de"),
        (b"content-disposition", b"inline"),
        (b"content-encoding", b"br"),
        (b"cache-control", b"no-store"),
        (b"expires", b"Tue, 06 May 2031 07:08:09 GMT"),
    ]

    async def program(bucket: R2Bucket) -> None:
        await bucket.put("k", "x", options(httpMetadata=Headers([*fields, (b"x-other", b"1")])))
        headers = Headers()
        (await bucket.head("k")).writeHttpMetadata(headers)
        assert sorted(headers.displayed()) == sorted((name.decode(), value.decode()) for name, value in fields)

    bench.run(program)


def test_a_listing_shows_metadata_only_where_it_was_asked_for(bench: Bench) -> None:
    async def program(bucket: R2Bucket) -> None:
        for number in range(101):
            given = options(httpMetadata=options(contentType="a/b"), customMetadata=options(n=number))
            await bucket.put(f"{number:03}", "x", given)
        page = await bucket.list()
        assert (len(page.objects), page.truncated, page.cursor) == (101, False, None)
        assert page.objects[0].httpMetadata.contentType is None
        assert page.objects[0].customMetadata.own_properties() == {}
        page = await bucket.list(options(include=JsArray(["customMetadata"])))
        assert (len(page.objects), page.truncated) == (100, True)
        assert page.objects[7].customMetadata.n == "7"
        assert page.objects[7].httpMetadata.contentType is None
        rest = await bucket.list(options(include=JsArray(["httpMetadata"]), cursor=page.cursor))
        assert [(found.key, found.httpMetadata.contentType) for found in rest.objects] == [("100", "a/b")]

    bench.run(program)


def test_before_2022_08_a_listing_always_shows_metadata(bench: Bench) -> None:
    class Old:
        pyodide_version = "0.26.0"

        def enabled(self, flag: str) -> bool:
            return flag != "r2_list_honor_include"

    async def program(bucket: R2Bucket) -> None:
        await bucket.put("k", "x", options(customMetadata=options(a="b")))
        token = REALM.set(Realm(compat=Old()))
        page = await bucket.list(options(include=JsArray([])))
        REALM.reset(token)
        assert page.objects[0].customMetadata.a == "b"

    bench.run(program)


def test_keys_longer_than_1024_bytes_are_refused_by_every_method(bench: Bench) -> None:
    key = "é" * 513

    async def program(bucket: R2Bucket) -> None:
        upload = bucket.resumeMultipartUpload(key, "u")
        part = options(partNumber=1, etag="e")
        calls = {
            "head": bucket.head(key),
            "get": bucket.get(key),
            "put": bucket.put(key, "x"),
            "delete": bucket.delete(JsArray(["ok", key])),
            "createMultipartUpload": bucket.createMultipartUpload(key),
            "uploadPart": upload.uploadPart(1, "x"),
            "completeMultipartUpload": upload.complete(JsArray([part])),
            "abortMultipartUpload": upload.abort(),
        }
        for action, promise in calls.items():
            assert await refusal(promise) == f"Error: {action}: The specified object name is not valid. (10020)"
        assert (await bucket.put("é" * 512, "x")).size == 1

    bench.run(program)


# ---- uploads in parts


def test_an_upload_is_resumed_by_its_id(bench: Bench) -> None:
    async def program(bucket: R2Bucket) -> None:
        upload = await bucket.createMultipartUpload("k", options(customMetadata=options(a="b")))
        assert repr(upload) == "[object R2MultipartUpload]"
        first = await upload.uploadPart(1, Uint8Array.of_bytes(bytes(5 * MIB)))
        again = bucket.resumeMultipartUpload("k", upload.uploadId)
        second = await again.uploadPart(2, stream_of(b"ta", b"il", length=4))
        stored = await again.complete(JsArray([first, second]))
        assert (stored.size, stored.customMetadata.a, stored.range) == (5 * MIB + 4, "b", None)
        found = await bucket.get("k", options(range=options(suffix=5)))
        assert await found.text() == "\0tail"

    bench.run(program)


def test_parts_that_were_replaced_are_not_found(bench: Bench) -> None:
    async def program(bucket: R2Bucket) -> None:
        upload = await bucket.createMultipartUpload("k")
        part = await upload.uploadPart(1, "x")
        assert await refusal(upload.complete(JsArray([part, part]))) == f"Error: completeMultipartUpload: {INTERNAL}"
        await upload.uploadPart(1, "y")
        assert await refusal(upload.complete(JsArray([part]))) == (
            "Error: completeMultipartUpload: One or more of the specified parts could not be found. (10025)"
        )

    bench.run(program)


# ---- failures of the storage


def test_a_failure_of_the_storage_reaches_the_worker_in_r2s_shape(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    async def program(bucket: R2Bucket) -> None:
        upload = bucket.resumeMultipartUpload("k", "u")
        calls = {
            "head": bucket.head("k"),
            "get": bucket.get("k"),
            "put": bucket.put("k", "x"),
            "delete": bucket.delete("k"),
            "list": bucket.list(),
            "createMultipartUpload": bucket.createMultipartUpload("k"),
            "uploadPart": upload.uploadPart(1, "x"),
            "completeMultipartUpload": upload.complete(JsArray([])),
            "abortMultipartUpload": upload.abort(),
        }
        for action, promise in calls.items():
            assert await refusal(promise) == f"Error: {action}: {INTERNAL}"

    Bench(tmp_path / "file" / "bucket", ManualClock(NOW_S)).run(program)


def test_a_body_that_breaks_off_fails_the_read_in_r2s_shape(bench: Bench) -> None:
    async def program(bucket: R2Bucket) -> None:
        await bucket.put("k", bytes(2 * MIB))
        (file,) = (path for path in (bench.path / "blobs").rglob("*") if path.is_file())
        file.write_bytes(b"cut")
        assert await refusal((await bucket.get("k")).text()) == f"Error: get: {INTERNAL}"

    bench.run(program)
