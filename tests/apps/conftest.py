"""The application as its tests run it: its own files, its own configuration, and a model that fits a test."""

import shutil
import sys
from pathlib import Path

import pytest

from pyworkers.testing.tiny_model import write_tiny_model

ROOT = Path(__file__).parents[2]
WORKERS = ROOT / "workers"
# For the tests of the pure parts; each worker's package has a name of its own.
sys.path += [str(WORKERS / "api"), str(WORKERS / "streaming")]

PROJECT = """[tool.pyworkers]
workers = ["workers/*"]

[tool.pyworkers.ai]
engine = "xllamacpp"
default_model = "tiny.gguf"
"""


@pytest.fixture
def worker_config(tmp_path: Path) -> list[Path]:
    """The application in a project whose chat model is the tiny one."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    shutil.copy(ROOT / "wrangler.toml", project)
    (project / "workers").symlink_to(WORKERS)
    write_tiny_model(project / "tiny.gguf")
    return [project / "wrangler.toml"]
