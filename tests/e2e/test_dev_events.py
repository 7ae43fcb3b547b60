"""``pyworkers dev`` and the commands beside it: queues, cron triggers, e-mail and tail in a real process."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from cli_call import call, printed
from dev_process import COMMAND, HANG_S, Dev, MakeWorker, StartDev, clean_environ

WORKER = """
import js
from workers import Response


async def fetch(request, env):
    if request.method == "POST":
        await env.JOBS.send(await request.text())
    print("asked for", request.url.rpartition("/")[2])
    return Response("ok", status=404 if request.url.endswith("missing") else 200)


async def queue(batch, env, ctx):
    print("got", [message.body for message in batch.messages])


async def scheduled(controller, env, ctx):
    print("cron", controller.cron, controller.scheduledTime)
    if controller.cron == "throw":
        raise ValueError("boom")


async def email(message, env, ctx):
    print("mail for", message.to)
    await message.forward("other@example.com")
    if "reject" in message.to:
        await message.setReject("no such person")
"""
CONFIG = """
triggers = { crons = ["*/5 * * * *", "0 0 1 1 *"] }
send_email = [{ name = "MAIL" }]
[[queues.producers]]
binding = "JOBS"
queue = "jobs"
[[queues.consumers]]
queue = "jobs"
max_batch_timeout = 0
"""
MESSAGE = "From: a@example.com\r\nTo: b@example.com\r\nSubject: Hi\r\nMessage-ID: <m1@example.com>\r\n\r\nbody\r\n"


@pytest.fixture
def folder(make_worker: MakeWorker) -> Path:
    return make_worker("events", WORKER, config=CONFIG)


@pytest.fixture
def dev(folder: Path, start_dev: StartDev) -> Dev:
    return start_dev(folder=folder)


def test_the_start_shows_queues_and_when_triggers_are_due(dev: Dev) -> None:
    table = [line.split() for line in dev.lines]
    assert ["JOBS", "queue", "jobs", "sqlite,", ".pyworkers/state"] in table
    assert ["MAIL", "e-mail", "what", "is", "sent", "is", "kept", "in", ".pyworkers/state/email"] in table
    due = next(words for words in table if words[:2] == ["-", "cron"] and "0" in words)
    assert due[2:7] == ["0", "0", "1", "1", "*"]
    assert due[7] == "next"
    assert due[8].endswith("-01-01")
    assert due[9:] == ["00:00", "UTC"]


def test_a_message_is_delivered_and_shown(dev: Dev, folder: Path) -> None:
    dev.client.post("/", content="hello")
    lines = dev.wait_for("got ['hello']").splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("QUEUE jobs (1) 200 ("))
    assert lines[at + 1] == "    got ['hello']"
    sent = printed(folder, "queues", "send", "jobs", '{"from": "outside"}')
    assert sent.startswith("Sent message ")
    dev.wait_for("got [{'from': 'outside'}]")
    assert "jobs" in printed(folder, "queues", "list")
    assert call(folder, "queues", "send", "job", "1").status == 2


def test_cron_run_uses_the_running_server_and_works_without_one(dev: Dev, folder: Path) -> None:
    out = printed(folder, "cron", "run", "*/5 * * * *", "--time", "1000", "--port", str(dev.port))
    assert out == 'Ran the scheduled handler of events for "*/5 * * * *".\n'
    dev.wait_for("cron */5 * * * * 1000")
    failed = call(folder, "cron", "run", "throw", "--port", str(dev.port))
    assert (failed.status, failed.err.splitlines()[0]) == (1, "Error: the scheduled handler of events failed")
    dev.stop()
    out = printed(folder, "cron", "run", "0 0 1 1 *", "--time", "2026-01-01", "--port", str(dev.port))
    assert out == 'cron 0 0 1 1 * 1767225600000\nRan the scheduled handler of events for "0 0 1 1 *".\n'
    listed = printed(folder, "cron", "list")
    assert "*/5 * * * *" in listed
    assert call(folder, "cron", "run").status == 2


def test_e_mail_is_delivered_and_what_is_forwarded_kept(dev: Dev, folder: Path) -> None:
    path = "/cdn-cgi/handler/email?from=a@example.com&to="
    answer = dev.client.post(f"{path}b@example.com", content=MESSAGE)
    assert (answer.status_code, answer.text) == (200, "Worker successfully processed email")
    answer = dev.client.post(f"{path}reject@example.com", content=MESSAGE)
    reason = "Worker rejected email with the following reason: no such person"
    assert (answer.status_code, answer.text) == (400, reason)
    kept = list((folder / ".pyworkers" / "state" / "email").glob("*-forward-*.eml"))
    assert [file.read_bytes().decode() for file in kept] == [MESSAGE, MESSAGE]


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        ([], ["/first", "/missing", "/second"]),
        (["--search", "second"], ["/second"]),
        (["--method", "POST"], []),
        (["--header", "x-mark:1"], ["/second"]),
        (["--header", "x-mark", "--status", "ok", "--ip", "self"], ["/second"]),
    ],
)
def test_tail_shows_the_events_that_are_asked_for(dev: Dev, folder: Path, filters: list[str], shown: list[str]) -> None:
    tail = subprocess.Popen(
        [COMMAND, "tail", "--port", str(dev.port), "--format", "json", *filters],
        cwd=folder,
        env=clean_environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tail.stderr is not None
    assert tail.stdout is not None
    assert tail.stderr.readline() == f"Connected to port {dev.port}, waiting for events ...\n"
    try:
        for path, headers in (("/first", {}), ("/missing", {}), ("/second", {"x-mark": "1"})):
            dev.get(path, headers=headers)
        dev.client.post("/the-second-is-shown", content="x", headers={"x-mark": "1"})  # whatever is asked for
        assert list(paths_until("the-second-is-shown", tail.stdout)) == [path.removeprefix("/") for path in shown]
    finally:
        tail.send_signal(signal.SIGINT)
        try:
            tail.communicate(timeout=HANG_S)
        finally:
            tail.kill()


def paths_until(last: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield the paths of the requests that are shown before one."""
    text = ""
    for line in lines:
        text += line
        if line != "}\n":
            continue
        event, text = json.loads(text)["event"], ""
        path = event["request"]["url"].rpartition("/")[2] if "request" in event else None
        if path == last:
            return
        if path is not None:
            yield path


def test_messages_are_pulled_over_http(make_worker: MakeWorker, start_dev: StartDev) -> None:
    config = CONFIG.replace('queue = "jobs"\nmax_batch_timeout = 0', 'queue = "jobs"\ntype = "http_pull"')
    dev = start_dev(folder=make_worker("pulled", WORKER, config=config))
    root = "/cdn-cgi/client/v4/accounts/any/queues/jobs/messages"
    dev.client.post("/", content="one")
    assert dev.client.post(f"{root}", json={"body": "two", "content_type": "text"}).json()["success"]
    pulled = dev.client.post(f"{root}/pull", json={"batch_size": 10, "visibility_timeout_ms": 60_000}).json()
    assert pulled["success"] is True
    first, second = pulled["result"]["messages"]
    assert (base64.b64decode(first["body"]), first["metadata"]["CF-Content-Type"]) == (b'"one"', "json")
    assert (second["body"], second["attempts"]) == ("two", 1)
    body = {"acks": [{"lease_id": first["lease_id"]}], "retries": [{"lease_id": second["lease_id"]}]}
    acked = dev.client.post(f"{root}/ack", json=body).json()
    assert acked["result"] == {"ackCount": 1, "retryCount": 1, "warnings": {}}
    again = dev.client.post(f"{root}/pull", json={}).json()["result"]["messages"]
    assert [(message["body"], message["attempts"]) for message in again] == [("two", 2)]
    refused = dev.client.post(f"{root}/pull", json={"batch_size": "x"})
    assert (refused.status_code, refused.json()["errors"]) == (
        400,
        [{"code": 10026, "message": "batch_size: expected a whole number of 0 to 100"}],
    )
