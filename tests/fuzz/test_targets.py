"""The fuzz targets hold for inputs by chance, so that they run when `make fuzz` wants them; needs no fuzzer."""

from __future__ import annotations

import random
from importlib import import_module
from pathlib import Path

import pytest
from fuzz_source import Source

TARGETS = sorted(file.stem for file in Path(__file__).parent.glob("target_*.py"))


@pytest.mark.parametrize("name", TARGETS)
def test_target_holds_for_inputs_by_chance(name: str) -> None:
    target = import_module(name)
    chance = random.Random(name)
    for _ in range(100):
        target.fuzz(Source(chance.randbytes(chance.randrange(120))))


def test_a_source_gives_the_same_for_the_same_bytes() -> None:
    source = Source(b"\x02\x01\x03abc")
    assert (source.number(10), source.is_true(), source.raw(), source.is_over) == (2, True, b"abc", True)
    assert (source.byte(), source.raw(), source.choice("xyz"), source.cut(b"")) == (0, b"", "x", [b"", b""])
