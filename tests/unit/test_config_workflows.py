"""What may be written in ``[[workflows]]``."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyworkers.config import load_worker
from pyworkers.config.model import WorkerConfig
from pyworkers.errors import ConfigError


def load(folder: Path, name: str, more: str = "") -> WorkerConfig:
    (folder / "entry.py").write_text("")
    (folder / "wrangler.toml").write_text(
        'name = "a"\ncompatibility_date = "2026-01-01"\nmain = "entry.py"\n'
        'compatibility_flags = ["python_workers"]\n[[workflows]]\nbinding = "WF"\n'
        f'name = "{name}"\nclass_name = "Flow"\n{more}'
    )
    return load_worker(folder / "wrangler.toml")


@pytest.mark.parametrize("name", ["", "-a", "a b", "é", "x" * 65, "a.b"])
def test_name_that_cannot_be_deployed_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, name)
    assert caught.value.message == (
        '"workflows[0]" binding "name" field is invalid. Workflow names must be 1-64 characters long, start with a '
        "letter, number, or underscore, and may only contain letters, numbers, underscores, or hyphens."
    )
    assert caught.value.line == 7


@pytest.mark.parametrize("name", ["a", "_a", "0-a", "x" * 64])
def test_other_names_are_taken(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, name).workflows[0].name == name


@pytest.mark.parametrize("steps", ["0", "-1", '"5"', "true", "1.5"])
def test_step_limit_is_a_positive_integer(tmp_path: Path, steps: str) -> None:
    with pytest.raises(ConfigError, match=r'"limits\.steps" field must be a positive integer but got '):
        load(tmp_path, "flow", f"limits = {{ steps = {steps} }}")


def test_step_limit_over_the_platforms_is_warned_of(tmp_path: Path) -> None:
    assert load(tmp_path, "flow", "limits = { steps = 25001 }").warnings == (
        '"workflows[0]" has a step limit of 25001, which exceeds the production maximum of 25,000. '
        "This configuration may not work when deployed.",
    )
    assert load(tmp_path, "flow", "limits = { steps = 25000 }").warnings == ()
