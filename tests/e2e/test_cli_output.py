"""What commands draw: tables, bars on what takes long, and nothing of it where a program reads."""

from __future__ import annotations

import asyncio
import io
from contextlib import redirect_stderr

import pytest

from pyworkers.cli import output


class Terminal(io.StringIO):
    """A standard error that is a terminal, or is not."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.fixture(autouse=True)
def no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is progress here."""
    monkeypatch.delenv("PYWORKERS_PATIENCE_S", raising=False)


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def err(request: pytest.FixtureRequest) -> Terminal:
    return Terminal(is_terminal=request.param)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic time, to be moved."""
    now = [100.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: now[0])
    return now


def lines(text: str) -> list[str]:
    return text.replace("\x1b[K", "").replace("\r", "\n").split("\n")


def test_what_is_over_within_a_second_draws_nothing(err: Terminal, clock: list[float]) -> None:
    with redirect_stderr(err), output.progress("Writing", 10) as advance:
        for _ in range(10):
            clock[0] += 0.09
            advance(1)
    assert err.getvalue() == ""


def test_what_takes_longer_draws_a_bar_or_a_line_for_every_tenth(err: Terminal, clock: list[float]) -> None:
    with redirect_stderr(err), output.progress("Writing", 2_000_000, unit="bytes") as advance:
        for _ in range(4):
            clock[0] += 0.6
            advance(500_000)
    bars = [
        f"Writing  [{'#' * filled:<30}] {share:>4}  {done} MB of 2.0 MB"
        for filled, share, done in ((15, "50%", "1.0"), (22, "75%", "1.5"), (30, "100%", "2.0"))
    ]
    # On a terminal the last one is drawn again, and the line left.
    assert lines(err.getvalue()) == (["", *bars, bars[-1], ""] if err.isatty() else [*bars, ""])


def test_an_amount_that_is_not_known_is_counted(err: Terminal, clock: list[float]) -> None:
    with redirect_stderr(err), output.progress("Exporting", None) as advance:
        clock[0] += 2
        advance(12_345)
    assert lines(err.getvalue())[1 if err.isatty() else 0] == "Exporting  12,345"


def test_one_long_step_shows_that_it_goes_on(err: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYWORKERS_PATIENCE_S", "0")
    drawn = asyncio.Event()
    monkeypatch.setattr(output, "_TICK_S", 0)
    plain = output.click.echo

    def echo(*args: object, **options: object) -> None:
        plain(*args, **options)  # type: ignore[arg-type]  # passed on as they are
        drawn.set()

    monkeypatch.setattr(output.click, "echo", echo)

    async def work() -> None:
        async with output.busy("Applying"):
            await drawn.wait()

    with redirect_stderr(err):
        asyncio.run(work())
    if err.isatty():
        assert lines(err.getvalue())[1] == "Applying ... 0 s"
        assert err.getvalue().endswith("\r\x1b[K")
    else:
        assert err.getvalue() == "Applying ...\n"


def test_a_short_step_shows_nothing(err: Terminal) -> None:
    async def work() -> None:
        async with output.busy("Applying"):
            await asyncio.sleep(0)

    with redirect_stderr(err):
        asyncio.run(work())
    assert err.getvalue() == ""


def test_a_table_has_straight_sides_with_wide_marks(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table([{"name": "日本", "n": None}, {"name": "a\nb", "n": 2.0}])
    assert capsys.readouterr().out == (
        "┌──────┬──────┐\n│ name │ n    │\n├──────┼──────┤\n"
        "│ 日本 │ null │\n├──────┼──────┤\n│ a\\nb │ 2    │\n└──────┴──────┘\n"
    )


def test_json_has_numbers_as_javascript_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json([1.0, 1.5, float("nan"), float("inf"), 2**60, "ü", {"a": ()}])
    assert capsys.readouterr().out == (
        '[\n  1,\n  1.5,\n  null,\n  null,\n  1152921504606846976,\n  "ü",\n  {\n    "a": []\n  }\n]\n'
    )
