"""``pyworkers dev`` as its user meets it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
from dev_process import API, COMMAND, HANG_S, HELLO, READY, SERVICE, STREAMING, MakeWorker, StartDev, clean_environ


def test_two_workers_answer_through_a_service_binding(make_worker: MakeWorker, start_dev: StartDev) -> None:
    api = make_worker("api", API, config=SERVICE)
    make_worker("streaming", STREAMING)
    dev = start_dev(folder=api)
    response = dev.get("/chat")
    assert (response.status_code, response.text, response.headers["x-made-by"]) == (200, "from streaming", "streaming")
    log = dev.wait_for("streaming answers").splitlines()
    at = next(index for index, line in enumerate(log) if line.startswith("GET /chat 200 ("))
    assert log[at].endswith(" ms)  STREAMING")
    assert log[at + 1 : at + 3] == ["    api │ api was asked for chat", "    streaming │ streaming answers"]


def test_the_start_lists_workers_and_bindings(make_worker: MakeWorker, start_dev: StartDev) -> None:
    api = make_worker(
        "api",
        API,
        config=SERVICE.replace("]", ', { binding = "LOST", service = "streeming" }]') + '[vars]\nMODE = "test"\n',
    )
    make_worker("streaming", STREAMING)
    lines = start_dev(folder=api).lines
    table = [line.split() for line in lines]
    assert ["api", "(entry.py,", "answers", "HTTP)"] in table
    assert ["MODE", "var", "'test'"] in table
    assert ["STREAMING", "service", "streaming"] in table
    assert any(words[:2] == ["LOST", "service"] and "streaming?" in words for words in table)
    assert lines[-1].startswith(READY)


def test_100_mb_pass_both_ways_in_constant_memory(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = """
from js import Response
from pyodide.ffi import to_js

CHUNK = bytes(range(256)) * 1024

async def fetch(request, env):
    if request.method == "GET":
        async def chunks():
            for _ in range(400):
                yield to_js(CHUNK)
        return Response.new(chunks())
    total = 0
    reader = request.js_object.body.getReader()
    while not (part := await reader.read()).done:
        total += part.value.byteLength
    return Response.new(str(total))
"""
    dev = start_dev(folder=make_worker("api", source))
    chunk = bytes(range(256)) * 1024
    total = 100 * 1024 * 1024

    def body() -> Iterator[bytes]:
        for _ in range(total // len(chunk)):
            yield chunk

    assert dev.client.post("/", content=b"warm").text == "4"
    before = _resident_bytes(dev.client)
    assert dev.client.post("/", content=body()).text == str(total)
    received = 0
    with dev.client.stream("GET", "/") as response:
        for part in response.iter_bytes():
            received += len(part)
    assert received == total
    assert _resident_bytes(dev.client) - before < 24 * 1024 * 1024


def _resident_bytes(client: httpx.Client) -> int:
    lines = client.get("/cdn-cgi/metrics", headers={"Host": "localhost"}).text.splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("pyworkers_process_resident_bytes "))


def test_metrics_count_workers_and_edges(make_worker: MakeWorker, start_dev: StartDev) -> None:
    api = make_worker("api", API, config=SERVICE)
    make_worker("streaming", STREAMING)
    dev = start_dev(folder=api)
    for _ in range(3):
        dev.get("/")
    lines = dev.get("/cdn-cgi/metrics").text.splitlines()
    assert 'pyworkers_events_total{worker="api",kind="fetch"} 3' in lines
    assert 'pyworkers_events_total{worker="streaming",kind="fetch"} 3' in lines
    assert 'pyworkers_service_calls_total{worker="api",binding="STREAMING",kind="fetch"} 3' in lines
    assert 'pyworkers_worker_cold_starts_total{worker="api"} 1' in lines


def test_a_client_that_leaves_ends_the_stream(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = """
import asyncio
from js import Response
from pyodide.ffi import to_js

async def fetch(request, env):
    async def chunks():
        try:
            for number in range(10**9):
                yield to_js(b"data: %d\\n\\n" % number)
                await asyncio.sleep(0.01)
        finally:
            print("the stream ended")
    return Response.new(chunks(), headers={"content-type": "text/event-stream"}.items())
"""
    dev = start_dev(folder=make_worker("api", source))
    with dev.client.stream("GET", "/") as response:
        next(response.iter_bytes())
    dev.wait_for("the stream ended")


def test_scheduled_runs_by_url(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = HELLO + "\nasync def scheduled(controller, env, ctx):\n    print('cron', controller.cron)\n"
    dev = start_dev(folder=make_worker("api", source))
    assert dev.get("/cdn-cgi/handler/scheduled?cron=*+*+*+*+*").text == "ok"
    assert dev.get("/__scheduled?cron=0+*+*+*+*").text == "Ran scheduled event"
    dev.wait_for("    cron 0 * * * *")


def test_a_reader_that_stops_reading_does_not_stop_the_server(make_worker: MakeWorker, tmp_path: Path) -> None:
    source = HELLO.replace("    return", '    print("x" * 10_000)\n    return')
    process = subprocess.Popen(
        [COMMAND, "dev", "--port", "0"],
        cwd=make_worker("api", source),
        env=clean_environ(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        url = next(line for line in process.stdout if READY in line).split(READY)[1].strip()
        with httpx.Client(base_url=url.replace("localhost", "127.0.0.1"), trust_env=False, timeout=HANG_S) as client:
            for _ in range(100):
                assert client.get("/").text == "hello"
        process.terminate()
        assert process.wait(HANG_S) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_json_reaches_the_worker(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = """
from workers import Response

async def fetch(request, env):
    data = await request.json()
    return Response.from_json({"got": data["n"] + 1}) if hasattr(Response, "from_json") else Response.json({"got": 1})
"""
    dev = start_dev(folder=make_worker("api", source))
    assert json.loads(dev.client.post("/", json={"n": 1}).text) == {"got": 2}
