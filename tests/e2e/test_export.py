"""``pyworkers export``: what it writes, and that the result behaves as the worker it deploys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dev_process import StartDev, run_command

MakeWorker = Callable[..., Path]

MODULE = """
from workers import DurableObject, Response

class Counter(DurableObject):
    pass

async def fetch(request, env, ctx):
    return Response(f"{request.method} {env.MODE} {type(ctx).__name__ != 'NoneType'}")

async def scheduled(controller):
    print("cron", controller.cron)
"""

ENTRY = '''"""Deploys entry.py to Cloudflare; written by `pyworkers export`."""

from workers import WorkerEntrypoint

import entry
from entry import Counter  # noqa: F401  # found here by the platform


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await entry.fetch(request, self.env, self.ctx)

    async def scheduled(self, controller, env=None, ctx=None):
        return await entry.scheduled(controller)
'''

VARS = '[vars]\nMODE = "test"\n'


def test_the_entry_calls_the_modules_handlers(make_worker: MakeWorker) -> None:
    folder = make_worker("api", MODULE, config=VARS)
    done = run_command(folder, "export")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f'Wrote {folder}/entry_deploy.py\nTo deploy, set this in wrangler.toml:  main = "entry_deploy.py"\n'
    )
    assert (folder / "entry_deploy.py").read_text() == ENTRY


def test_the_entry_runs_as_the_module_does(make_worker: MakeWorker, start_dev: StartDev) -> None:
    folder = make_worker("api", MODULE, config=VARS)
    before = start_dev(folder=folder).get("/").text
    run_command(folder, "export")
    config = (folder / "wrangler.toml").read_text()
    (folder / "wrangler.toml").write_text(config.replace('main = "entry.py"', 'main = "entry_deploy.py"'))
    dev = start_dev(folder=folder)
    assert dev.get("/").text == before == "GET test True"
    assert dev.get("/cdn-cgi/handler/scheduled?cron=a").text == "ok"
    dev.wait_for("    cron a")


def test_handlers_that_are_not_async_are_awaited_if_need_be(make_worker: MakeWorker, start_dev: StartDev) -> None:
    source = """
from workers import Response

async def answer():
    return Response("later")

def fetch(request, env):
    return answer() if request.url.endswith("/later") else Response("now")
"""
    folder = make_worker("api", source)
    run_command(folder, "export", "--output", "main.py")
    config = (folder / "wrangler.toml").read_text()
    (folder / "wrangler.toml").write_text(config.replace('main = "entry.py"', 'main = "main.py"'))
    dev = start_dev(folder=folder)
    assert (dev.get("/").text, dev.get("/later").text) == ("now", "later")


def test_a_class_style_worker_needs_no_entry(make_worker: MakeWorker) -> None:
    folder = make_worker("api", "from workers import WorkerEntrypoint\n\nclass Default(WorkerEntrypoint):\n    pass\n")
    done = run_command(folder, "export")
    assert (done.returncode, done.stdout) == (0, "entry.py has a class Default: it deploys as it is.\n")
    assert not (folder / "entry_deploy.py").exists()


def test_a_file_of_someone_elses_is_not_overwritten(make_worker: MakeWorker) -> None:
    folder = make_worker("api", MODULE)
    target = folder / "entry_deploy.py"
    target.write_text("mine\n")
    done = run_command(folder, "export")
    expected = f"Error: {target} exists and was not written by export\n  pass --force, or another --output\n"
    assert (done.returncode, done.stderr, target.read_text()) == (2, expected, "mine\n")
    assert run_command(folder, "export", "--force").returncode == 0
    assert run_command(folder, "export").returncode == 0  # its own file it may write again


def test_a_module_without_handlers_is_an_error(make_worker: MakeWorker) -> None:
    folder = make_worker("api", "x = 1\n")
    done = run_command(folder, "export")
    assert done.returncode == 2
    assert done.stderr == (
        "Error: api: entry.py has no handler: neither a class Default(WorkerEntrypoint) nor a function fetch\n"
        f"  in {folder}/entry.py\n"
        "  add `async def fetch(request, env): ...`\n"
    )


def test_a_syntax_error_is_shown_with_its_line(make_worker: MakeWorker) -> None:
    folder = make_worker("api", "x = 1\ndef f(:\n")
    done = run_command(folder, "export")
    assert done.returncode == 2
    assert done.stderr == f"Error: api: SyntaxError: invalid syntax\n  at {folder}/entry.py:2\n  mend it first\n"
