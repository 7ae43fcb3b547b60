"""The benchmarks run by hand: they fit the project's code all the same."""

from __future__ import annotations

from importlib import import_module

import pytest

from benchmarks.__main__ import ALL, LONG


@pytest.mark.parametrize("name", ALL + LONG)
def test_a_benchmark_finds_what_it_measures(name: str) -> None:
    assert callable(import_module(f"benchmarks.{name}").measure)
