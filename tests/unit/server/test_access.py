"""What the server writes: one line a request, its prints under it, and never a wait for the reader."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import re
import sys

import pytest
from serving import leave, run, serving

from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.runtime.events import current_event
from pyworkers.server.terminal import Output, Style, wants_color


def without_times(text: str) -> list[str]:
    return re.sub(r"\([\d.]+ m?s\)", "(T)", text).splitlines()


def test_a_request_is_one_line_with_its_prints_and_bindings() -> None:
    async def handler(_request: Request) -> Response:
        event = current_event()
        assert event is not None
        event.touch("KV")
        event.touch("DB")
        event.touch("DB")
        print("first", "line")
        print("second\nthird")
        sys.stderr.write("no end")
        return Response.js_new("x")

    async def main() -> None:
        async with serving(handler) as served:
            await served.request("GET", "/a?b=1")
        assert without_times(served.text) == [
            "GET /a?b=1 200 (T)  KV  DB ×2",
            "    first line",
            "    second",
            "    third",
            "    no end",
        ]

    run(main())


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/live?api_key=abc&since=1", "/live?api_key=***&since=1"),
        ("/live?apiKey=abc", "/live?apiKey=***"),
        ("/a?x=1&access_token=t%20t&b", "/a?x=1&access_token=***&b"),
        ("/o?X-Amz-Credential=i/20260101&X-Amz-Signature=ff", "/o?X-Amz-Credential=***&X-Amz-Signature=***"),
        ("/kv?key=greeting&keyword=a&monkey=b&token=", "/kv?key=greeting&keyword=a&monkey=b&token="),
        ("/token=1", "/token=1"),
    ],
)
def test_what_proves_who_asks_is_left_out(target: str, shown: str) -> None:
    async def handler(_request: Request) -> Response:
        return Response.js_new("x")

    async def main() -> None:
        async with serving(handler) as served:
            await served.request("GET", target)
        assert without_times(served.text) == [f"GET {shown} 200 (T)"]

    run(main())


def test_prints_of_requests_that_overlap_stay_apart() -> None:
    both = asyncio.Barrier(2)

    async def handler(request: Request) -> Response:
        name = request.url[-1]
        print(name, "begins")
        await both.wait()
        print(name, "ends")
        return Response.js_new(name)

    async def main() -> None:
        async with serving(handler) as served:
            await asyncio.gather(served.request("GET", "/a"), served.request("GET", "/b"))
        lines = without_times(served.text)
        for name in "ab":
            at = lines.index(f"GET /{name} 200 (T)")
            assert lines[at + 1 : at + 3] == [f"    {name} begins", f"    {name} ends"]

    run(main())


def test_prints_after_the_response_are_written_at_once() -> None:
    async def later() -> None:
        await asyncio.sleep(0)
        print("afterwards")

    tasks: list[asyncio.Task[None]] = []

    async def handler(_request: Request) -> Response:
        tasks.append(asyncio.get_running_loop().create_task(later()))
        return Response.js_new("x")

    async def main() -> None:
        async with serving(handler) as served:
            await served.request("GET", "/")
            await asyncio.gather(*tasks)
        assert without_times(served.text) == ["GET / 200 (T)", "    afterwards"]

    run(main())


def test_a_log_record_of_the_runtime_is_a_line() -> None:
    async def handler(_request: Request) -> Response:
        logging.getLogger("pyworkers.worker").error("in the background")
        return Response.js_new("x")

    async def main() -> None:
        async with serving(handler) as served:
            await served.request("GET", "/")
        assert without_times(served.text) == ["GET / 200 (T)", "    in the background"]

    run(main())


def test_a_worker_that_logs_everything_does_not_get_the_servers_libraries() -> None:
    root, library = logging.getLogger(), logging.getLogger("httpcore.http11")
    before = root.level, logging.getLogger("httpcore").level

    async def handler(_request: Request) -> Response:
        root.setLevel(logging.DEBUG)
        shown = [logger.isEnabledFor(logging.DEBUG) for logger in (library, logging.getLogger("entry"))]
        logging.getLogger("httpcore").setLevel(logging.INFO)  # who asks for a library by name gets it
        return Response.js_new(f"{shown} {library.isEnabledFor(logging.INFO)}")

    async def main() -> None:
        async with serving(handler) as served:
            _status, _headers, body = await served.request("GET", "/")
        assert body == b"[False, True] True"

    try:
        run(main())
        assert logging.getLogger("httpcore").level == before[1]
    finally:
        root.setLevel(before[0])


def test_a_quiet_level_shows_failures_only() -> None:
    async def handler(request: Request) -> Response:
        print("not shown")
        if request.url.endswith("/bad"):
            raise ValueError("boom")
        return Response.js_new("x")

    async def main() -> None:
        async with serving(handler, level="error") as served:
            await served.request("GET", "/good")
            await served.request("GET", "/bad")
        lines = served.text.splitlines()
        assert lines[:2] == ["GET /bad", "    Traceback (most recent call last):"]
        assert lines[-1] == "    ValueError: boom"

    run(main())


def test_print_works_outside_of_any_request() -> None:
    async def main() -> None:
        async with serving(lambda _request: asyncio.sleep(0)) as served:  # type: ignore[arg-type,return-value]
            print("at start")
            await asyncio.to_thread(print, "from a thread")
        assert served.text == "at start\nfrom a thread\n"

    run(main())


def test_a_pipe_that_nobody_reads_does_not_stop_the_server() -> None:
    reading, writing = os.pipe()

    async def main() -> None:
        with os.fdopen(writing, "w") as stream:
            output = Output(stream, style=Style(enabled=False))
            for number in range(200):
                output.line(f"{number:04} " + "x" * 1000)
            await asyncio.wait_for(asyncio.sleep(0.05), 5)
            output.close(timeout_s=0)

    try:
        run(main())
        assert os.read(reading, 5) == b"0000 "
    finally:
        os.close(reading)


def test_a_slow_reader_gets_every_line_in_order() -> None:
    reading, writing = os.pipe()

    async def main() -> list[str]:
        with os.fdopen(writing, "w") as stream:
            output = Output(stream, style=Style(enabled=False))
            for number in range(300):
                output.line(f"{number:04} " + "x" * 1000)
            received = b""
            while received.count(b"\n") < 300:
                await asyncio.sleep(0.001)
                received += await asyncio.to_thread(os.read, reading, 100_000)
            output.close()
        return received.decode().splitlines()

    lines: list[str] = []

    async def collect() -> None:
        lines.extend(await main())

    try:
        run(collect())
    finally:
        os.close(reading)
    assert [int(line[:4]) for line in lines] == list(range(300))


def test_a_backlog_is_bounded_and_says_what_it_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("pyworkers.server.terminal.MAX_BACKLOG_CHARS", 100)

    async def main() -> None:
        output = Output(stream, style=Style(enabled=False))
        for _ in range(50):
            output.line("x" * 59)
        output.close()

    run(main())
    assert stream.getvalue() == ("x" * 59 + "\n") * 2 + "... 48 lines were dropped: nothing reads the output\n"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"FORCE_COLOR": "0"}, False),
    ],
)
def test_colours_are_for_terminals_and_who_asks(environ: dict[str, str], expected: bool) -> None:
    assert wants_color(io.StringIO(), environ) is expected
    assert Style(enabled=True)("x", "red", "bold") == "\x1b[31;1mx\x1b[0m"


def test_a_request_that_takes_long_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyworkers.server.exchange._LONG_S", 0.0)
    go_on = asyncio.Event()

    async def handler(_request: Request) -> Response:
        print("before")
        await go_on.wait()
        print("after")
        return Response.js_new("x")

    async def main() -> None:
        async with serving(handler) as served:
            reader, writer = await served.connect()
            writer.write(b"GET /long HTTP/1.1\r\nHost: h\r\n\r\n")
            await served.written("before")
            go_on.set()
            await reader.readuntil(b"\r\n\r\nx")
            await leave(writer)
        assert without_times(served.text) == [
            "GET /long still running",
            "    before",
            "    after",
            "GET /long 200 (T)",
        ]

    run(main())
