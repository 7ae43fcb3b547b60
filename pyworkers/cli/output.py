"""What commands print: data to standard output, everything about it to standard error."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, TypeVar

import click

T = TypeVar("T")

# What is over sooner shows no progress; PYWORKERS_PATIENCE_S sets it.
PATIENCE_S: Final = 1.0
_TICK_S: Final = 0.1
_LARGEST_EXACT: Final = 1e21  # from here on JavaScript prints an exponent


def patience_s() -> float:
    """Return how many seconds something may take before it shows how far it is."""
    try:
        return float(os.environ["PYWORKERS_PATIENCE_S"])
    except (KeyError, ValueError):
        return PATIENCE_S


def note(text: str) -> None:
    """Print something about what is done."""
    click.echo(text, err=True)


def warn(text: str, hint: str | None = None) -> None:
    """Print something that the user should know."""
    click.echo(f"Warning: {text}" + (f"\n  {hint}" if hint else ""), err=True)


def print_json(value: object) -> None:
    """Print a value as wrangler does: two spaces an indent, whole numbers without a point."""
    click.echo(json.dumps(_plain(value), ensure_ascii=False, indent=2, allow_nan=False))


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows of the same columns in a frame."""
    if not rows:
        return
    names = list(rows[0])
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(map(_width, column)) for column in zip(names, *cells, strict=True)]
    lines = [_line(names, widths), *(_line(row, widths) for row in cells)]
    rule = f"├{'┼'.join('─' * (width + 2) for width in widths)}┤"
    click.echo(f"┌{rule[1:-1].replace('┼', '┬')}┐")
    click.echo(f"\n{rule}\n".join(lines))
    click.echo(f"└{rule[1:-1].replace('┼', '┴')}┘")


def confirm(question: str, *, is_sure: bool) -> bool:
    """Ask, where somebody can answer; a script is taken at its word, as in wrangler."""
    return is_sure or not sys.stdin.isatty() or click.confirm(question, default=True, err=True)


@contextmanager
def progress(label: str, total: int | None, *, unit: str = "") -> Iterator[Callable[[int], None]]:
    """Show how far something is once it takes long; yields what is called with each amount that is done.

    Args:
        total: the whole amount; None where it is not known.
        unit: ``bytes`` is shown in MB; anything else is counted.
    """
    bar = _Bar(label, total, unit)
    try:
        yield bar.advance
    finally:
        bar.end()


@asynccontextmanager
async def busy(label: str) -> AsyncIterator[None]:
    """Show that something goes on, and for how long, once it takes long."""

    is_drawn = False

    async def show() -> None:
        nonlocal is_drawn
        started_s = time.monotonic()
        await asyncio.sleep(patience_s())
        if not sys.stderr.isatty():
            note(f"{label} ...")
            return
        is_drawn = True
        while True:
            click.echo(f"\r{label} ... {time.monotonic() - started_s:.0f} s", err=True, nl=False)
            await asyncio.sleep(_TICK_S)

    shown = asyncio.create_task(show())
    try:
        yield
    finally:
        shown.cancel()
        with suppress(asyncio.CancelledError):
            await shown
        if is_drawn:
            click.echo("\r\x1b[K", err=True, nl=False)


class _Bar:
    """A bar on a terminal; elsewhere, such as in CI, a line for every tenth."""

    def __init__(self, label: str, total: int | None, unit: str) -> None:
        self._label = label
        self._total = total
        self._unit = unit
        self._done = 0
        self._tenth = -1
        self._shown_from_s = time.monotonic() + patience_s()
        self._drawn_s = 0.0

    def advance(self, amount: int) -> None:
        """Count; draw, where it is time to."""
        self._done += amount
        now_s = time.monotonic()
        if now_s < self._shown_from_s:
            return
        if sys.stderr.isatty():
            if now_s - self._drawn_s >= _TICK_S:
                self._drawn_s = now_s
                click.echo(f"\r{self._text()}\x1b[K", err=True, nl=False)
            return
        tenth = self._done * 10 // self._total if self._total else 0
        if tenth > self._tenth:
            self._tenth = tenth
            note(self._text())

    def end(self) -> None:
        """Leave the line."""
        if self._drawn_s:
            click.echo(f"\r{self._text()}\x1b[K", err=True)

    def _text(self) -> str:
        if self._total is None:
            return f"{self._label}  {self._amount(self._done)}"
        share = self._done / max(self._total, 1)
        bar = "#" * int(share * 30)
        amounts = f"{self._amount(self._done)} of {self._amount(self._total)}"
        return f"{self._label}  [{bar:<30}] {share:4.0%}  {amounts}"

    def _amount(self, number: int) -> str:
        return f"{number / 1e6:.1f} MB" if self._unit == "bytes" else f"{number:,}"


def _plain(value: object) -> Any:
    """Return a value as JSON has it: numbers as JavaScript prints them, and what has no form there as null."""
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return None
        return int(value) if value.is_integer() and abs(value) < _LARGEST_EXACT else value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value.replace("\r", "\\r").replace("\n", "\\n")
    return json.dumps(_plain(value), ensure_ascii=False)


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(mark) in "WF" for mark in text)
    return len(text) + wide - sum(mark == "\ufe0f" or unicodedata.combining(mark) > 0 for mark in text)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return (
        "│"
        + "│".join(f" {cell}{' ' * (width - _width(cell))} " for cell, width in zip(cells, widths, strict=True))
        + "│"
    )
