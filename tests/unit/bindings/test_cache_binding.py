"""``caches`` beyond the recordings: freshness rules, ranges, conditions, names, and a worker's own code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pyworkers.bindings.cache import CacheStorage
from pyworkers.bindings.cache.policy import judge
from pyworkers.bindings.cache.ranges import parse_ranges
from pyworkers.clock import ManualClock
from pyworkers.engines.cache.sqlite_engine import SqliteCacheEngine
from pyworkers.errors import EngineError
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException, JsObject

NOW_MS = 1_700_000_000_000
NOW = "Tue, 14 Nov 2023 22:13:20 GMT"
URL = "https://example.com/a"


def run(program: Callable[[CacheStorage, ManualClock], Awaitable[None]]) -> None:
    async def main() -> None:
        clock = ManualClock(NOW_MS / 1000)
        async with SqliteCacheEngine(clock=clock) as engine:
            await program(CacheStorage(lambda: engine, clock), clock)

    asyncio.run(main())


def made(body: Any = "0123456789", /, **headers: str) -> Response:
    fields = {"cache-control": "max-age=60", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Response.js_new(body, JsObject({"headers": JsObject(fields)}))


def asking(**headers: str) -> Any:
    fields = JsObject({name.replace("_", "-"): value for name, value in headers.items()})
    return Request.js_new(URL, JsObject({"headers": fields}))


@pytest.mark.parametrize(
    ("headers", "ttl_s"),
    [
        ({"cache-control": "max-age=60"}, 60),
        ({"cache-control": "s-maxage=10, max-age=60"}, 10),
        ({"cache-control": "max-age=60, s-maxage = 10"}, 10),
        ({"cache-control": 'max-age="60"'}, 60),
        ({"cache-control": "max-age=60", "age": "7"}, 53),
        ({"cache-control": "max-age=60x"}, 60),
        ({"cache-control": "max-age=10, stale-while-revalidate=5"}, 15),
        ({"cache-control": "max-age=10, stale-if-error=20, stale-while-revalidate=5"}, 30),
        ({"cache-control": "public"}, 0),
        ({"cache-control": "no-cache, max-age=60"}, 0),
        ({"cache-control": "proxy-revalidate, max-age=60"}, 0),
        ({"cache-control": "max-age=60", "expires": "Tue, 14 Nov 2023 22:13:30 GMT"}, 60),
        ({"expires": "Tue, 14 Nov 2023 22:13:30 GMT"}, 10),
        ({"expires": "Tue, 14 Nov 2023 22:13:10 GMT"}, 0),
        ({"expires": "0"}, 0),
        ({"expires": "garbage"}, 0),
        ({"last-modified": "Tue, 14 Nov 2023 22:11:40 GMT"}, 10),
        ({"pragma": "no-cache", "last-modified": "Tue, 14 Nov 2023 22:11:40 GMT"}, 0),
        ({}, 0),
    ],
)
def test_how_long_a_response_is_fresh(headers: dict[str, str], ttl_s: int) -> None:
    storing = judge(200, list(headers.items()), is_authorized=False, now_ms=NOW_MS)
    assert storing is not None
    assert storing.ttl_ms == ttl_s * 1000


@pytest.mark.parametrize(
    ("status", "headers", "is_authorized"),
    [
        (200, {"cache-control": "no-store, max-age=60"}, False),
        (200, {"cache-control": "private, max-age=60"}, False),
        (200, {"cache-control": "max-age=60", "set-cookie": "a=1"}, False),
        (200, {"cache-control": "max-age=60"}, True),
        (500, {"cache-control": "max-age=60"}, False),
        (302, {}, False),
        (400, {"cache-control": "max-age=60"}, False),
    ],
)
def test_what_no_cache_stores(status: int, headers: dict[str, str], is_authorized: bool) -> None:
    assert judge(status, list(headers.items()), is_authorized=is_authorized, now_ms=NOW_MS) is None


@pytest.mark.parametrize("control", ["public, max-age=60", "s-maxage=60", "must-revalidate, max-age=60"])
def test_an_authorized_answer_is_stored_where_it_says_so(control: str) -> None:
    assert judge(200, [("cache-control", control)], is_authorized=True, now_ms=NOW_MS) is not None


def test_headers_of_the_connection_do_not_come_back() -> None:
    headers = [
        ("cache-control", "max-age=1"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("upgrade", "h2"),
        ("date", "Wed, 21 Oct 2015 07:28:00 GMT"),
    ]
    storing = judge(200, headers, is_authorized=False, now_ms=NOW_MS)
    assert storing is not None
    assert storing.headers == (("cache-control", "max-age=1"), ("age", "0"), ("date", NOW))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-3", [(0, 3)]),
        ("bytes=7-", [(7, 9)]),
        ("bytes=-3", [(7, 9)]),
        ("bytes=-10", []),
        ("bytes=-0", []),
        ("bytes=", []),
        (" Bytes = 1 - 2 , 4-5", [(1, 2), (4, 5)]),
        ("bytes=0-0,-1,-0", [(0, 0), (9, 9)]),
        ("bytes=0-999", [(0, 9)]),
        ("bytes=10-", None),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("items=0-1", None),
        ("bytes=0-1,x", None),
    ],
)
def test_ranges_of_ten_bytes(header: str, expected: list[tuple[int, int]] | None) -> None:
    assert parse_ranges(header, 10) == expected


def test_several_ranges_come_as_multipart() -> None:
    async def program(caches: CacheStorage, _clock: ManualClock) -> None:
        await caches.default.put(URL, made())
        found = await caches.default.match(asking(range="bytes=0-1,-2"))
        kind = found.headers.get("content-type")
        boundary = kind.removeprefix("multipart/byteranges; boundary=")
        part = f"--{boundary}\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Range: bytes "
        assert found.status == 206
        assert await found.text() == f"{part}0-1/10\r\n\r\n01\r\n{part}8-9/10\r\n\r\n89\r\n--{boundary}--"

    run(program)


def test_a_range_that_cannot_be_satisfied_is_416() -> None:
    async def program(caches: CacheStorage, _clock: ManualClock) -> None:
        await caches.default.put(URL, made())
        found = await caches.default.match(asking(range="bytes=10-"))
        assert (found.status, found.headers.get("content-range"), await found.text()) == (416, "bytes */10", "")

    run(program)


def test_a_streamed_response_has_no_length_when_it_comes_back() -> None:
    async def program(caches: CacheStorage, _clock: ManualClock) -> None:
        stream = js.TransformStream.new()
        writer = stream.writable.getWriter()
        put = caches.default.put(URL, made(stream.readable, content_length="99"))
        await writer.write(js.TextEncoder.new().encode("ab"))
        await writer.close()
        await put
        found = await caches.default.match(URL)
        assert (found.headers.has("content-length"), await found.text()) == (False, "ab")

    run(program)


def test_the_response_is_used_up_and_cannot_be_put_twice() -> None:
    async def program(caches: CacheStorage, _clock: ManualClock) -> None:
        response = made()
        await caches.default.put(URL, response)
        assert response.bodyUsed
        with pytest.raises(JsException, match="Body has already been used"):
            await caches.default.put(URL, response)

    run(program)


def test_headers_of_what_was_found_cannot_be_changed() -> None:
    async def program(caches: CacheStorage, _clock: ManualClock) -> None:
        await caches.default.put(URL, made())
        found = await caches.default.match(URL)
        with pytest.raises(JsException, match="Can't modify immutable headers"):
            found.headers.set("a", "1")
        copy = Response.js_new(found.body, found)
        copy.headers.set("a", "1")
        assert await copy.text() == "0123456789"

    run(program)


def test_named_caches_and_the_default_one_share_nothing() -> None:
    async def program(caches: CacheStorage, _clock: ManualClock) -> None:
        for name in ("default", "a", "a/b"):
            await (await caches.open(name)).put(URL, made(name))
        assert await caches.default.match(URL) is None
        for name in ("default", "a", "a/b"):
            assert await (await (await caches.open(name)).match(URL)).text() == name

    run(program)


def test_the_fragment_is_no_part_of_the_key_but_the_query_is() -> None:
    async def program(caches: CacheStorage, _clock: ManualClock) -> None:
        await caches.default.put(URL + "#x", made())
        assert await caches.default.match(URL) is not None
        assert await caches.default.match(URL + "?") is None

    run(program)


def test_the_key_can_be_given_with_the_request() -> None:
    async def program(caches: CacheStorage, _clock: ManualClock) -> None:
        def keyed(url: str) -> Any:
            return Request.js_new(url, JsObject({"cf": JsObject({"cacheKey": "k"})}))

        await caches.default.put(keyed(URL), made())
        assert await caches.default.match(keyed("https://other.test/")) is not None
        assert await caches.default.match(URL) is None

    run(program)


def test_what_cannot_be_stored_leaves_what_was_there() -> None:
    async def program(caches: CacheStorage, _clock: ManualClock) -> None:
        await caches.default.put(URL, made("old"))
        await caches.default.put(URL, made("new", cache_control="no-store"))
        assert await (await caches.default.match(URL)).text() == "old"
        await caches.default.put(URL, made("new", cache_control="max-age=0"))
        assert await caches.default.match(URL) is None

    run(program)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda caches: caches.open(),
            "Failed to execute 'open' on 'CacheStorage': parameter 1 is not of type 'string'.",
        ),
        (lambda caches: caches.open("x" * 1024), "Cache name is too long."),
        (lambda caches: caches.default.match("no url"), "Invalid URL: no url"),
        (
            lambda caches: caches.default.put(URL),
            "Failed to execute 'put' on 'Cache': parameter 2 is not of type 'Response'.",
        ),
        (
            lambda caches: caches.default.put(URL, Response.static_error()),
            "Cache is unable to store an error response",
        ),
        (
            lambda caches: caches.default.put(URL, made(vary="accept, *")),
            "Cannot cache response with 'Vary: *' header.",
        ),
    ],
)
def test_what_is_wrong_rejects_the_promise(call: Callable[[CacheStorage], Any], message: str) -> None:
    async def program(caches: CacheStorage, _clock: ManualClock) -> None:
        promise = call(caches)
        with pytest.raises(JsException) as caught:
            await promise
        assert (caught.value.name, caught.value.message) == ("TypeError", message)

    run(program)


def test_storage_that_fails_is_caught_and_its_reason_told(caplog: pytest.LogCaptureFixture) -> None:
    def full() -> SqliteCacheEngine:
        raise EngineError("cache.sqlite could not be written: the disk is full", hint="Free some space.")

    async def main() -> list[str]:
        cache = CacheStorage(full, ManualClock()).default
        caught = []
        for call in (lambda: cache.match(URL), lambda: cache.put(URL, made()), lambda: cache.delete(URL)):
            with pytest.raises(JsException) as failed:
                await call()
            caught.append(failed.value.message)
        return caught

    assert asyncio.run(main()) == ["internal error", "internal error", "Unable to delete cached response."]
    told = ("pyworkers.storage", 30, "cache.sqlite could not be written: the disk is full; free some space")
    assert caplog.record_tuples == [told] * 3
