"""Recordings of the real runtime's `crypto`: the project's own, ``recordings/own/crypto.json``.

Its keys were made for it. What depends on chance (signatures of ECDSA and RSA-PSS) is not recorded but verified.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from interp import RECORDINGS, build_scope, misses, record
from loop_time import run

CASES = json.loads((RECORDINGS / "own" / "crypto.json").read_text())["cases"]
HANG_AFTER_S = 1.0  # one of the promises never settles, in the recording either


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_recorded_crypto_case_answers_as_recorded(case: dict[str, Any]) -> None:
    hang_after_s = HANG_AFTER_S if {"hangs": True} in case["results"] else None
    results = run(record(case["steps"], build_scope({}), hang_after_s=hang_after_s))
    assert misses(case, results) == {}
