"""What ``pyworkers dev`` says and does when it starts."""

from __future__ import annotations

import socket
from pathlib import Path

from dev_process import HELLO, READY, MakeWorker, StartDev, run_command


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


def test_the_version_is_printed(tmp_path: Path) -> None:
    from pyworkers._version import __version__

    assert run_command(tmp_path, "--version").stdout == f"pyworkers {__version__}\n"


def test_a_binding_that_is_not_emulated_is_marked_at_start(make_worker: MakeWorker, start_dev: StartDev) -> None:
    config = '[[vectorize]]\nbinding = "INDEX"\nindex_name = "words"\n'
    dev = start_dev(folder=make_worker("api", HELLO, config=config))
    assert "  INDEX  Vectorize  not emulated yet: its use throws; see docs/gaps.md\n" in dev.text


def test_keys_that_only_concern_the_deployment_are_not_spoken_of(make_worker: MakeWorker, start_dev: StartDev) -> None:
    keys = '"$schema" = "x.json"\naccount_id = "1"\nkeep_vars = true\npreview_urls = false\nlogpush = true\n'
    dev = start_dev(folder=make_worker("api", HELLO, config=keys))
    assert [line for line in dev.lines if "no local effect" in line] == [
        'api: "logpush" has no local effect: nothing leaves this machine'
    ]


def test_the_folder_may_be_named(make_worker: MakeWorker, start_dev: StartDev, tmp_path: Path) -> None:
    folder = make_worker("api", HELLO)
    dev = start_dev("--cwd", str(folder.relative_to(tmp_path)), folder=tmp_path)
    assert dev.get("/").text == "hello"
    done = run_command(tmp_path, "dev", "--cwd", "nowhere")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        "Error: invalid value for '--cwd': Directory 'nowhere' does not exist",
    )
