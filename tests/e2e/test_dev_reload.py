"""A save replaces the code of a running server."""

from __future__ import annotations

import threading
import time

import httpx
from dev_process import HANG_S, HELLO, SERVICE, MakeWorker, StartDev


def _answers(client: httpx.Client, text: str) -> None:
    """Ask until the answer is ``text``."""
    started_s = time.monotonic()
    while client.get("/").text != text:
        assert time.monotonic() - started_s < HANG_S


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
        answers.append(
            httpx.get(dev.url.replace("localhost", "127.0.0.1") + "/wait", trust_env=False, timeout=HANG_S).text
        )

    asking = threading.Thread(target=ask)
    asking.start()
    dev.wait_for("still running")
    (folder / "entry.py").write_text(source.replace('WORD = "old"', 'WORD = "new"'))
    _answers(dev.client, "now new")
    asking.join(HANG_S)
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
    dev.wait_for("Reloaded api (.dev.vars)")
    (folder / "wrangler.toml").write_text(config + "oops = = 1\n")
    dev.wait_for("The last good configuration stays in force.")
    assert dev.get("/").text == "a2 b2"
