"""``pyworkers workflows``: wrangler's verbs, on the state's files and on a running server."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli_call import Done, call
from dev_process import HANG_S, Dev, StartDev

CONFIG = """name = "flows"
main = "entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
workflows = [
    { binding = "ORDERS", name = "orders", class_name = "Orders" },
    { binding = "MAILS", name = "mails", class_name = "Mails" },
]
"""
WORKER = """
from workers import Response, WorkflowEntrypoint

async def fetch(request, env):
    return Response("hello")

class Orders(WorkflowEntrypoint):
    async def run(self, event, step):
        @step.do("charge", config={"retries": {"limit": 1, "delay": 10}})
        async def charge(ctx):
            if event["payload"].get("fails") and ctx["attempt"] == 1:
                raise ValueError("no money yet")
            return {"amount": 5}

        charged = await charge()
        answer = await step.wait_for_event("approval", "approved", timeout="1 hour")
        return [charged, answer["payload"]]

class Mails(WorkflowEntrypoint):
    async def run(self, event, step):
        return "sent"
"""
API = "/cdn-cgi/explorer/api/workflows"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    (tmp_path / "entry.py").write_text(WORKER)
    return tmp_path


@pytest.fixture
def dev(folder: Path, start_dev: StartDev) -> Dev:
    return start_dev("--no-reload", folder=folder)


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A port that nothing listens on, and that nothing else can take meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield str(held.getsockname()[1])


def flows(folder: Path, *args: str, port: str | int) -> Done:
    """Run a command that must succeed."""
    done = call(folder, "workflows", *args, "--port", str(port))
    assert done.status == 0, done
    return done


def wait_for(folder: Path, instance_id: str, status: str, steps: int) -> Any:
    """Wait until an instance has a status, and so many steps; returns what is known of it."""
    deadline = time.monotonic() + HANG_S
    while True:
        done = flows(folder, "instances", "describe", "orders", instance_id, "--json", port=1)
        found = json.loads(done.out)
        if (found["status"], found["step_count"]) == (status, steps):
            return found
        assert time.monotonic() < deadline, found


def test_workflows_of_the_project_are_listed(folder: Path) -> None:
    done = flows(folder, "list", port=1)
    assert done.err == "Showing 2 workflows:\n"
    assert [line.split("│")[1:4] for line in done.out.splitlines() if "│" in line] == [
        [" Name   ", " Script name ", " Class name "],
        [" orders ", " flows       ", " Orders     "],
        [" mails  ", " flows       ", " Mails      "],
    ]
    assert json.loads(flows(folder, "list", "--json", "--page", "2", "--per-page", "1", port=1).out) == [
        {"name": "mails", "class_name": "Mails", "script_name": "flows"}
    ]


def test_instance_is_triggered_described_and_sent_an_event(folder: Path, dev: Dev) -> None:
    done = flows(folder, "trigger", "orders", '{"fails": true}', "--id", "first", port=dev.port)
    assert (done.out, done.err) == ("", '🚀 Workflow instance "first" has been triggered successfully\n')
    found = wait_for(folder, "first", "running", 2)
    assert [step["name"] for step in found["steps"]] == ["charge-1", "approval-1"]
    assert [attempt["success"] for attempt in found["steps"][0]["attempts"]] == [False, True]
    done = flows(
        folder,
        "instances",
        "send-event",
        "orders",
        "latest",
        "--type",
        "approved",
        "--payload",
        '{"by": 1}',
        port=dev.port,
    )
    assert done.err == (
        'Latest instance is "first"\n'
        '📤 The event with type "approved" and payload "{"by": 1}" was sent to the instance "first" from orders\n'
    )
    assert wait_for(folder, "first", "complete", 2)["output"] == [{"amount": 5}, {"by": 1}]
    text = flows(folder, "instances", "describe", "orders", "first", port=1).out
    for line in (
        "Status:        ✅ Completed",
        "  Name:     charge-1",
        "  Type:     🎯 Step",
        '  Output:   {"amount": 5}',
    ):
        assert f"\n{line}\n" in text, text
    assert "ValueError: no money yet" in text
    assert "amount" not in flows(folder, "instances", "describe", "orders", "--no-step-output", port=1).out
    assert "describe: running" not in flows(folder, "describe", "orders", port=1).out


def test_instances_are_paused_resumed_restarted_and_terminated(folder: Path, dev: Dev) -> None:
    flows(folder, "trigger", "orders", "--id", "one", port=dev.port)
    wait_for(folder, "one", "running", 2)
    for action, sign, past, status in (
        ("pause", "⏸️", "paused", "paused"),
        ("resume", "🔄", "resumed", "running"),
        ("restart", "🥷", "restarted", "running"),
        ("terminate", "🥷", "terminated", "terminated"),
    ):
        done = flows(folder, "instances", action, "orders", "one", port=dev.port)
        assert done.err == f'{sign} The instance "one" from orders was {past} successfully\n'
        wait_for(folder, "one", status, 2)
    again = call(folder, "workflows", "instances", "terminate", "orders", "one", "--port", str(dev.port))
    assert (again.status, again.out) == (1, "")
    assert "(instance.cannot_terminate) Cannot terminate instance since its on a finite state" in again.err
    listed = flows(folder, "instances", "list", "orders", "--status", "terminated", port=1)
    assert listed.err == "Showing 1 instance from page 1:\n"
    assert "│ one" in listed.out
    assert "🚫 Terminated" in listed.out


def test_what_is_done_without_a_server_is_done_by_the_next(folder: Path, start_dev: StartDev, silent_port: str) -> None:
    port = silent_port
    done = flows(folder, "trigger", "orders", '{"n": 1}', "--id", "early", port=port)
    state = folder / ".pyworkers" / "state"
    assert done.err == (
        f"No server on port {port}: done in {state}; the next `pyworkers dev` goes on\n"
        '🚀 Workflow instance "early" has been triggered successfully\n'
    )
    flows(folder, "instances", "send-event", "orders", "early", "--type", "approved", port=port)
    flows(folder, "trigger", "orders", "--id", "held", port=port)
    flows(folder, "instances", "pause", "orders", "held", port=port)
    statuses = [row["status"] for row in json.loads(flows(folder, "instances", "list", "orders", "--json", port=1).out)]
    assert statuses == ["paused", "queued"]
    dev = start_dev("--no-reload", folder=folder)
    assert wait_for(folder, "early", "complete", 2)["output"] == [{"amount": 5}, {}]
    assert wait_for(folder, "held", "paused", 0)["steps"] == []
    flows(folder, "delete", "orders", port=dev.port)
    assert json.loads(flows(folder, "describe", "orders", "--json", port=1).out)["instances"]["complete"] == 0


@pytest.mark.parametrize(
    ("args", "status", "text"),
    [
        (["describe", "order"], 2, 'Workflow "order" is not in the workflows of wrangler.toml'),
        (["trigger", "orders", "{"], 2, 'Error while parsing instance parameters: "{" with '),
        (["trigger", "orders", "--id", "not valid"], 1, "WorkflowError: Workflow instance has invalid id"),
        (["instances", "describe", "orders"], 2, 'There are no instances in workflow "orders"'),
        (["instances", "describe", "orders", "x"], 1, "Workflow instance 'x' not found."),
        (["instances", "send-event", "orders", "x"], 2, "pyworkers workflows instances send-event needs --type"),
        (["instances", "list", "orders", "--status", "done"], 2, "'done' is not one of"),
    ],
)
def test_mistakes_are_told(folder: Path, silent_port: str, args: list[str], status: int, text: str) -> None:
    done = call(folder, "workflows", *args, "--port", silent_port)
    assert done.status == status
    assert text in done.err


def test_api_is_for_this_machine_alone(dev: Dev) -> None:
    url = f"http://127.0.0.1:{dev.port}{API}"
    assert httpx.get(url, timeout=120, headers={"Host": "evil.example"}).status_code == 403
    assert (
        httpx.post(f"{url}/mails/instances", timeout=120, headers={"Origin": "http://evil.example"}).status_code == 403
    )
    assert httpx.get(url, timeout=120).json() == {
        "success": True,
        "errors": [],
        "messages": [],
        "result": [
            {"name": "orders", "class_name": "Orders", "script_name": "flows"},
            {"name": "mails", "class_name": "Mails", "script_name": "flows"},
        ],
        "result_info": {"count": 2},
    }


def test_api_answers_failures_in_cloudflares_envelope(dev: Dev) -> None:
    def failure(method: str, path: str, body: str = "") -> tuple[int, Any]:
        answer = httpx.request(method, f"http://127.0.0.1:{dev.port}{API}{path}", content=body)
        envelope = answer.json()
        assert (envelope["success"], envelope["result"], envelope["messages"]) == (False, None, [])
        return answer.status_code, envelope["errors"]

    assert failure("GET", "/none") == (404, [{"code": 10501, "message": "Workflow 'none' not found."}])
    assert failure("GET", "/mails/instances/x") == (
        404,
        [{"code": 10501, "message": "Workflow instance 'x' not found."}],
    )
    assert failure("PATCH", "/mails/instances/x/status", '{"action": "stop"}') == (
        400,
        [{"code": 10001, "message": "Invalid action 'stop'. Must be one of: pause, resume, restart, terminate."}],
    )
    assert failure("POST", "/mails/instances", '{"id": "-"}') == (
        500,
        [{"code": 10001, "message": "WorkflowError: Workflow instance has invalid id"}],
    )
    assert failure("GET", "/mails/instances?page=x") == (
        400,
        [{"code": 10001, "message": 'page: Expected query param to be number but received "x"'}],
    )
    assert failure("PUT", "/mails") == (404, [{"code": 10001, "message": f"No route PUT {API}/mails"}])
