"""Recordings of the real runtime's R2, replayed inside an isolate on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from replay import cases_of, replay
from s3_endpoint import Endpoint, run_endpoint

from pyworkers.engines.r2.moto_engine import MotoR2Engine
from pyworkers.engines.r2.s3_engine import S3R2Engine


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    yield from run_endpoint(tmp_path_factory.mktemp("endpoint"))


@pytest.mark.parametrize("case", cases_of("r2"))
def test_recorded_r2_case_answers_as_recorded(case: dict[str, Any], tmp_path: Path) -> None:
    assert replay(case, "r2", lambda: MotoR2Engine(tmp_path / "bucket"), engine="moto") == {}


@pytest.mark.parametrize("case", cases_of("r2"))
def test_recorded_r2_case_answers_as_recorded_on_an_s3_endpoint(case: dict[str, Any], endpoint: Endpoint) -> None:
    bucket = endpoint.new_bucket()
    assert replay(case, "r2", lambda: S3R2Engine(endpoint.settings, bucket), engine="s3") == {}
