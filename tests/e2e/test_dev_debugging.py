"""``breakpoint()`` in a worker."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading

import pytest
from dev_process import COMMAND, HANG_S, HELLO, MakeWorker, StartDev, clean_environ

# From 3.13 on the debugger shows the line of ``breakpoint()`` itself first.
FIRST = ("-> breakpoint()",) if sys.version_info >= (3, 13) else ()


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
    asking.join(HANG_S)
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
    for shown in (*FIRST, "-> await other()", "-> answer = 41", "-> return Response("):
        dev.wait_for(shown)
        dev.type("n\n")
    asking.join(HANG_S)
    assert answers == ["answer 41"]
    assert "suspension.py" not in dev.text
    # What the server says from now on is its own again, and nothing is stepped through.
    answers.clear()
    again = threading.Thread(target=lambda: answers.append(dev.get("/").text))
    again.start()
    dev.wait_for((*FIRST, "-> await other()")[0], times=2)
    dev.type("c\n")
    again.join(HANG_S)
    assert answers == ["answer 41"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_an_interrupt_at_the_prompt_ends_the_server_and_leaves_the_terminal_as_it_was(make_worker: MakeWorker) -> None:
    import pty
    import termios

    folder = make_worker("api", HELLO.replace("    return", "    breakpoint()\n    return"))
    controller, terminal = pty.openpty()
    try:
        before = termios.tcgetattr(terminal)
        server = subprocess.Popen(
            [COMMAND, "dev", "--port", "0"],
            cwd=folder,
            env=clean_environ(),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        text = read_until(controller, "Ready on ", "Ctrl-C")
        port = int(text.split("localhost:")[1].split()[0].partition("\x1b")[0])
        with socket.create_connection(("127.0.0.1", port)) as asking:
            asking.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            read_until(controller, "(Pdb) ")
            server.send_signal(signal.SIGINT)
            assert server.wait(HANG_S) == 130
        read_until(controller, "Ended; a request was stopped in the debugger.")
        assert termios.tcgetattr(terminal) == before  # the prompt had turned the echo off
    finally:
        os.close(controller)
        os.close(terminal)


def read_until(descriptor: int, *wanted: str) -> str:
    """Return what a terminal shows, once all of these were shown."""
    text = ""
    while not all(part in text for part in wanted):
        assert select.select([descriptor], [], [], HANG_S)[0], text
        text += os.read(descriptor, 65_536).decode(errors="replace")
    return text
