"""What the tests run under: tests/conftest.py."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator

import pytest


def parse_deeper(levels: int) -> ast.AST:
    return parse_deeper(levels - 1) if levels else ast.parse("x = 1 + 2 * 3\n" * 50)


@pytest.fixture
def collections() -> Iterator[list[str]]:
    """Make a syntax tree, as a finalizer that formats a traceback does, whenever the garbage collector runs."""
    made: list[str] = []

    def make(phase: str, _info: dict[str, int]) -> None:
        gc.callbacks.remove(make)
        parse_deeper(30)
        gc.callbacks.append(make)
        made.append(phase)

    threshold = gc.get_threshold()
    gc.callbacks.append(make)
    gc.set_threshold(50)
    yield made
    gc.set_threshold(*threshold)
    gc.callbacks.remove(make)


def test_a_tree_that_a_finalizer_makes_does_not_spoil_another(collections: list[str]) -> None:
    source = "".join(f"def f{number}(a, b=1):\n    return [a + b for x in (1, 2) if x]\n" for number in range(200))
    trees = [ast.parse(source) for _ in range(20)]
    gc.collect()
    assert [len(tree.body) for tree in trees] == [200] * 20
    assert "stop" in collections
