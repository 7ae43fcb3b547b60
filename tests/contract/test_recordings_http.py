"""Recorded HTTP requests, replayed as raw bytes through both fronts: wrangler's and the bare runtime's."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from http_client import exchange
from interp import load_cases
from replay import OWN, verdict
from served_project import serve_project

from pyworkers.clock import SystemClock
from pyworkers.server.front import Front

WORKER = Path(__file__).parent / "http_worker"


def cases(area: str) -> list[Any]:
    """Return the area's cases, with their numbers in the paths of their requests; the project's own ones too."""
    own = json.loads((OWN / f"{area}.json").read_text())["cases"]
    found = [(case, _number_of(case)) for case in load_cases(area)]
    found += [(case, str(number)) for number, case in enumerate(own)]
    return [pytest.param(case, number, id=case["id"]) for case, number in found]


def _number_of(case: dict[str, Any]) -> str:
    number = re.search(r"/p/(\d+)", json.dumps(case["results"]))
    return number[1] if number else "0"


async def replay(case: dict[str, Any], number: str, folder: Path, front: Front) -> list[Any]:
    async with serve_project(folder, clock=SystemClock(), front=front, captures=True) as served:
        served.runtime.primary.namespace.load("entry").PROGRAM = case["program"]
        return [await exchange(served.port, step, number) for step in case["steps"]]


def masked(case: dict[str, Any], results: list[Any]) -> list[Any]:
    """Put a recorded ``<number>`` in place of the length of a text that holds a stack."""
    for recorded, actual in zip(case["results"], results, strict=True):
        for expected, found in zip(_answers(recorded), _answers(actual), strict=False):
            if ["Content-Length", "<number>"] in expected.get("headers", []):
                for header in found.get("headers", []):
                    if header[0] == "Content-Length" and header[1].isdigit():
                        header[1] = "<number>"
    return results


def _answers(result: dict[str, Any]) -> list[dict[str, Any]]:
    return result["ok"] if isinstance(result["ok"], list) else [result["ok"]]


@pytest.mark.parametrize(("case", "number"), cases("http_dev"))
def test_what_wrangler_dev_shows(case: dict[str, Any], number: str) -> None:
    results = asyncio.run(replay(case, number, WORKER, Front()))
    assert verdict(case, "http_dev", masked(case, results), engine="wrangler") == {}


@pytest.mark.parametrize(("case", "number"), cases("http"))
def test_what_the_bare_runtime_shows(case: dict[str, Any], number: str, tmp_path: Path) -> None:
    folder = WORKER
    if case["id"] == "http.special.nofetch":
        folder = tmp_path
        (folder / "wrangler.toml").write_text((WORKER / "wrangler.toml").read_text())
        (folder / "entry.py").write_text("async def scheduled(controller, env, ctx):\n    pass\n")
    results = asyncio.run(replay(case, number, folder, Front(is_wrangler=False)))
    assert verdict(case, "http", masked(case, results), engine="runtime") == {}
