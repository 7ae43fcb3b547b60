"""Recordings of the real runtime's web platform: Headers, Request, Response, URL, streams, FormData, globals."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from interp import also_accepted, build_scope, load_cases, misses, not_expressible, record

from pyworkers.config.compat import resolve_compat
from pyworkers.js.realm import REALM, Realm

CASES = load_cases("fetchapi")
ACCEPTED = also_accepted()
INEXPRESSIBLE = not_expressible()


async def replay(case: dict[str, Any]) -> list[Any]:
    """Run a case as a worker of the compatibility date that it was recorded with."""
    REALM.set(Realm(compat=resolve_compat("2026-04-01", ("nodejs_compat",))))
    return await record(case["steps"], build_scope({}))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_recorded_fetchapi_case_answers_as_recorded(case: dict[str, Any]) -> None:
    found = misses(case, asyncio.run(replay(case)), accept=ACCEPTED)
    assert {index: lines for index, lines in found.items() if f"{case['id']}#{index}" not in INEXPRESSIBLE} == {}
