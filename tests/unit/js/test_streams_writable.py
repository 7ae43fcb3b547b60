from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pyworkers.js.convert import to_js
from pyworkers.js.scope import module as js
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject

STRING_TO_BYTES = (
    "TypeError: This TransformStream is being used as a byte stream, but received a string on its writable side. If "
    "you wish to write a string, you'll probably want to explicitly UTF-8-encode it with TextEncoder."
)


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


async def collect(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


async def write_all(stream: Any, *chunks: Any) -> None:
    writer = stream.getWriter()
    for chunk in chunks:
        await writer.write(chunk)
    await writer.close()


async def through(transform: Any, *chunks: Any) -> list[Any]:
    """Write chunks into a transform while reading what comes out."""
    writing = asyncio.ensure_future(write_all(transform.writable, *chunks))
    try:
        return await collect(transform.readable)
    finally:
        await asyncio.gather(writing, return_exceptions=True)


async def text_of(error_of: Any) -> str:
    with pytest.raises(JsException) as caught:
        await error_of
    return str(caught.value)


# ---- WritableStream


def test_writes_reach_the_sink_in_order_and_one_at_a_time():
    async def main() -> list[str]:
        log: list[str] = []

        async def write(chunk: Any, _controller: Any) -> None:
            log.append(f"begin {chunk}")
            await asyncio.sleep(0)
            log.append(f"end {chunk}")

        stream = js.WritableStream.new(write=write, close=lambda: log.append("close"))
        writer = stream.getWriter()
        writer.write(1)
        writer.write(2)
        await writer.close()
        await writer.closed
        return log

    assert run(main()) == ["begin 1", "end 1", "begin 2", "end 2", "close"]


def test_ready_waits_for_room():
    async def main() -> Any:
        writer = js.WritableStream.new(JsObject(), JsObject({"highWaterMark": 2})).getWriter()
        writer.write("a")
        before = writer.desiredSize
        writer.write("b")
        full = writer.desiredSize
        await writer.ready
        return before, full, writer.desiredSize > 0

    assert run(main()) == (1, 0, True)


def test_an_error_of_the_sink_breaks_the_stream():
    def write(_chunk: Any, _controller: Any) -> None:
        raise JsException("RangeError", "disk full")

    async def main() -> set[str]:
        writer = js.WritableStream.new(write=write).getWriter()
        first = writer.write("a")
        texts = {await text_of(first)}
        for promise in (writer.write("b"), writer.closed, writer.ready, writer.close()):
            texts.add(await text_of(promise))
        return texts

    assert run(main()) == {"RangeError: disk full"}


def test_abort_signals_and_tells_the_sink():
    async def main() -> Any:
        log: list[Any] = []
        signals: list[Any] = []
        stream = js.WritableStream.new(start=lambda controller: signals.append(controller.signal), abort=log.append)
        writer = stream.getWriter()
        await writer.abort("stop")
        return log, signals[0].aborted, signals[0].reason, await text_of(writer.closed)

    assert run(main()) == (["stop"], True, "stop", "Error: stop")


def test_a_writer_locks_until_it_is_released():
    async def main() -> Any:
        stream = js.WritableStream.new()
        writer = stream.getWriter()
        with pytest.raises(JsException) as caught:
            stream.getWriter()
        texts = [str(caught.value), await text_of(stream.close()), await text_of(stream.abort())]
        writer.releaseLock()
        return set(texts), stream.locked, await text_of(writer.write("x"))

    assert run(main()) == (
        {"TypeError: This WritableStream is currently locked to a writer."},
        False,
        "TypeError: This WritableStream writer has been released.",
    )


def test_a_closed_stream_refuses_writes():
    async def main() -> str:
        writer = js.WritableStream.new().getWriter()
        await writer.close()
        return await text_of(writer.write("x"))

    assert run(main()) == "TypeError: This WritableStream has been closed."


# ---- TransformStream


def test_without_a_transformer_chunks_pass():
    assert run(through(js.TransformStream.new(), "a", "b")) == ["a", "b"]


def test_a_write_waits_for_the_reader():
    async def main() -> Any:
        transform = js.TransformStream.new()
        writer = transform.writable.getWriter()
        write = asyncio.ensure_future(writer.write("a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waits, size = not write.done(), writer.desiredSize
        value = (await transform.readable.getReader().read()).value
        await write
        return waits, size, value, writer.desiredSize

    assert run(main()) == (True, 0, "a", 1)


def test_a_transformer_maps_and_flushes():
    def transform(chunk: str, controller: Any) -> None:
        controller.enqueue(chunk.upper())

    async def flush(controller: Any) -> None:
        await asyncio.sleep(0)
        controller.enqueue("end")

    async def main() -> list[Any]:
        return await through(js.TransformStream.new(transform=transform, flush=flush), "a", "b")

    assert run(main()) == ["A", "B", "end"]


def test_an_error_of_the_transformer_breaks_both_sides():
    def transform(_chunk: str, _controller: Any) -> None:
        raise JsException("Error", "bad chunk")

    async def main() -> list[str]:
        stream = js.TransformStream.new(transform=transform)
        writer = stream.writable.getWriter()
        write = asyncio.ensure_future(writer.write("a"))
        return [await text_of(stream.readable.getReader().read()), await text_of(write)]

    assert run(main()) == ["Error: bad chunk", "Error: bad chunk"]


def test_terminate_ends_the_readable_side():
    def transform(chunk: str, controller: Any) -> None:
        controller.enqueue(chunk)
        controller.terminate()

    assert run(through(js.TransformStream.new(transform=transform), "a", "b")) == ["a"]


def test_cancelling_the_readable_side_fails_waiting_writes():
    async def main() -> str:
        stream = js.TransformStream.new()
        write = asyncio.ensure_future(stream.writable.getWriter().write("a"))
        await asyncio.sleep(0)
        await stream.readable.cancel(JsException("Error", "gone"))
        return await text_of(write)

    assert run(main()) == "Error: gone"


def test_aborting_the_writable_side_fails_waiting_reads():
    async def main() -> str:
        stream = js.TransformStream.new()
        read = asyncio.ensure_future(stream.readable.getReader().read())
        await asyncio.sleep(0)
        await stream.writable.abort(JsException("Error", "gone"))
        return await text_of(read)

    assert run(main()) == "Error: gone"


def test_closing_ends_a_reader_that_waits():
    async def main() -> bool:
        stream = js.TransformStream.new()
        read = asyncio.ensure_future(stream.readable.getReader().read())
        await asyncio.sleep(0)
        await stream.writable.getWriter().close()
        return (await read).done

    assert run(main()) is True


# ---- IdentityTransformStream and FixedLengthStream


def test_identity_passes_bytes_and_refuses_strings():
    async def main() -> Any:
        chunks = await through(js.IdentityTransformStream.new(), to_js(b"xy"))
        refused = await text_of(js.IdentityTransformStream.new().writable.getWriter().write("string"))
        return [chunk.to_bytes() for chunk in chunks], refused

    assert run(main()) == ([b"xy"], STRING_TO_BYTES)


def test_identity_close_waits_until_the_end_was_read():
    async def main() -> Any:
        stream = js.IdentityTransformStream.new()
        close = asyncio.ensure_future(stream.writable.getWriter().close())
        await asyncio.sleep(0)
        waits = not close.done()
        done = (await stream.readable.getReader().read()).done
        await close
        return waits, done

    assert run(main()) == (True, True)


def test_a_fixed_length_is_known_to_the_reader():
    async def main() -> Any:
        stream = js.FixedLengthStream.new(6)
        return stream.readable.length, [
            chunk.to_bytes() for chunk in await through(stream, to_js(b"abc"), to_js(b"def"))
        ]

    assert run(main()) == (6, [b"abc", b"def"])


def test_a_fixed_length_stream_counts():
    async def main() -> list[str]:
        short = js.FixedLengthStream.new(10)
        writing = asyncio.ensure_future(write_all(short.writable, to_js(b"abc")))
        texts = [await text_of(short.readable.read_all())]
        await asyncio.gather(writing, return_exceptions=True)
        return [*texts, await text_of(js.FixedLengthStream.new(2).writable.getWriter().write(to_js(b"abc")))]

    assert run(main()) == [
        "TypeError: FixedLengthStream did not see all expected bytes before close().",
        "TypeError: Attempt to write too many bytes through a FixedLengthStream.",
    ]


# ---- pipes


def test_pipe_to_moves_everything_and_closes():
    async def main() -> Any:
        got: list[Any] = []
        sink = js.WritableStream.new(write=lambda chunk, _: got.append(chunk), close=lambda: got.append("closed"))
        source = js.ReadableStream.from_(to_js([1, 2, 3]))
        await source.pipeTo(sink)
        return got, source.locked, sink.locked

    assert run(main()) == ([1, 2, 3, "closed"], False, False)


def test_pipe_to_can_leave_the_destination_open():
    async def main() -> Any:
        got: list[Any] = []
        sink = js.WritableStream.new(write=lambda chunk, _: got.append(chunk))
        await js.ReadableStream.from_(to_js([1])).pipeTo(sink, preventClose=True)
        await sink.getWriter().write(2)
        return got

    assert run(main()) == [1, 2]


def test_an_error_of_the_source_aborts_the_destination():
    async def main() -> Any:
        log: list[str] = []
        source = js.ReadableStream.new(start=lambda controller: controller.error(JsException("Error", "boom")))
        text = await text_of(source.pipeTo(js.WritableStream.new(abort=lambda reason: log.append(str(reason)))))
        return text, log

    assert run(main()) == ("Error: boom", ["Error: boom"])


def test_an_error_of_the_destination_cancels_the_source_even_while_it_waits():
    async def main() -> Any:
        log: list[str] = []
        controllers: list[Any] = []
        source = js.ReadableStream.new(cancel=lambda reason: log.append(str(reason)))
        pipe = source.pipeTo(js.WritableStream.new(start=controllers.append))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        controllers[0].error(JsException("Error", "sink broke"))
        return await text_of(pipe), log

    assert run(main()) == ("Error: sink broke", ["Error: sink broke"])


def test_a_signal_ends_a_pipe():
    async def main() -> Any:
        log: list[str] = []
        control = js.AbortController.new()
        source = js.ReadableStream.new(cancel=lambda reason: log.append(f"cancel {reason}"))
        sink = js.WritableStream.new(abort=lambda reason: log.append(f"abort {reason}"))
        pipe = source.pipeTo(sink, signal=control.signal)
        await asyncio.sleep(0)
        control.abort("why")
        return await text_of(pipe), log

    assert run(main()) == ("Error: why", ["abort why", "cancel why"])


def test_pipe_arguments_are_checked():
    async def main() -> list[str]:
        stream = ReadableStream.of_bytes(b"x")
        with pytest.raises(JsException) as caught:
            stream.pipeThrough(JsObject())
        return [await text_of(stream.pipeTo("x")), str(caught.value)]

    assert run(main()) == [
        "TypeError: Failed to execute 'pipeTo' on 'ReadableStream': parameter 1 is not of type 'WritableStream'.",
        "TypeError: Incorrect type for the 'readable' field on 'Transform': the provided value is not of type "
        "'ReadableStream'.",
    ]


def test_backpressure_passes_through_a_pipe():
    async def main() -> int:
        pulled = 0

        async def items() -> AsyncIterator[bytes]:
            nonlocal pulled
            while True:
                pulled += 1
                yield b"x"

        out = ReadableStream.of_async_iterator(items()).pipeThrough(js.IdentityTransformStream.new())
        reader = out.getReader()
        await reader.read()
        for _ in range(20):
            await asyncio.sleep(0)
        await reader.cancel()
        await asyncio.sleep(0)
        return pulled

    assert run(main()) <= 4


# ---- text and compression


def test_characters_may_be_split_over_chunks():
    async def main() -> Any:
        return (
            await through(js.TextDecoderStream.new(), to_js(b"\xc3\xa9"), to_js(b"\xe2\x82"), to_js(b"\xac")),
            [c.to_bytes() for c in await through(js.TextEncoderStream.new(), "é", "\ud83c", "\udf0d")],
        )

    assert run(main()) == (["é", "€"], ["é".encode(), "🌍".encode()])


def test_wrong_bytes_break_a_fatal_decoder_stream():
    async def main() -> Any:
        stream = js.TextDecoderStream.new("utf-8", fatal=True)
        with pytest.raises(JsException) as caught:
            await through(stream, to_js(b"\xff"))
        return str(caught.value), stream.encoding, stream.fatal, stream.ignoreBOM

    assert run(main()) == ("TypeError: Failed to decode input.", "utf-8", True, False)


@pytest.mark.parametrize(
    ("format_", "expand"),
    [
        ("gzip", gzip.decompress),
        ("deflate", zlib.decompress),
        ("deflate-raw", lambda data: zlib.decompress(data, -15)),
    ],
)
def test_compression_writes_do_not_wait_for_a_reader(format_, expand):
    async def main() -> Any:
        stream = js.CompressionStream.new(format_)
        await write_all(stream.writable, to_js(b"hello " * 100))
        packed = await stream.readable.read_all()
        again = ReadableStream.of_bytes(packed).pipeThrough(js.DecompressionStream.new(format_))
        return expand(packed), await again.read_all()

    assert run(main()) == (b"hello " * 100, b"hello " * 100)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"not gzip at all", "TypeError: Decompression failed."),
        (gzip.compress(b"x", mtime=0)[:-3], "TypeError: Called close() on a decompression stream with incomplete data"),
        (gzip.compress(b"x", mtime=0) + b"more", "TypeError: Trailing bytes after end of compressed data"),
    ],
)
def test_broken_compressed_data(data, text):
    async def main() -> str:
        stream = ReadableStream.of_bytes(data).pipeThrough(js.DecompressionStream.new("gzip"))
        return await text_of(stream.read_all())

    assert run(main()) == text


def test_an_unknown_format_is_refused():
    with pytest.raises(JsException, match="must be either 'deflate', 'deflate-raw' or 'gzip'"):
        js.CompressionStream.new("lzma")
