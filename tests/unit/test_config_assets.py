"""What may be written in ``[assets]``."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyworkers.config import load_worker
from pyworkers.config.assets import normalize_base_path
from pyworkers.errors import ConfigError


def load(folder: Path, table: str, *, main: bool = True) -> None:
    (folder / "entry.py").write_text("")
    head = 'main = "entry.py"\n' if main else ""
    (folder / "wrangler.toml").write_text(f'name = "a"\ncompatibility_date = "2026-01-01"\n{head}[assets]\n{table}')
    load_worker(folder / "wrangler.toml")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "run_worker_first = []",
            "No `run_worker_first` rules were provided; must provide at least 1 rule.",
        ),
        (
            'run_worker_first = ["!/a"]',
            "Only negative `run_worker_first` rules were provided; must provide at least 1 non-negative rule",
        ),
        (
            'run_worker_first = ["/a/*", "/a/b", "/c", "/c", "!x", "y", "!/d/*", "!/d/e"]',
            "Invalid routes in `run_worker_first`:\n"
            "'!x': negative rules must start with '!/'\n"
            "'y': rules must start with '/' or '!/'\n"
            "'/a/b': rule '/a/*' makes it redundant\n"
            "'/c': rule is a duplicate; rules must be unique\n"
            "'!/d/e': rule '!/d/*' makes it redundant",
        ),
        (
            f'run_worker_first = ["/{"x" * 100}"]',
            "Invalid routes in `run_worker_first`:\n"
            f"'/{'x' * 100}': all rules must be less than 100 characters in length",
        ),
        (
            f"run_worker_first = {[f'/{index}' for index in range(101)]}",
            "Too many `run_worker_first` rules were provided; 101 rules provided exceeds max of 100.",
        ),
        ('base_path = "//x"', "The value must be a pathname, not a URL."),
        ('base_path = "https://x"', "The value must be a pathname, not a URL."),
        ('base_path = "/a?b"', "The value must not contain query strings or fragments."),
        ('base_path = "/a%20b"', "The value must not contain percent-encoded sequences."),
        ("base_path = '/a\\b'", "The value must not contain backslashes."),
    ],
)
def test_wrong_assets_are_refused(table: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f'directory = "public"\n{table}\n')
    assert (caught.value.message, caught.value.line) == (message, 6)


def test_a_worker_of_assets_only_cannot_run_first(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, 'directory = "public"\nrun_worker_first = true\n', main=False)
    assert caught.value.message == "Cannot set run_worker_first without a Worker script."


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/", "/"), ("docs", "/docs/"), ("/a//b/./c/../", "/a/b/"), ("/..", "/"), ("/ü/", "/ü/")],
)
def test_base_paths_are_normalized(path: str, expected: str) -> None:
    assert normalize_base_path(path) == expected
