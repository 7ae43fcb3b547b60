"""What is wrong with a project, a worker, a request or a client gets a clear answer, and nothing is lost."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from dev_process import API, COMMAND, HELLO, SERVICE, STREAMING, MakeWorker, StartDev, run_command

from pyworkers.testing.tiny_model import write_tiny_model


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
    dev = start_dev(folder=make_worker("api", source, config="[limits]\ncpu_ms = 500\n"))
    response = dev.get("/spin")
    assert (response.status_code, response.text.splitlines()[0]) == (503, "error code: 1102")
    assert dev.get("/").text == "hello"


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


def test_wranglers_remote_mode_is_refused_in_one_line(tmp_path: Path) -> None:
    done = run_command(tmp_path, "dev", "--inspector-port", "9229", "--remote")
    expected = 'Error: there is no --remote here: leave it out, or run the command with "npx wrangler" instead\n'
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_a_model_that_is_not_known_is_refused_before_a_download_is_announced(tmp_path: Path) -> None:
    done = run_command(tmp_path, "models", "pull", "nope")
    expected = "Error: there is no model 'nope'\n  pull one of smollm2, or a URL\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


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


def test_a_package_that_is_not_installed_is_shown_with_where_to_install_it(
    make_worker: MakeWorker, start_dev: StartDev
) -> None:
    dev = start_dev(folder=make_worker("api", "import no_such_package.part\n" + HELLO))
    start = dev.lines.index("ModuleNotFoundError: No module named 'no_such_package'")
    assert dev.lines[start + 1].startswith(f"install its package beside pyworkers ({COMMAND.parent}/python")
    assert dev.lines[start + 1].endswith(" -m pip install ...), and save the file again")


def test_a_module_without_a_handler_is_shown(make_worker: MakeWorker, start_dev: StartDev) -> None:
    dev = start_dev(folder=make_worker("api", "x = 1\n"))
    assert (
        "entry.py has no handler: neither a class Default(WorkerEntrypoint) nor a function fetch was found" in dev.text
    )
    assert dev.get("/").status_code == 500


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


def test_a_body_that_is_no_json_is_an_error_of_that_request(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = HELLO.replace("    return", '    if request.method == "POST":\n        await request.json()\n    return')
    dev = start_dev(folder=make_worker("api", source))
    response = dev.client.post("/", content=b"{bad")
    last = response.text.splitlines()[-1]
    assert (response.status_code, last.partition(": ")[0]) == (500, "json.decoder.JSONDecodeError")
    dev.wait_for(last)
    assert dev.get("/").text == "hello"


def test_a_10_mb_header_is_refused_and_the_server_lives_on(make_worker: MakeWorker, start_dev: StartDev) -> None:
    dev = start_dev(folder=make_worker("api", HELLO))
    with socket.create_connection(("127.0.0.1", dev.port)) as client:
        client.sendall(b"GET /big HTTP/1.1\r\nHost: localhost\r\nX-Big: " + b"a" * 10_000_000 + b"\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"HTTP/1.1 431 Request Header Fields Too Large"
    assert body == b"ERROR: Request headers too large."
    dev.wait_for("GET /big 431 refused: Request headers too large.")
    assert dev.get("/").text == "hello"


def test_a_client_that_vanishes_in_mid_request_is_noted(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = HELLO.replace("    return", '    if request.method == "POST":\n        await request.text()\n    return')
    dev = start_dev(folder=make_worker("api", source))
    with socket.create_connection(("127.0.0.1", dev.port)) as client:
        client.sendall(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nsome of it")
    dev.wait_for("POST /upload client left (")
    assert dev.get("/").text == "hello"
    assert "Traceback" not in dev.text


def test_a_truncated_model_is_named_and_the_server_lives_on(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = """
from workers import Response

async def fetch(request, env):
    try:
        await env.AI.run("@cf/meta/llama-3.1-8b-instruct", {"prompt": "Hi"})
    except Exception as error:
        return Response(str(error))
"""
    folder = make_worker("api", source, config='[ai]\nbinding = "AI"\n')
    model = folder / "cut.gguf"
    write_tiny_model(model)
    model.write_bytes(model.read_bytes()[:500_000])
    (folder / "pyproject.toml").write_text('[tool.pyworkers.ai]\nengine = "xllamacpp"\ndefault_model = "cut.gguf"\n')
    dev = start_dev(folder=folder)
    for _ in range(2):
        assert f"the model file {model} is incomplete: it has 500000 bytes" in dev.get("/").text


def test_a_worker_without_a_default_entrypoint_is_warned_of(make_worker: MakeWorker, start_dev: StartDev) -> None:
    dev = start_dev(folder=make_worker("api", STREAMING.replace("Default", "Backend")))
    expected = (
        "api: answers no request from outside: found the entrypoint Backend, expected a class Default or a function "
        "fetch; name one of the classes Default"
    )
    assert expected in dev.lines
    assert dev.get("/").text == "Error: Handler does not export a fetch() function."
