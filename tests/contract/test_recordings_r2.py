"""Recordings of the real runtime's R2, replayed inside an isolate on every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from replay import cases_of, replay

from pyworkers.engines.r2.moto_engine import MotoR2Engine


@pytest.mark.parametrize("case", cases_of("r2"))
def test_recorded_r2_case_answers_as_recorded(case: dict[str, Any], tmp_path: Path) -> None:
    assert replay(case, "r2", lambda: MotoR2Engine(tmp_path / "bucket"), engine="moto") == {}
