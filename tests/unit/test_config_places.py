"""Where a value stands that turns out to be wrong when it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyworkers.config import load_worker
from pyworkers.config.places import error_at
from pyworkers.errors import ConfigError
from pyworkers.runtime.cron_schedule import read_crons

HEAD = 'name = "app"\nmain = "entry.py"\ncompatibility_date = "2026-01-01"\ncompatibility_flags = ["python_workers"]\n'
FINE = '[triggers]\ncrons = ["* * * * *"]\n'
WRONG = 'crons = [\n  "* * * * *",\n  "*/30 * * * * *",\n]\n'


@pytest.mark.parametrize(
    ("text", "environment", "key", "line"),
    [
        (HEAD + "[triggers]\n" + WRONG, None, "triggers.crons[1]", 8),
        (HEAD + "[triggers]\n" + WRONG + "[env.b]\nname = 'b'\n", "b", "triggers.crons[1]", 8),
        (HEAD + FINE + "[env.b.triggers]\n" + WRONG, "b", "env.b.triggers.crons[1]", 10),
    ],
)
def test_a_wrong_cron_trigger_is_found_in_its_file(
    tmp_path: Path, text: str, environment: str | None, key: str, line: int
) -> None:
    (tmp_path / "entry.py").write_text("")
    (tmp_path / "wrangler.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_crons(load_worker(tmp_path, environment))
    error = caught.value
    assert (error.file, error.key, error.line) == (tmp_path / "wrangler.toml", key, line)
    assert error.message == (
        'triggers.crons: "*/30 * * * * *" has 6 fields, expected 5: '
        "minute, hour, day of the month, month, day of the week"
    )


def test_a_file_that_is_gone_is_still_named(tmp_path: Path) -> None:
    (tmp_path / "entry.py").write_text("")
    (tmp_path / "wrangler.toml").write_text(HEAD)
    config = load_worker(tmp_path)
    (tmp_path / "wrangler.toml").unlink()
    error = error_at(config, ("name",), "wrong", hint="mend it")
    assert (error.message, error.hint, error.file, error.line) == ("wrong", "mend it", tmp_path / "wrangler.toml", None)
