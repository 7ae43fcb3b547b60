from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pyworkers.js.buffers import Uint8Array
from pyworkers.js.convert import create_proxy, to_js
from pyworkers.js.objects import JsArray
from pyworkers.js.scope import module as js
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject

LOCKED = "This ReadableStream is currently locked to a reader."


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


def u8(size: int) -> Uint8Array:
    return js.Uint8Array.new(size)


async def collect(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


async def byte_items(*items: bytes, closed: list[str] | None = None) -> AsyncIterator[bytes]:
    try:
        for item in items:
            yield item
    finally:
        if closed is not None:
            closed.append("closed")


def counting_source(log: list[str], last: int = 3) -> JsObject:
    """A source that logs what is called and enqueues 1 … last."""
    state = {"n": 0}

    def pull(controller: Any) -> None:
        state["n"] += 1
        log.append(f"pull {state['n']}")
        controller.enqueue(state["n"])
        if state["n"] == last:
            controller.close()

    return JsObject({"pull": pull, "cancel": lambda reason: log.append(f"cancel {reason}")})


# ---- the host's streams


def test_bytes_in_memory_are_one_chunk_with_a_known_length():
    async def main() -> Any:
        stream = ReadableStream.of_bytes(b"abc")
        return stream.length, [chunk async for chunk in stream.chunks()], stream.disturbed, stream.locked

    assert run(main()) == (3, [b"abc"], True, False)


def test_an_empty_body_has_no_chunk():
    assert run(ReadableStream.of_bytes(b"").read_all()) == b""


def test_an_iterator_is_pulled_one_item_a_read():
    async def main() -> Any:
        pulled: list[int] = []

        async def items() -> AsyncIterator[bytes]:
            for index in range(3):
                pulled.append(index)
                yield b"%d" % index

        chunks = ReadableStream.of_async_iterator(items(), length=3).chunks()
        before = list(pulled)
        first = await anext(chunks)
        after_one = list(pulled)
        await chunks.aclose()
        return before, first, after_one

    assert run(main()) == ([], b"0", [0])


def test_cancelling_closes_the_iterator():
    async def main() -> Any:
        closed: list[str] = []
        stream = ReadableStream.of_async_iterator(byte_items(b"a", b"b", closed=closed))
        reader = stream.getReader()
        await reader.read()
        await reader.cancel()
        return closed, stream.disturbed, (await reader.read()).done

    assert run(main()) == (["closed"], True, True)


def test_a_dropped_stream_closes_its_iterator():
    async def main() -> list[str]:
        closed: list[str] = []

        async def read_one() -> None:
            await anext(ReadableStream.of_async_iterator(byte_items(b"a", b"b", closed=closed)).chunks())

        await read_one()
        gc.collect()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return closed

    assert run(main()) == ["closed"]


def test_an_error_of_the_iterator_reaches_every_later_read():
    async def main() -> list[str]:
        async def items() -> AsyncIterator[bytes]:
            yield b"a"
            raise JsException("Error", "boom")

        reader = ReadableStream.of_async_iterator(items()).getReader()
        await reader.read()
        errors = []
        for _ in range(2):
            with pytest.raises(JsException) as caught:
                await reader.read()
            errors.append(str(caught.value))
        with pytest.raises(JsException) as caught:
            await reader.closed
        return [*errors, str(caught.value)]

    assert run(main()) == ["Error: boom"] * 3


def test_concurrent_reads_take_turns():
    async def main() -> list[Any]:
        reader = ReadableStream.of_async_iterator(byte_items(b"a", b"b")).getReader()
        results = await asyncio.gather(reader.read(), reader.read(), reader.read())
        return [result.value.to_bytes() if result.value else None for result in results]

    assert run(main()) == [b"a", b"b", None]


def test_the_host_refuses_chunks_that_are_not_bytes():
    async def main() -> Any:
        log: list[str] = []
        stream = js.ReadableStream.new(counting_source(log))
        with pytest.raises(JsException) as caught:
            await stream.read_all()
        return str(caught.value), log[-1]

    assert run(main()) == (
        "TypeError: This ReadableStream did not return bytes.",
        "cancel TypeError: This ReadableStream did not return bytes.",
    )


# ---- a worker's streams


def test_start_enqueues_and_closes():
    def start(controller: Any) -> None:
        controller.enqueue("a")
        controller.enqueue("b")
        controller.close()

    async def main() -> Any:
        stream = js.ReadableStream.new(start=create_proxy(start))
        return await collect(stream), stream.locked

    assert run(main()) == (["a", "b"], False)


def test_an_asynchronous_start_runs_before_pull():
    async def main() -> Any:
        log: list[str] = []

        async def start(_controller: Any) -> None:
            await asyncio.sleep(0)
            log.append("started")

        source = counting_source(log, last=1)
        source.start = start
        return await collect(js.ReadableStream.new(source)), log

    assert run(main()) == ([1], ["started", "pull 1"])


def test_the_queue_is_filled_to_the_high_water_mark_and_no_further():
    async def main() -> Any:
        log: list[str] = []
        stream = js.ReadableStream.new(counting_source(log, last=10), JsObject({"highWaterMark": 3}))
        for _ in range(5):
            await asyncio.sleep(0)
        full = list(log)
        await stream.getReader().read()
        for _ in range(5):
            await asyncio.sleep(0)
        return full, log

    assert run(main()) == (["pull 1", "pull 2", "pull 3"], ["pull 1", "pull 2", "pull 3", "pull 4"])


def test_a_high_water_mark_of_zero_pulls_only_for_a_read():
    async def main() -> Any:
        log: list[str] = []
        stream = js.ReadableStream.new(counting_source(log), js.CountQueuingStrategy.new(highWaterMark=0))
        await asyncio.sleep(0)
        before = list(log)
        result = await stream.getReader().read()
        return before, result.value, log

    assert run(main()) == ([], 1, ["pull 1"])


def test_a_python_object_can_be_the_source():
    class Source:
        def pull(self, controller: Any) -> None:
            controller.enqueue("x")
            controller.close()

    assert run(collect_new(create_proxy(Source()))) == ["x"]
    assert run(collect_new(Source())) == ["x"]


async def collect_new(source: Any) -> list[Any]:
    return await collect(js.ReadableStream.new(source))


def test_an_error_of_pull_reaches_the_reader():
    async def pull(_controller: Any) -> None:
        raise ValueError("no more")

    async def main() -> None:
        await collect(js.ReadableStream.new(pull=create_proxy(pull)))

    with pytest.raises(ValueError, match="no more"):
        run(main())


def test_controller_error_is_wrapped_when_it_is_no_error():
    async def main() -> None:
        await collect(js.ReadableStream.new(start=lambda controller: controller.error("broken")))

    with pytest.raises(JsException, match=r"^Error: broken$"):
        run(main())


def test_enqueue_after_close_is_a_type_error():
    controllers: list[Any] = []

    async def main() -> None:
        js.ReadableStream.new(start=controllers.append)
        controllers[0].close()
        controllers[0].enqueue("late")

    with pytest.raises(JsException, match=r"^TypeError: Unable to enqueue$"):
        run(main())


def test_error_of_start_breaks_the_stream():
    def start(_controller: Any) -> None:
        raise JsException("RangeError", "no start")

    async def main() -> None:
        await js.ReadableStream.new(start=start).getReader().read()

    with pytest.raises(JsException, match=r"^RangeError: no start$"):
        run(main())


def test_byte_stream_gives_what_is_queued_in_buffers_of_four_kilobytes():
    def start(controller: Any) -> None:
        controller.enqueue(u8(5000))
        controller.enqueue(u8(10))
        controller.close()

    async def main() -> list[int]:
        return [chunk.byteLength for chunk in await collect(js.ReadableStream.new(type="bytes", start=start))]

    assert run(main()) == [4096, 914]


def test_cancel_tells_the_source_and_ends_waiting_reads():
    async def main() -> Any:
        log: list[Any] = []
        stream = js.ReadableStream.new(cancel=log.append)
        reader = stream.getReader()
        waiting = reader.read()
        await asyncio.sleep(0)
        await reader.cancel("enough")
        return log, (await waiting).done

    assert run(main()) == (["enough"], True)


def test_desired_size_counts_down():
    sizes: list[Any] = []

    def start(controller: Any) -> None:
        sizes.append(controller.desiredSize)
        controller.enqueue("abc")
        sizes.append(controller.desiredSize)
        controller.close()

    async def main() -> None:
        js.ReadableStream.new(JsObject({"start": start}), JsObject({"highWaterMark": 5, "size": len}))

    run(main())
    assert sizes == [5, 2]


def test_a_wrong_type_is_refused():
    with pytest.raises(JsException, match='"text" is not a valid type of ReadableStream'):
        js.ReadableStream.new(type="text")


# ---- locking


def test_a_locked_stream_refuses_everybody_else():
    async def main() -> list[str]:
        stream = ReadableStream.of_bytes(b"x")
        stream.getReader()
        errors = []
        for action in (stream.getReader, stream.tee, stream.chunks, lambda: aiter(stream)):
            with pytest.raises(JsException) as caught:
                action()
            errors.append(caught.value.message)
        with pytest.raises(JsException) as caught:
            await stream.cancel()
        return [*errors, caught.value.message]

    assert run(main()) == [LOCKED, LOCKED.replace(".", ","), LOCKED, LOCKED, LOCKED]


def test_releasing_rejects_waiting_reads_and_unlocks():
    async def main() -> Any:
        stream = js.ReadableStream.new()
        reader = stream.getReader()
        waiting = reader.read()
        await asyncio.sleep(0)
        reader.releaseLock()
        texts = []
        for promise in (waiting, reader.read(), reader.closed, reader.cancel()):
            with pytest.raises(JsException) as caught:
                await promise
            texts.append(str(caught.value))
        return set(texts), stream.locked

    assert run(main()) == ({"TypeError: This ReadableStream reader has been released."}, False)


def test_async_iteration_can_be_stopped_without_cancelling():
    async def main() -> Any:
        log: list[str] = []
        stream = js.ReadableStream.new(counting_source(log))
        iterator = stream.values(preventCancel=True)
        first = await anext(iterator)
        await iterator.return_()
        return first, stream.locked, await collect(stream)

    assert run(main()) == (1, False, [2, 3])


def test_stopping_an_iterator_cancels():
    async def main() -> list[str]:
        log: list[str] = []
        iterator = js.ReadableStream.new(counting_source(log)).values()
        await iterator.next()
        await iterator.return_("done")
        return log[-1:]

    assert run(main()) == ["cancel done"]


# ---- tee


def test_both_branches_give_everything():
    async def main() -> Any:
        left, right = ReadableStream.of_async_iterator(byte_items(b"a", b"b"), length=2).tee()
        return left.length, await left.read_all(), await right.read_all()

    assert run(main()) == (2, b"ab", b"ab")


def test_branches_that_are_read_together_share_each_chunk():
    async def main() -> Any:
        left, right = js.ReadableStream.new(counting_source([])).tee()
        return await asyncio.gather(collect(left), collect(right))

    assert run(main()) == [[1, 2, 3], [1, 2, 3]]


def test_the_source_is_cancelled_with_the_second_reason_when_both_branches_are():
    async def main() -> list[str]:
        log: list[str] = []
        left, right = js.ReadableStream.new(counting_source(log), JsObject({"highWaterMark": 0})).tee()
        await left.cancel("l")
        after_one = list(log)
        await right.cancel("r")
        return [*after_one, *log]

    assert run(main()) == ["cancel r"]


def test_a_cancelled_branch_leaves_the_other_one_alone():
    async def main() -> list[Any]:
        left, right = js.ReadableStream.new(counting_source([])).tee()
        await left.cancel()
        return await collect(right)

    assert run(main()) == [1, 2, 3]


def test_an_error_reaches_both_branches():
    async def main() -> list[str]:
        stream = js.ReadableStream.new(start=lambda controller: controller.error(JsException("Error", "boom")))
        texts = []
        for branch in stream.tee():
            with pytest.raises(JsException) as caught:
                await collect(branch)
            texts.append(str(caught.value))
        return texts

    assert run(main()) == ["Error: boom", "Error: boom"]


# ---- BYOB


def test_a_byob_reader_fills_the_callers_memory():
    async def main() -> Any:
        reader = ReadableStream.of_bytes(b"abc").getReader(mode="byob")
        first = await reader.read(u8(2))
        second = await reader.readAtLeast(1, u8(2))
        last = await reader.read(u8(2))
        return [(r.value.to_bytes(), r.done) for r in (first, second, last)]

    assert run(main()) == [(b"ab", False), (b"c", False), (b"", True)]


def test_a_byob_reader_needs_a_stream_of_bytes_and_room():
    async def main() -> list[str]:
        with pytest.raises(JsException) as no_bytes:
            js.ReadableStream.new().getReader(mode="byob")
        reader = ReadableStream.of_bytes(b"abc").getReader(mode="byob")
        with pytest.raises(JsException) as no_room:
            await reader.read(u8(0))
        with pytest.raises(JsException) as wrong_mode:
            ReadableStream.of_bytes(b"").getReader(mode="x")
        return [str(error.value) for error in (no_bytes, no_room, wrong_mode)]

    assert run(main()) == [
        "TypeError: This ReadableStream does not support BYOB reads.",
        'TypeError: You must call read() on a "byob" reader with a positive-sized TypedArray object.',
        "TypeError: mode must be undefined or 'byob' in call to getReader().",
    ]


def test_a_byte_source_writes_into_the_readers_memory():
    def pull(controller: Any) -> None:
        view = controller.byobRequest.view
        view[0] = 7
        controller.byobRequest.respond(1)
        controller.close()

    async def main() -> Any:
        reader = js.ReadableStream.new(type="bytes", pull=pull).getReader(mode="byob")
        memory = u8(3)
        result = await reader.read(memory)
        return result.value.to_bytes(), result.value.buffer is memory.buffer, memory.to_bytes()

    assert run(main()) == (b"\7", True, b"\7\0\0")


def test_auto_allocation_gives_the_source_memory_for_a_default_read():
    def pull(controller: Any) -> None:
        controller.byobRequest.respondWithNewView(to_js(b"xy"))
        controller.close()

    async def main() -> bytes:
        stream = js.ReadableStream.new(type="bytes", autoAllocateChunkSize=8, pull=pull)
        return await stream.read_all()

    assert run(main()) == b"xy"


def test_enqueued_bytes_are_split_over_small_views():
    def start(controller: Any) -> None:
        controller.enqueue(to_js(b"hello"))
        controller.close()

    async def main() -> list[bytes]:
        reader = js.ReadableStream.new(type="bytes", start=start).getReader(mode="byob")
        return [(await reader.read(u8(2))).value.to_bytes() for _ in range(4)]

    assert run(main()) == [b"he", b"ll", b"o", b""]


def test_a_byte_controller_takes_only_bytes():
    controllers: list[Any] = []

    async def main() -> None:
        js.ReadableStream.new(type="bytes", start=controllers.append)
        controllers[0].enqueue("x")

    with pytest.raises(JsException, match="parameter 1 is not of type 'BufferSource'"):
        run(main())


# ---- from


def test_from_takes_any_iterable():
    async def letters() -> AsyncIterator[str]:
        yield "x"

    async def main() -> Any:
        return (
            await collect(js.ReadableStream.from_(JsArray([1, js.Promise.resolve(2)]))),
            await collect(js.ReadableStream.from_(letters())),
        )

    assert run(main()) == ([1, 2], ["x"])
    with pytest.raises(JsException, match="parameter 1 is not of type 'AsyncGenerator'"):
        js.ReadableStream.from_(5)


def test_from_takes_the_proxy_of_a_python_generator():
    async def letters() -> AsyncIterator[str]:
        yield "x"

    async def main() -> Any:
        return await collect(js.ReadableStream.from_(create_proxy(letters())))

    assert run(main()) == ["x"]
