"""Recordings of the real local server's static assets, replayed over HTTP against workers in Python."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from http_client import exchange
from interp import RECORDINGS
from replay import verdict
from served_project import serve_project

from pyworkers.clock import ManualClock

FILES = [RECORDINGS / "assets.public.json", RECORDINGS / "own" / "assets.json"]
RECORDED = [json.loads(path.read_text()) for path in FILES]
WORKER = """
from js import URL, Headers, Request, Response

async def fetch(request, env):
    url = URL.new(request.url)
    if not url.pathname.startswith("/via"):
        return Response.new(f"worker {request.method} {url.pathname}", headers=Headers.new([["x-worker", "1"]]))
    url.pathname = url.pathname[4:] or "/"
    found = (await env.ASSETS.fetch(Request.new(url.href, request.js_object))).js_object
    headers = Headers.new(found.headers)
    headers.set("x-via", "worker")
    headers.set("x-asset-url", URL.new(found.url).pathname)
    return Response.new(found.body, status=found.status, headers=headers)
"""


@pytest.fixture
def fixture(tmp_path: Path) -> Path:
    shutil.copytree(Path(__file__).parent / "assets_fixture" / "public", tmp_path / "public")
    (tmp_path / "public" / "big.bin").write_bytes(b"z" * 100_000)
    return tmp_path


def write_config(folder: Path, config: Mapping[str, Any]) -> Path:
    values = {"name": "assets", "compatibility_date": "2026-04-01", **config}
    if "main" in values:
        values["main"] = "entry.py"
        (folder / "entry.py").write_text(WORKER)
    (folder / "wrangler.json").write_text(json.dumps(values))
    return folder / "wrangler.json"


async def replay(case: Mapping[str, Any], config_path: Path) -> list[Any]:
    async with serve_project(config_path.parent, [config_path], clock=ManualClock()) as served:
        results: list[Any] = []
        etag = ""
        for step in case["steps"]:
            prefix = {"weak": "W/", True: ""}.get(step.get("useEtag"))
            extra = [] if prefix is None or not etag else [["If-None-Match", prefix + etag]]
            result = await exchange(served.port, {**step, "headers": [*step["headers"], *extra]}, "0")
            etag = next((value for name, value in result["ok"].get("headers", ()) if name == "ETag"), etag)
            results.append(result)
    return results


def lay_over(public: Path, files: Mapping[str, str | None]) -> None:
    """Put a configuration's own files over the fixture's; None removes one."""
    for name, text in files.items():
        if text is None:
            (public / name).unlink()
        else:
            (public / name).parent.mkdir(parents=True, exist_ok=True)
            (public / name).write_text(text)


@pytest.mark.parametrize(
    ("case", "config"),
    [pytest.param(case, one["configs"][case["config"]], id=case["id"]) for one in RECORDED for case in one["cases"]],
)
def test_recorded_assets_case_answers_as_recorded(case: dict[str, Any], config: dict[str, Any], fixture: Path) -> None:
    lay_over(fixture / "public", config.get("files", {}))
    config_path = write_config(fixture, {name: value for name, value in config.items() if name != "files"})
    assert verdict(case, "assets", asyncio.run(replay(case, config_path)), engine="wrangler") == {}
