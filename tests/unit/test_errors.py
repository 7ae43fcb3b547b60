"""How an error shows its next step."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyworkers.errors import ConfigError, UsageError, render_user_error


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("Give one of them another name.", "give one of them another name"),
        ('Did you mean "api"?', 'did you mean "api"?'),
        ("pass --port 0", "pass --port 0"),
        ("[env.x] is missing.", "[env.x] is missing"),
        ("UTF-8 is expected", "UTF-8 is expected"),
        ("A number goes here.", "a number goes here"),
        ("pip install 'pyworkers-runtime[ai]'", "pip install 'pyworkers-runtime[ai]'"),
    ],
)
def test_a_next_step_is_a_clause_however_it_was_written(hint: str, shown: str) -> None:
    assert UsageError("it is wrong", hint=hint).next_step == shown


def test_an_error_is_message_place_and_next_step() -> None:
    error = ConfigError("it is wrong", file=Path("wrangler.toml"), line=3, hint="Mend it.")
    assert render_user_error(error) == "Error: it is wrong\n  at wrangler.toml:3\n  mend it\n"


def test_an_error_without_a_next_step_has_no_line_for_it() -> None:
    assert (UsageError("no").next_step, render_user_error(UsageError("no"))) == ("", "Error: no\n")
