"""Fixtures of the Workflows tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from flow_projects import CONFIG, HEAD, WriteProject, indented


@pytest.fixture
def write_project(tmp_path: Path) -> WriteProject:
    """Write a project whose workflow's ``run`` is the code given; returns its folder."""

    def write(run: str, *, date: str = "2026-04-01", more: str = "", extra: str = "") -> Path:
        folder = tmp_path / "project"
        folder.mkdir(exist_ok=True)
        (folder / "wrangler.toml").write_text(CONFIG.format(date=date, more=more) + extra)
        (folder / "entry.py").write_text(HEAD + indented(run))
        return folder

    return write
