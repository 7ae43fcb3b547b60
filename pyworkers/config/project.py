"""Find the workers that one command runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pyworkers.clock import Clock
from pyworkers.config.model import Project


def load_project(
    folder: Path,
    configs: Sequence[Path] = (),
    *,
    environment: str | None = None,
    env_files: Sequence[Path] = (),
    allow_unknown: bool = False,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> Project:
    """Load a project from ``folder`` (or from ``configs``, the first of which is primary).

    Raises:
        ConfigError: a file is missing or wrong.
    """
    raise FileNotFoundError(folder)
