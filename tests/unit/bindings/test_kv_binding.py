"""The KV binding, beyond what is recorded: storage failures, calls from Python, and what the platform's source says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pyworkers.bindings.kv import KvNamespace
from pyworkers.clock import ManualClock
from pyworkers.engines.kv.sqlite_engine import SqliteKVEngine
from pyworkers.js.collections import JsMap
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject

NOW_S = 1_700_000_000


def run(program: Callable[[Any], Awaitable[Any]], *, is_closed: bool = False) -> Any:
    """Run a program on an empty namespace; ``kv._clock`` is its clock."""

    async def main() -> Any:
        async with SqliteKVEngine(clock=(clock := ManualClock(NOW_S))) as engine:
            if is_closed:
                await engine.close()
            return await program(KvNamespace(engine, clock))

    return asyncio.run(main())


def thrown(program: Callable[[Any], Awaitable[Any]], *, is_closed: bool = False) -> tuple[str, str]:
    with pytest.raises(JsException) as caught:
        run(program, is_closed=is_closed)
    return caught.value.name, caught.value.message


@pytest.mark.parametrize(
    ("operation", "method"),
    [
        (lambda kv: kv.get("k"), "GET"),
        (lambda kv: kv.getWithMetadata("k"), "GET"),
        (lambda kv: kv.get(JsArray(["k"])), "GET_BULK"),
        (lambda kv: kv.put("k", "v"), "PUT"),
        (lambda kv: kv.delete("k"), "DELETE"),
        (lambda kv: kv.list(), "GET"),
    ],
)
def test_a_storage_failure_is_an_internal_server_error(operation: Callable[[Any], Any], method: str) -> None:
    assert thrown(operation, is_closed=True) == ("Error", f"KV {method} failed: 500 Internal Server Error")


def test_keyword_arguments_are_options() -> None:
    async def program(kv: Any) -> None:
        await kv.put("a", '{"x":1}', metadata=JsObject({"m": 1}), expirationTtl=60)
        found = await kv.getWithMetadata("a", type="json")
        assert (found.value.x, found.metadata.m, found.cacheStatus) == (1, 1, jsnull)
        (key,) = (await kv.list(prefix="a", limit=1)).keys
        assert (key.name, key.expiration, key.metadata.m) == ("a", NOW_S + 60, 1)

    run(program)


def test_an_entry_expires_when_its_time_to_live_has_passed() -> None:
    async def program(kv: Any) -> None:
        await kv.put("a", "v", expirationTtl=60)
        kv._clock.advance(59.9)
        assert await kv.get("a") == "v"
        kv._clock.advance(0.1)
        assert await kv.get("a") is jsnull
        assert len((await kv.list()).keys) == 0

    run(program)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"expiration": NOW_S + 59}, f"400 Invalid expiration of {NOW_S + 59}. Expiration times must be at least 60 "
                                     "seconds in the future."),
        ({"expiration": NOW_S}, f"400 Invalid expiration of {NOW_S}. Please specify integer greater than the current "
                                "number of seconds since the UNIX epoch."),
        ({"expiration": NOW_S + 100, "expirationTtl": 30}, "400 Invalid expiration_ttl of 30. Expiration TTL must be "
                                                           "at least 60."),
    ],
)  # fmt: skip
def test_an_expiration_that_is_too_near_is_refused(options: dict[str, int], message: str) -> None:
    assert thrown(lambda kv: kv.put("a", "v", **options)) == ("Error", f"KV PUT failed: {message}")


def test_an_unknown_type_is_refused_only_where_there_is_a_value() -> None:
    async def program(kv: Any) -> Any:
        assert await kv.get("a", "nope") is jsnull
        await kv.put("a", "v")
        return await kv.get("a", "nope")

    message = 'Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".'
    assert thrown(program) == ("TypeError", message)


def test_an_option_out_of_range_is_thrown_by_get_and_rejects_put() -> None:
    message = "Value out of range. Must be between -2147483648 and 2147483647 (inclusive)."

    async def program(kv: Any) -> None:
        with pytest.raises(JsException, match="out of range"):
            kv.get("a", cacheTtl=2**31)
        promise = kv.put("a", "v", expirationTtl=2**31)
        with pytest.raises(JsException) as caught:
            await promise
        assert (caught.value.name, caught.value.message) == ("TypeError", message)

    run(program)


def test_a_bulk_get_leaves_out_keys_that_are_array_indices() -> None:
    async def program(kv: Any) -> None:
        for key in ("7", "07", "4294967295", "a"):
            await kv.put(key, "v")
        found = await kv.get(JsArray(["a", "7", "07", "4294967295", "a"]))
        assert isinstance(found, JsMap)
        assert list(found.items()) == [("a", "v"), ("07", "v"), ("4294967295", "v")]

    run(program)


def test_a_bulk_get_with_metadata_gives_falsy_values_bare() -> None:
    async def program(kv: Any) -> None:
        for key, value in (("empty", ""), ("zero", "0"), ("null", "null"), ("list", "[]")):
            await kv.put(key, value)
        texts = await kv.getWithMetadata(JsArray(["empty", "zero"]))
        assert texts["empty"] == ""
        assert (texts["zero"].value, texts["zero"].metadata) == ("0", jsnull)
        values = await kv.getWithMetadata(JsArray(["zero", "null", "list"]), "json")
        assert (values["zero"], values["null"]) == (0, jsnull)
        assert len(values["list"].value) == 0

    run(program)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["a", ""], "400 Key names must not be empty"),
        (["a", ".."], '400 Illegal key name "..". Please use a different name.'),
        (["k" * 513], "414 UTF-8 encoded length of 513 exceeds key length limit of 512."),
    ],
)
def test_a_bulk_get_refuses_bad_keys(keys: list[str], message: str) -> None:
    assert thrown(lambda kv: kv.get(JsArray(keys))) == ("Error", f"KV GET_BULK failed: {message}")


def test_a_bulk_get_is_limited_to_25_mb_of_text() -> None:
    async def program(kv: Any) -> Any:
        for key in ("a", "b"):
            await kv.put(key, "x" * (13 * 1024 * 1024))
        return await kv.get(JsArray(["a", "b"]))

    message = "KV GET_BULK failed: 413 Total size of request exceeds the limit of 25MB"
    assert thrown(program) == ("Error", message)


def test_a_stream_of_unknown_length_that_is_too_long_is_refused_with_its_whole_length() -> None:
    async def chunks() -> Any:
        for _ in range(26):
            yield b"x" * (1024 * 1024)

    async def program(kv: Any) -> Any:
        await kv.put("a", ReadableStream.of_async_iterator(chunks()))

    message = "KV PUT failed: 413 Value length of 27262976 exceeds limit of 26214400."
    assert thrown(program) == ("Error", message)


def test_a_locked_stream_is_refused() -> None:
    async def program(kv: Any) -> Any:
        stream = ReadableStream.of_bytes(b"v")
        stream.getReader()
        await kv.put("a", stream)

    assert thrown(program) == ("TypeError", "The ReadableStream has been locked to a reader.")


@pytest.mark.parametrize("value", [b"bytes", ["list"], {"a": 1}, object()])
def test_a_python_object_that_was_not_converted_is_no_value(value: object) -> None:
    message = "KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values."
    assert thrown(lambda kv: kv.put("a", value)) == ("TypeError", message)


def test_lone_surrogates_are_refused_in_keys_and_replaced_byte_by_byte_in_values() -> None:
    async def program(kv: Any) -> None:
        await kv.put("k", "v\udc00")
        assert await kv.get("k") == "v" + 3 * "\N{REPLACEMENT CHARACTER}"
        for call in (kv.get, kv.getWithMetadata, kv.delete, lambda key: kv.put(key, "v")):
            with pytest.raises(JsException, match=r"KV (GET|PUT|DELETE) failed: 400 Could not URL-decode key name"):
                await call("k\ud800")

    run(program)


@pytest.mark.parametrize("cursor", ["YQ==", "YQ", "Y Q = =", "YQ==\n"])
def test_a_cursor_is_read_as_leniently_as_the_platform_reads_base64(cursor: str) -> None:
    async def program(kv: Any) -> None:
        for key in ("a", "b"):
            await kv.put(key, "v")
        assert [key.name for key in (await kv.list(cursor=cursor)).keys] == ["b"]

    run(program)
