"""Recordings of the real local runtime's ``send_email`` and Images bindings, replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from interp import Interpreter, build_scope, load_cases
from loop_time import run
from replay import verdict

from pyworkers.bindings.email import EmailMessage
from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.js.realm import REALM
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

GROUPS = ("misc.email.", "misc.images.")
CASES = [case for case in load_cases("misc") if case["id"].startswith(GROUPS)]
CONFIG = """
name = "recorded"
main = "entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
send_email = [
    { name = "MAIL" },
    { name = "MAILDEST", destination_address = "only@example.com" },
    { name = "MAILALLOW", allowed_destination_addresses = ["b@example.com"] },
]

[images]
binding = "IMAGES"
"""


async def replay(case: dict[str, Any], folder: Path) -> list[Any]:
    (folder / "entry.py").write_text("async def fetch(request, env): ...\n")
    (folder / "wrangler.toml").write_text(CONFIG)
    clock = ManualClock()
    project = load_project(folder, [folder / "wrangler.toml"], environ={})
    async with Runtime(project, Stores(None, project, clock), clock=clock) as runtime:
        isolate = runtime.primary
        token = REALM.set(isolate.realm)
        try:
            interpreter = Interpreter({"emailMessage": EmailMessage.constructor.new})
            return await interpreter.record(case["steps"], build_scope(isolate.env.own_properties()))
        finally:
            REALM.reset(token)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_recorded_case_of_email_answers_as_recorded(case: dict[str, Any], tmp_path: Path) -> None:
    assert verdict(case, "misc", run(replay(case, tmp_path)), engine="runtime") == {}
