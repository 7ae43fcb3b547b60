"""``pyworkers dev`` as its user meets it."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from dev_process import READY, StartDev, run_command

MakeWorker = Callable[..., Path]

HELLO = """
from workers import Response

async def fetch(request, env):
    return Response("hello")
"""

API = """
from workers import Response

async def fetch(request, env, ctx):
    print("api was asked for", request.url.rpartition("/")[2])
    return await env.STREAMING.fetch(request)
"""

STREAMING = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        print("streaming answers")
        return Response("from streaming", headers={"X-Made-By": "streaming"})
"""

SERVICE = '\nservices = [{ binding = "STREAMING", service = "streaming" }]\n'


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


def test_a_missing_service_answers_503_as_the_runtime_does(make_worker: MakeWorker, start_dev: StartDev) -> None:
    dev = start_dev(folder=make_worker("api", API, config=SERVICE))
    response = dev.get("/x")
    expected = 'Worker "streaming" not found. Make sure it is running locally.'
    assert (response.status_code, response.text) == (503, expected)


def test_strict_makes_a_missing_service_an_error(make_worker: MakeWorker, tmp_path: Path) -> None:
    api = make_worker("api", API, config=SERVICE)
    done = run_command(api, "dev", "--strict")
    assert done.returncode == 2
    assert done.stderr == (
        'Error: the binding STREAMING of api needs a worker "streaming", and no configuration has it\n'
        f"  in {api}/wrangler.toml\n"
        "  pass its configuration with -c, or fix the name\n"
    )


def test_a_worker_that_throws_is_a_500_and_the_server_lives_on(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = """
from workers import Response

async def fetch(request, env):
    if request.url.endswith("/throw"):
        return inner(1)
    if request.url.endswith("/number"):
        return 5
    if request.url.endswith("/json"):
        return Response.json(await request.json())
    if request.url.endswith("/exit"):
        raise SystemExit(3)
    return Response("fine")

def inner(x):
    raise ValueError(f"boom <{x}>")
"""
    folder = make_worker("api", source)
    dev = start_dev(folder=folder)
    text = dev.get("/throw")
    assert text.status_code == 500
    assert text.headers["content-type"] == "text/plain;charset=UTF-8"
    lines = text.text.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert [line.strip() for line in lines if line.startswith("  File")] == [
        f'File "{folder}/entry.py", line 6, in fetch',
        f'File "{folder}/entry.py", line 16, in inner',
    ]
    assert lines[-1] == "ValueError: boom <1>"
    page = dev.get("/throw", headers={"Accept": "text/html"})
    assert page.headers["content-type"] == "text/html;charset=utf-8"
    assert "<h1>ValueError: boom &lt;1&gt;</h1>" in page.text
    number = dev.get("/number")
    assert (number.status_code, number.text.splitlines()[0]) == (
        500,
        "TypeError: Incorrect type for Promise: the Promise did not resolve to 'Response'.",
    )
    assert dev.client.post("/json", content=b"{bad").status_code == 500
    assert dev.get("/exit").status_code == 500
    assert dev.get("/").text == "fine"


def test_a_runaway_handler_is_ended(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = HELLO.replace("    return", '    while request.url.endswith("/spin"):\n        pass\n    return')
    dev = start_dev(folder=make_worker("api", source, config="[limits]\ncpu_ms = 50\n"))
    response = dev.get("/spin")
    assert (response.status_code, response.text.splitlines()[0]) == (503, "error code: 1102")
    assert dev.get("/").text == "hello"


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
            for number in range(10_000):
                yield to_js(b"data: %d\\n\\n" % number)
                await asyncio.sleep(0.01)
        finally:
            print("the stream ended")
    return Response.new(chunks(), headers={"content-type": "text/event-stream"})
"""
    dev = start_dev(folder=make_worker("api", source))
    with dev.client.stream("GET", "/") as response:
        next(response.iter_bytes())
    dev.wait_for("the stream ended", 5)


def test_scheduled_runs_by_url(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = HELLO + "\nasync def scheduled(controller, env, ctx):\n    print('cron', controller.cron)\n"
    dev = start_dev(folder=make_worker("api", source))
    assert dev.get("/cdn-cgi/handler/scheduled?cron=*+*+*+*+*").text == "ok"
    assert dev.get("/__scheduled?cron=0+*+*+*+*").text == "Ran scheduled event"
    dev.wait_for("    cron 0 * * * *")


# ---- start


def test_a_port_in_use_gives_the_next_and_says_so(make_worker: MakeWorker, start_dev: StartDev) -> None:
    folder = make_worker("api", HELLO)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        dev = start_dev("--port", str(port), "--ip", "127.0.0.1", folder=folder)
        assert dev.port > port
        assert f"Port {port} is in use; using {dev.port}" in dev.lines
        assert dev.get().text == "hello"


def test_var_wins_over_the_files(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = HELLO.replace('"hello"', 'f"{env.A} {env.B} {env.C}"')
    folder = make_worker("api", source, config='[vars]\nA = "file"\nB = "file"\nC = "file"\n')
    (folder / ".dev.vars").write_text('B = "secret"\nC = "secret"\n')
    assert start_dev("--var", "C:a:b=c", folder=folder).get().text == "file secret a:b=c"


def test_log_level_none_still_says_that_it_is_ready(make_worker: MakeWorker, start_dev: StartDev) -> None:
    dev = start_dev("--log-level", "error", folder=make_worker("api", HELLO))
    dev.get("/")
    assert dev.lines == [READY + dev.url]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("name = \n", "wrangler.toml:5"),
        ("vars = 5\n", "wrangler.toml:5"),
        ('compatability_date = "2026-01-01"\n', "compatibility_date"),
    ],
)
def test_a_wrong_configuration_is_an_error_with_its_line(make_worker: MakeWorker, config: str, expected: str) -> None:
    done = run_command(make_worker("api", HELLO, config=config), "dev")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_key_may_be_allowed(make_worker: MakeWorker, start_dev: StartDev) -> None:
    folder = make_worker("api", HELLO, config="not_a_key = 1\n")
    dev = start_dev("--allow-unknown-config", folder=folder)
    assert "not_a_key" in dev.text
    assert dev.get().text == "hello"


def test_two_workers_of_one_name_are_an_error(make_worker: MakeWorker, tmp_path: Path) -> None:
    make_worker("api", HELLO, folder="one")
    make_worker("api", HELLO, folder="two")
    done = run_command(tmp_path, "dev", "-c", "workers/one", "-c", "workers/two")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert "api" in done.stderr


def test_a_missing_main_module_is_an_error(make_worker: MakeWorker) -> None:
    folder = make_worker("api", HELLO)
    (folder / "entry.py").rename(folder / "entri.py")
    done = run_command(folder, "dev")
    assert done.returncode == 2
    assert "entry.py" in done.stderr
    assert "wrangler.toml:2" in done.stderr


def test_a_folder_without_configuration_is_an_error(tmp_path: Path) -> None:
    done = run_command(tmp_path, "dev")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")


def test_arguments_that_exclude_each_other(tmp_path: Path) -> None:
    done = run_command(tmp_path, "dev", "--memory", "--persist-to", "x")
    expected = "Error: --memory and --persist-to exclude each other\n  pass one of the two\n"
    assert (done.returncode, done.stderr) == (2, expected)


def test_a_model_that_is_not_known_is_refused_before_a_download_is_announced(tmp_path: Path) -> None:
    done = run_command(tmp_path, "models", "pull", "nope")
    expected = "Error: there is no model 'nope'\n  pull one of smollm2, or a URL\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_the_version_is_printed(tmp_path: Path) -> None:
    from pyworkers._version import __version__

    assert run_command(tmp_path, "--version").stdout == f"pyworkers {__version__}\n"


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("x = (\n", 1, "SyntaxError: '(' was never closed"),
        ("import workers\n\nraise RuntimeError('at import')\n", 3, "RuntimeError: at import"),
        ("import nowhere_to_be_found\n", 1, "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("import os\nos.environ['NOT_SET_ANYWHERE']\n", 2, "KeyError: 'NOT_SET_ANYWHERE'"),
        ("import sys\nsys.exit('no')\n", 2, "SystemExit: no"),
    ],
)
def test_code_that_does_not_load_is_shown_and_mended_by_a_save(
    make_worker: MakeWorker, start_dev: StartDev, source: str, line: int, message: str
) -> None:
    folder = make_worker("api", source)
    dev = start_dev(folder=folder)
    assert message in dev.text
    response = dev.get("/")
    assert response.status_code == 500
    assert response.text.splitlines()[:2] == ["api could not be loaded", f'  File "{folder}/entry.py", line {line}']
    (folder / "entry.py").write_text(HELLO)
    dev.wait_for("Reloaded api")
    assert dev.get("/").text == "hello"


def test_a_module_without_a_handler_is_shown(make_worker: MakeWorker, start_dev: StartDev) -> None:
    dev = start_dev(folder=make_worker("api", "x = 1\n"))
    assert (
        "entry.py has no handler: neither a class Default(WorkerEntrypoint) nor a function fetch was found" in dev.text
    )
    assert dev.get("/").status_code == 500


def test_a_binding_that_is_not_emulated_is_marked_at_start(make_worker: MakeWorker, start_dev: StartDev) -> None:
    config = '[[queues.producers]]\nbinding = "JOBS"\nqueue = "jobs"\n'
    dev = start_dev(folder=make_worker("api", HELLO, config=config))
    assert "  JOBS  Queue  not emulated yet: its use throws; see docs/gaps.md\n" in dev.text


def test_a_main_module_that_is_not_python_is_shown(make_worker: MakeWorker, start_dev: StartDev) -> None:
    folder = make_worker("api", HELLO)
    (folder / "entry.py").rename(folder / "index.js")
    config = folder / "wrangler.toml"
    config.write_text(config.read_text().replace("entry.py", "index.js"))
    assert start_dev(folder=folder).get("/").text == (
        "api could not be loaded\n"
        '"main" is index.js, expected a Python module\n'
        'set "main" to a .py file; workers in JavaScript are not run here\n'
    )


def test_a_save_that_exits_leaves_the_server_running(make_worker: MakeWorker, start_dev: StartDev) -> None:
    folder = make_worker("api", HELLO)
    dev = start_dev(folder=folder)
    (folder / "entry.py").write_text("import sys\nsys.exit('no')\n")
    dev.wait_for("SystemExit: no")
    assert dev.get("/").text == "hello"


# ---- reload


def _answers(client: httpx.Client, text: str, timeout_s: float = 10) -> float:
    """Ask until the answer is ``text``; returns how long it took."""
    started_s = time.monotonic()
    while client.get("/").text != text:
        assert time.monotonic() - started_s < timeout_s
    return time.monotonic() - started_s


def test_a_save_replaces_that_worker_only(make_worker: MakeWorker, start_dev: StartDev) -> None:
    counting = """
from workers import Response
import lib

calls = 0

async def fetch(request, env):
    global calls
    calls += 1
    other = await (await env.STREAMING.fetch(request)).text()
    return Response(f"{lib.WORD} {calls} {other}")
"""
    other = """
from workers import Response

calls = 0

async def fetch(request, env):
    global calls
    calls += 1
    return Response(f"other {calls}")
"""
    api = make_worker("api", counting, config=SERVICE)
    make_worker("streaming", other)
    (api / "lib.py").write_text('WORD = "old"\n')
    dev = start_dev(folder=api)
    assert dev.get("/").text == "old 1 other 1"
    # The same size within the same second: what was compiled before must not be taken for it.
    (api / "lib.py").write_text('WORD = "new"\n')
    dev.wait_for("Reloaded api (lib.py")
    assert dev.get("/").text == "new 1 other 2"


def test_many_saves_in_a_row_each_take_effect(make_worker: MakeWorker, start_dev: StartDev) -> None:
    folder = make_worker("api", HELLO)
    dev = start_dev(folder=folder)
    for number in range(10, 20):
        (folder / "entry.py").write_text(HELLO.replace("hello", f"save {number}"))
        _answers(dev.client, f"save {number}")


def test_an_open_request_ends_on_the_code_it_began_with(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = """
import asyncio
from workers import Response

go_on = asyncio.Event()
WORD = "old"

async def fetch(request, env):
    if request.url.endswith("/wait"):
        print("waiting")
        await asyncio.sleep(1.5)
        return Response(WORD)
    return Response("now " + WORD)
"""
    folder = make_worker("api", source)
    dev = start_dev(folder=folder)
    answers: list[str] = []

    def ask() -> None:
        answers.append(httpx.get(dev.url.replace("localhost", "127.0.0.1") + "/wait", trust_env=False, timeout=30).text)

    asking = threading.Thread(target=ask)
    asking.start()
    dev.wait_for("still running")
    (folder / "entry.py").write_text(source.replace('WORD = "old"', 'WORD = "new"'))
    _answers(dev.client, "now new")
    asking.join(20)
    assert answers == ["old"]


def test_a_bad_save_keeps_the_last_good_code(make_worker: MakeWorker, start_dev: StartDev) -> None:
    folder = make_worker("api", HELLO)
    dev = start_dev(folder=folder)
    (folder / "entry.py").write_text(HELLO + "\ndef broken(:\n")
    dev.wait_for("The last code that loaded goes on answering.")
    assert f'  File "{folder}/entry.py", line 7' in dev.lines
    assert "SyntaxError: invalid syntax" in dev.lines
    assert dev.get("/").text == "hello"
    (folder / "entry.py").write_text(HELLO.replace("hello", "mended"))
    _answers(dev.client, "mended")


def test_configuration_and_secrets_are_reloaded(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = HELLO.replace('"hello"', 'f"{env.A} {env.B}"')
    folder = make_worker("api", source, config='[vars]\nA = "a1"\nB = "b1"\n')
    dev = start_dev(folder=folder)
    assert dev.get("/").text == "a1 b1"
    config = (folder / "wrangler.toml").read_text()
    (folder / "wrangler.toml").write_text(config.replace("a1", "a2"))
    _answers(dev.client, "a2 b1")
    (folder / ".dev.vars").write_text('B = "b2"\n')
    _answers(dev.client, "a2 b2")
    (folder / "wrangler.toml").write_text(config + "oops = = 1\n")
    dev.wait_for("The last good configuration stays in force.")
    assert dev.get("/").text == "a2 b2"


# ---- the end


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_within_a_second(make_worker: MakeWorker, start_dev: StartDev, number: int) -> None:
    source = """
import asyncio
from workers import Response

async def fetch(request, env, ctx):
    ctx.waitUntil(asyncio.sleep(30))
    if request.url.endswith("/hang"):
        print("hanging")
        await asyncio.sleep(30)
    return Response("x")
"""
    dev = start_dev(folder=make_worker("api", source))
    dev.get("/")
    with socket.create_connection(("127.0.0.1", dev.port)) as hanging:
        hanging.sendall(b"GET /hang HTTP/1.1\r\nHost: localhost\r\n\r\n")
        dev.wait_for("still running")
        status, seconds = dev.stop(number)
        assert (status, seconds < 1) == (0, True)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", dev.port))


def test_a_blocked_event_loop_does_not_stop_the_end(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = HELLO.replace(
        "    return",
        '    import time\n    if request.url.endswith("/block"):\n        time.sleep(60)\n    return',
    )
    dev = start_dev(folder=make_worker("api", source, config="[limits]\ncpu_ms = 300000\n"))
    dev.get("/")
    with socket.create_connection(("127.0.0.1", dev.port)) as blocking:
        blocking.sendall(b"GET /block HTTP/1.1\r\nHost: localhost\r\n\r\n")
        before = time.monotonic()
        while dev.process.poll() is None and time.monotonic() - before < 1 and _is_answering(dev.port):
            pass
        status, seconds = dev.stop()
    assert (status, seconds < 2) == (130, True)


def _is_answering(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", timeout=0.2, trust_env=False)
    except httpx.TimeoutException:
        return False
    return True


def test_nothing_is_left_in_the_project_with_memory(
    make_worker: MakeWorker, start_dev: StartDev, tmp_path: Path
) -> None:
    folder = make_worker("api", HELLO)
    before = _files(tmp_path)
    dev = start_dev("--memory", folder=folder)
    dev.get("/")
    dev.stop()
    assert _files(tmp_path) == before


def _files(folder: Path) -> set[str]:
    return {
        str(Path(base, name).relative_to(folder))
        for base, _, names in os.walk(folder)
        for name in names
        if "__pycache__" not in base
    }


# ---- debugging


def test_breakpoint_stops_in_the_worker(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = HELLO.replace("    return", '    answer = 41\n    print("before")\n    breakpoint()\n    return').replace(
        '"hello"', 'f"answer {answer}"'
    )
    dev = start_dev(folder=make_worker("api", source))
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(dev.get("/").text))
    asking.start()
    dev.wait_for("(Pdb) ")
    dev.type("p answer + 1\n")
    dev.wait_for("42")
    dev.type("c\n")
    asking.join(20)
    assert answers == ["answer 41"]


def test_stepping_past_the_end_of_a_handler_ends_the_debugger(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = HELLO.replace("    return", "    breakpoint()\n    await other()\n    answer = 41\n    return").replace(
        '"hello"', 'f"answer {answer}"'
    )
    source += "\nasync def other():\n    import asyncio\n    await asyncio.sleep(0)\n"
    dev = start_dev(folder=make_worker("api", source))
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(dev.get("/").text))
    asking.start()
    for shown in ("-> await other()", "-> answer = 41", "-> return Response("):
        dev.wait_for(shown)
        dev.type("n\n")
    asking.join(20)
    assert answers == ["answer 41"]
    assert "suspension.py" not in dev.text
    # What the server says from now on is its own again, and nothing is stepped through.
    answers.clear()
    again = threading.Thread(target=lambda: answers.append(dev.get("/").text))
    again.start()
    dev.wait_for("-> await other()", times=2)
    dev.type("c\n")
    again.join(20)
    assert answers == ["answer 41"]


# ---- what scripts may rely on


def test_a_reader_that_stops_reading_does_not_stop_the_server(make_worker: MakeWorker, tmp_path: Path) -> None:
    import subprocess

    from dev_process import COMMAND, clean_environ

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
        with httpx.Client(base_url=url.replace("localhost", "127.0.0.1"), trust_env=False) as client:
            for _ in range(100):
                assert client.get("/", timeout=10).text == "hello"
        process.terminate()
        assert process.wait(10) == 0
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
