"""Commands find the server that uses the same data, and a second server says that there is another."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from dev_process import MakeWorker, StartDev, run_command

from pyworkers.server.running import Claim, running_port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")

WORKER = """
from workers import Response, WorkerEntrypoint, WorkflowEntrypoint

class Orders(WorkflowEntrypoint):
    async def run(self, event, step):
        return "done"

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("x")

    async def scheduled(self, controller, env, ctx):
        print("scheduled here")
"""
CONFIG = """[triggers]
crons = ["0 0 1 1 *"]
[[workflows]]
name = "orders"
binding = "ORDERS"
class_name = "Orders"
"""


def test_a_command_finds_the_server_on_any_port(make_worker: MakeWorker, start_dev: StartDev) -> None:
    folder = make_worker("api", WORKER, config=CONFIG)
    dev = start_dev(folder=folder)
    assert running_port(folder / ".pyworkers" / "state") == dev.port
    done = run_command(folder, "workflows", "trigger", "orders")
    assert (done.returncode, "No server" in done.stderr) == (0, False)
    dev.wait_for("WORKFLOW orders/")
    assert run_command(folder, "cron", "run").returncode == 0
    dev.wait_for("scheduled here")
    dev.stop()
    assert running_port(folder / ".pyworkers" / "state") is None


def test_a_second_server_on_the_same_data_is_warned_of(make_worker: MakeWorker, start_dev: StartDev) -> None:
    folder = make_worker("api", WORKER, config=CONFIG)
    first = start_dev(folder=folder)
    second = start_dev(folder=folder)
    state = folder / ".pyworkers" / "state"
    warning = f"Another pyworkers dev, on port {first.port}, uses {state} too: end it, or pass --persist-to"
    assert warning in second.lines
    assert warning not in first.lines


def test_a_folder_is_marked_by_one_server_at_a_time(tmp_path: Path) -> None:
    first, second = Claim(tmp_path), Claim(tmp_path)
    assert (running_port(tmp_path), first.take(1234), second.take(5678), running_port(tmp_path)) == (
        None,
        None,
        1234,
        1234,
    )
    first.release()
    first.release()
    assert (running_port(tmp_path), second.take(56), running_port(tmp_path)) == (None, None, 56)
    second.release()


def test_a_folder_that_is_not_there_is_made_only_where_it_is_needed(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    claim = Claim(folder)
    assert claim.take(1) is None
    assert not folder.exists()
    assert claim.take(1, makes=True) is None
    assert running_port(folder) == 1
    claim.release()
    assert Claim(None).take(1) is None
