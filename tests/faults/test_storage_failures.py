"""Storage that fails: the worker catches the platform's error, the server lives, and nothing is deleted."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest
from sandboxes import read_only, seen_by, small_disk, small_files
from stored_files import check_files
from victim import Victim, write_project

BINDINGS = ("kv", "d1", "r2")
CAUGHT = "JsException: Error: "
INTERNAL_R2 = "We encountered an internal error. Please try again. (10001)"
DISK_BYTES = 2 * 1024 * 1024
BODY = "0123456789" * 6_000


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


@pytest.fixture
def state(project: Path) -> Path:
    folder = project / ".pyworkers" / "state"
    folder.mkdir(parents=True)
    return folder


@contextmanager
def running(project: Path, *, prefix: Sequence[str] = ()) -> Iterator[Victim]:
    with Victim(project, prefix=prefix) as server:
        yield server
        assert server.process.poll() is None  # whatever happened, it lives


def store_one_of_each(project: Path) -> None:
    """Have a server store a small and a large body under every binding, and end."""
    with Victim(project) as server:
        assert server.ask("POST", "/d1/tables") == (200, "made")
        for binding in BINDINGS:
            for key, body in (("small", "before"), ("large", BODY)):
                assert server.ask("PUT", f"/{binding}/{key}", body.encode()) == (200, "stored")
        assert server.stop() == 0


def contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != ".server")  # which holds a port
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


# ---- a full disk


def fill(server: Victim, binding: str) -> tuple[list[str], tuple[int, str]]:
    """Store bodies until one is refused; return the keys that were acknowledged, and the refusal."""
    stored: list[str] = []
    for number in range(1_000):
        answer = server.ask("PUT", f"/{binding}/{number}", f"{number:04}{BODY}".encode())
        if answer[0] != 200:
            return stored, answer
        stored.append(str(number))
    raise AssertionError("the disk never became full")


FULL = {
    "kv": "KV PUT failed: 500 Internal Server Error",
    "d1": "D1_ERROR: database or disk is full: SQLITE_FULL",
    "r2": f"put: {INTERNAL_R2}",
}
# What the terminal says beside it; D1's error is SQLite's own.
TOLD = {
    "kv": "/kv/namespace.sqlite could not be written: the disk is full; free some space\n",
    "r2": ": No space left on device; check the folder's permissions and the free space\n",
}
# SQLite tells a full disk from a write that is refused for another reason.
REFUSED = {**FULL, "d1": "D1_ERROR: disk I/O error: SQLITE_IOERR (extended: SQLITE_IOERR_WRITE)"}


@pytest.mark.parametrize("binding", BINDINGS)
def test_a_full_disk_is_caught_by_the_worker_and_loses_nothing(
    binding: str, project: Path, state: Path, tmp_path: Path
) -> None:
    with running(project, prefix=small_disk(state, DISK_BYTES)) as server:
        assert server.ask("POST", "/d1/tables") == (200, "made")
        ballast = seen_by(server.process.pid, state) / "ballast"
        ballast.write_bytes(bytes(DISK_BYTES // 4))
        stored, refused = fill(server, binding)
        assert refused == (500, CAUGHT + FULL[binding])
        assert len(stored) > 3
        for key in stored:
            assert server.ask("GET", f"/{binding}/{key}") == (200, f"{int(key):04}{BODY}")
        # Once there is room, it goes on without a restart.
        ballast.unlink()
        assert server.ask("PUT", f"/{binding}/after", b"room") == (200, "stored")
        copy = tmp_path / "copy"
        shutil.copytree(seen_by(server.process.pid, state), copy)
    assert TOLD.get(binding, "") in "".join(server.lines)
    check_files(copy)
    with Victim(project, "--persist-to", str(copy)) as server:
        for key in stored:
            assert server.ask("GET", f"/{binding}/{key}") == (200, f"{int(key):04}{BODY}")
        assert server.ask("GET", f"/{binding}/after") == (200, "room")


@pytest.mark.parametrize("binding", BINDINGS)
def test_a_write_that_the_system_refuses_is_caught_by_the_worker(binding: str, project: Path, state: Path) -> None:
    with running(project, prefix=small_files(300)) as server:
        assert server.ask("POST", "/d1/tables") == (200, "made")
        body = BODY.encode() * 10
        if binding == "r2":  # where a body has a file of its own, only a large one is refused
            stored, refused = [], server.ask("PUT", "/r2/huge", body)
        else:
            stored, refused = fill(server, binding)
        assert refused == (500, CAUGHT + REFUSED[binding])
        for key in stored:
            assert server.ask("GET", f"/{binding}/{key}") == (200, f"{int(key):04}{BODY}")
        assert server.ask("GET", f"/{binding}/huge") == (404, "none")
        assert not list(state.rglob("*.tmp"))
    with running(project) as server:
        check_files(state)
        assert server.ask("PUT", f"/{binding}/huge", body) == (200, "stored")
        assert server.ask("GET", f"/{binding}/huge") == (200, body.decode())
        for key in stored:
            assert server.ask("GET", f"/{binding}/{key}") == (200, f"{int(key):04}{BODY}")


# ---- files that cannot be used

UNUSABLE = {
    "kv": {
        "PUT": "KV PUT failed: 500 Internal Server Error",
        "GET": "KV GET failed: 500 Internal Server Error",
        "DELETE": "KV DELETE failed: 500 Internal Server Error",
    },
    "d1": dict.fromkeys(("PUT", "GET", "DELETE"), "D1_ERROR: {text}"),
    "r2": {"PUT": f"put: {INTERNAL_R2}", "GET": f"get: {INTERNAL_R2}", "DELETE": f"delete: {INTERNAL_R2}"},
}


def assert_unusable(server: Victim, text: str) -> None:
    for binding, messages in UNUSABLE.items():
        for method, message in messages.items():
            answer = server.ask(method, f"/{binding}/small", b"after" if method == "PUT" else None)
            assert answer == (500, CAUGHT + message.format(text=text))


def test_a_read_only_folder_is_caught_by_the_worker(project: Path, state: Path) -> None:
    store_one_of_each(project)
    before = contents(state)
    with running(project, prefix=read_only(state)) as server:
        assert_unusable(server, "Internal error in D1 storage")
    assert contents(state) == before


def test_an_empty_read_only_folder_is_caught_by_the_worker(project: Path, state: Path) -> None:
    with running(project, prefix=read_only(state)) as server:
        assert_unusable(server, "Internal error in D1 storage")
    assert contents(state) == {}


def _garbage(file: Path) -> None:
    file.write_bytes(b"this is no database " * 500)


def _torn_pages(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:4096] + b"\x55" * (len(data) - 4096))


@pytest.mark.parametrize("spoil", [_garbage, _torn_pages])
def test_a_corrupt_file_is_caught_by_the_worker_and_kept(
    spoil: Callable[[Path], None], project: Path, state: Path
) -> None:
    store_one_of_each(project)
    whole = contents(state)
    for file in state.rglob("*.sqlite"):
        spoil(file)
    spoilt = contents(state)
    with running(project) as server:
        assert_unusable(server, "database disk image is malformed: SQLITE_CORRUPT")
    assert {name: data for name, data in contents(state).items() if not name.endswith(("-wal", "-shm"))} == spoilt
    # What the user restores is there again.
    for name, data in whole.items():
        (state / name).write_bytes(data)
    for file in [*state.rglob("*-wal"), *state.rglob("*-shm")]:
        file.unlink()
    with running(project) as server:
        for binding in BINDINGS:
            assert server.ask("GET", f"/{binding}/small") == (200, "before")
            assert server.ask("GET", f"/{binding}/large") == (200, BODY)


def test_an_object_whose_file_is_gone_fails_alone(project: Path, state: Path) -> None:
    store_one_of_each(project)
    [body] = (state / "r2" / "bucket" / "blobs").glob("??/*")
    body.unlink()
    with running(project) as server:
        assert server.ask("GET", "/r2/large") == (500, f"{CAUGHT}get: {INTERNAL_R2}")
        assert server.ask("GET", "/r2/small") == (200, "before")
        assert server.ask("PUT", "/r2/large", b"anew") == (200, "stored")
        assert server.ask("GET", "/r2/large") == (200, "anew")


# ---- a lock of another process

BUSY = {
    "kv": "KV PUT failed: 500 Internal Server Error",
    "d1": "D1_ERROR: database is locked: SQLITE_BUSY",
    "r2": f"put: {INTERNAL_R2}",
}


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Hold the write lock of every database, as a shell with an open transaction does."""
    files = list(state.rglob("*.sqlite"))
    assert len(files) == 3
    shells = [apsw.Connection(str(file)) for file in files]
    try:
        for shell in shells:
            shell.execute("BEGIN IMMEDIATE")
        yield
    finally:
        for shell in shells:
            shell.close()


def test_a_lock_of_another_process_is_caught_by_the_worker_and_delays_nobody_else(project: Path, state: Path) -> None:
    store_one_of_each(project)
    answers: dict[str, tuple[int, str]] = {}
    with running(project) as server:

        def write(binding: str) -> None:
            answers[binding] = server.ask("PUT", f"/{binding}/small", b"after")

        with locked(state):
            writers = [threading.Thread(target=write, args=(binding,)) for binding in BINDINGS]
            for writer in writers:
                writer.start()
            # The writers wait for their locks: others are answered meanwhile.
            for _ in range(3):
                assert server.ask("GET", "/kv/small") == (200, "before")
            assert answers == {}
            for writer in writers:
                writer.join(120)
        assert answers == {binding: (500, CAUGHT + text) for binding, text in BUSY.items()}
        for binding in BINDINGS:
            assert server.ask("GET", f"/{binding}/small") == (200, "before")
            assert server.ask("PUT", f"/{binding}/small", b"after") == (200, "stored")
            assert server.ask("GET", f"/{binding}/small") == (200, "after")
