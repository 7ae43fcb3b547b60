"""``breakpoint()`` in a worker."""

from __future__ import annotations

import sys
import threading

from dev_process import HANG_S, HELLO, MakeWorker, StartDev

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
