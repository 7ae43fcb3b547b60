"""What the terminal shows of errors that no request carries, and of handlers that cannot be called."""

from __future__ import annotations

import socket

from dev_process import MakeWorker, StartDev

WORKER = """
import asyncio
import logging
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = request.url.rpartition("/")[2]
        if path == "task":
            asyncio.get_running_loop().create_task(self.fails())
        if path == "log":
            try:
                await self.env.KV.put("key", "value", expirationTtl=1)
            except Exception:
                logging.exception("not stored")
        return Response(path)

    async def fails(self):
        raise ValueError("nobody waits")

    async def scheduled(self, controller):
        print("never")
"""
FETCHER = """
from workers import Response, WorkerEntrypoint, fetch

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        try:
            return await fetch("ORIGIN/path?token=secret")
        except Exception as error:
            return Response(str(error))
"""
KV = '[[kv_namespaces]]\nbinding = "KV"\nid = "kv"\n'
WRONG = (
    "api: scheduled(self, controller) cannot be called: it is passed (controller, env, ctx); "
    "write async def scheduled(self, controller, env, ctx)"
)


def test_a_handler_that_takes_too_little_is_warned_of_at_the_start_and_at_a_reload(
    make_worker: MakeWorker, start_dev: StartDev
) -> None:
    folder = make_worker("api", WORKER, config=KV)
    dev = start_dev(folder=folder)
    assert dev.lines.count(WRONG) == 1
    assert dev.get("/cdn-cgi/handler/scheduled").status_code == 500
    dev.wait_for("    TypeError: Default.scheduled() takes 2 positional arguments but 4 were given")
    assert "Traceback" not in dev.text
    (folder / "entry.py").write_text(WORKER + "# saved\n")
    dev.wait_for(WRONG, times=2)


def test_a_task_that_nobody_awaits_is_shown_with_the_workers_frames_alone(
    make_worker: MakeWorker, start_dev: StartDev
) -> None:
    folder = make_worker("api", WORKER, config=KV)
    dev = start_dev(folder=folder)
    dev.get("/task")
    dev.wait_for("ValueError: nobody waits")
    start = dev.lines.index("Task exception was never retrieved")
    assert dev.lines[start + 1 : start + 4] == [
        "Traceback (most recent call last):",
        f'  File "{folder}/entry.py", line 19, in fails',
        '    raise ValueError("nobody waits")',
    ]


def test_what_a_worker_logs_of_an_error_has_no_frames_of_ours(make_worker: MakeWorker, start_dev: StartDev) -> None:
    folder = make_worker("api", WORKER, config=KV)
    dev = start_dev(folder=folder)
    dev.get("/log")
    dev.wait_for("GET /log 200")
    dev.wait_for("Invalid expiration_ttl of 1")
    assert f'File "{folder}/entry.py", line 13, in fetch' in dev.text
    assert "site-packages/pyworkers" not in dev.text
    assert "pyworkers/js/" not in dev.text


def test_why_a_fetch_failed_is_told_under_the_requests_line(make_worker: MakeWorker, start_dev: StartDev) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        origin = f"http://127.0.0.1:{taken.getsockname()[1]}"
        worker = FETCHER.replace("ORIGIN", origin)
        dev = start_dev(folder=make_worker("api", worker))
        assert dev.get("/x").text == "Network connection lost."
        dev.wait_for(f"    fetch from {origin} failed: ")
