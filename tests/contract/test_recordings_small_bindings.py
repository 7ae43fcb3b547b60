"""Recordings of the real local runtime's small bindings and global functions, replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from interp import build_scope, load_cases, record
from loop_time import run
from replay import own_cases, verdict

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.js.realm import REALM
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

GROUPS = ("misc.ratelimit.", "misc.env.version", "misc.secrets.", "misc.hyperdrive.")
CASES = [case for case in load_cases("misc") if case["id"].startswith(GROUPS)] + own_cases("misc")
CONFIG = """
name = "recorded"
main = "entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers", "nodejs_compat"]
version_metadata = { binding = "VERSION" }
vars = { TEXT = "plain", JSONV = { a = [1] }, NUM = 5 }
analytics_engine_datasets = [{ binding = "AE", dataset = "ds" }]
ratelimits = [
    { name = "RL", namespace_id = "1", simple = { limit = 2, period = 10 } },
    { name = "RLMIN", namespace_id = "2", simple = { limit = 3, period = 60 } },
]
secrets_store_secrets = [
    { binding = "SEC", store_id = "s1", secret_name = "one" },
    { binding = "SECMISSING", store_id = "s1", secret_name = "none" },
]

[[hyperdrive]]
binding = "HD"
id = "hd"
localConnectionString = "postgres://us%20er:p%40ss@127.0.0.1:5432/db_name"

[[hyperdrive]]
binding = "HDMY"
id = "hdmy"
localConnectionString = "mysql://root:secret@db.example:3307/shop"
"""


async def replay(case: dict[str, Any], folder: Path) -> list[Any]:
    (folder / "entry.py").write_text("async def fetch(request, env): ...\n")
    (folder / "wrangler.toml").write_text(CONFIG)
    (folder / ".dev.vars").write_text("one='s3cret välue'\n")
    clock = ManualClock()
    project = load_project(folder, [folder / "wrangler.toml"])
    async with Runtime(project, Stores(None, project, clock), clock=clock) as runtime:
        isolate = runtime.primary
        token = REALM.set(isolate.realm)
        try:
            return await record(case["steps"], build_scope(isolate.env.own_properties()))
        finally:
            REALM.reset(token)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_recorded_case_of_a_small_binding_answers_as_recorded(case: dict[str, Any], tmp_path: Path) -> None:
    assert verdict(case, "misc", run(replay(case, tmp_path)), engine="runtime") == {}
