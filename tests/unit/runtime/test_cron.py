"""Cloudflare's cron expressions: what they mean, what is none, and that they fire."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.errors import ConfigError
from pyworkers.runtime.cron import CronError, parse_cron
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

MONDAY = datetime(2026, 11, 23, 14, 7, 30, tzinfo=UTC)


def next_time(text: str, after: datetime) -> datetime | None:
    found = parse_cron(text).next_after(int(after.timestamp() * 1000))
    return None if found is None else datetime.fromtimestamp(found / 1000, UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * *", "2026-11-23 14:08"),
        ("*/30 * * * *", "2026-11-23 14:30"),
        ("7 * * * *", "2026-11-23 15:07"),
        ("5,50-55/2 14 * * *", "2026-11-23 14:50"),
        ("50-10/5 * * * *", "2026-11-23 14:10"),  # wraps around: 50, 55, 0, 5, 10
        ("0 22-2 * * *", "2026-11-23 22:00"),
        ("0 17 * * sun", "2026-11-29 17:00"),
        ("0 17 * * 1", "2026-11-29 17:00"),
        ("10 7 * * mon-fri", "2026-11-24 07:10"),
        ("10 7 * * 2-6", "2026-11-24 07:10"),
        ("0 0 * * FRI-SUN", "2026-11-27 00:00"),
        ("0 0 * * L", "2026-11-28 00:00"),  # Saturday
        ("0 15 1 * *", "2026-12-01 15:00"),
        ("0 18 * * 6L", "2026-11-27 18:00"),
        ("0 18 * * friL", "2026-11-27 18:00"),
        ("0 18 * 12 FRIL", "2026-12-25 18:00"),
        ("0 0 * * MON#2", "2026-12-14 00:00"),
        ("0 0 * * 2#5", "2026-11-30 00:00"),
        ("59 23 LW * *", "2026-11-30 23:59"),
        ("0 0 LW 1 *", "2027-01-29 00:00"),
        ("0 0 L * *", "2026-11-30 00:00"),
        ("0 0 L 2 *", "2027-02-28 00:00"),
        ("0 0 L-3 * *", "2026-11-27 00:00"),
        ("0 0 L-2W * *", "2026-11-27 00:00"),  # the 28th is a Saturday
        ("0 0 15W * *", "2026-12-15 00:00"),
        ("0 0 15W 11 *", "2027-11-15 00:00"),
        ("0 0 1W 8 *", "2027-08-02 00:00"),  # the 1st is a Sunday
        ("0 0 1W 5 *", "2027-05-03 00:00"),  # the 1st is a Saturday, and Friday is in April
        ("0 0 29 2 *", "2028-02-29 00:00"),
        ("0 0 1 * 2", "2026-11-30 00:00"),  # either day is enough
        ("30 14 23 nov *", "2026-11-23 14:30"),
        ("0 0 1 Jan,JUL *", "2027-01-01 00:00"),
        ("0  9   * *  *", "2026-11-24 09:00"),
    ],
)
def test_an_expression_is_due_when_cloudflare_says(text: str, expected: str) -> None:
    assert next_time(text, MONDAY) == datetime.fromisoformat(f"{expected}+00:00")


@pytest.mark.parametrize("text", ["0 0 31 2 *", "0 0 30 feb *", "0 0 31W 4 *"])
def test_an_expression_may_never_be_due(text: str) -> None:
    assert next_time(text, MONDAY) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("* * * *", '"* * * *" has 4 fields, expected 5: minute, hour, day of the month, month, day of the week'),
        ("60 * * * *", '"60" is no minute: expected 0 to 59'),
        ("* 24 * * *", '"24" is no hour: expected 0 to 23'),
        ("* * 0 * *", '"0" is no day of the month: expected 1 to 31'),
        ("* * * 13 *", '"13" is no month: expected 1 to 12, JAN …'),
        ("* * * * 0", '"0" is no day of the week: expected 1 to 7, SUN …'),
        ("* * * * 8", '"8" is no day of the week: expected 1 to 7, SUN …'),
        ("* * * * mond", '"mond" is no day of the week: expected 1 to 7, SUN …'),
        ("*/0 * * * *", '"*/0" has no step of 1 to 59 after its slash'),
        ("*/x * * * *", '"*/x" has no step of 1 to 59 after its slash'),
        ("1- * * * *", '"1-" is no minute: expected 0 to 59'),
        (", * * * *", '"," is no minute: expected 0 to 59'),
        ("* * * * 2#6", '"2#6" is no day of the week: expected 1 to 5 after the #'),
        ("* * 32W * *", '"32W" is no day of the month: expected 1 to 31'),
        ("* * L-31 * *", '"L-31" is no day of the month: expected L-1 to L-30'),
        ("* * ? * *", '"?" is no day of the month: expected 1 to 31'),
        ("² * * * *", '"²" is no minute: expected 0 to 59'),
    ],
)
def test_what_is_no_expression_is_explained(text: str, message: str) -> None:
    with pytest.raises(CronError) as caught:
        parse_cron(text)
    assert str(caught.value) == message


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> tuple[str, set[int]]:
    """A field and the values it stands for, built the other way round."""
    texts, values = [], set()
    for _ in range(draw(st.integers(1, 3))):
        first, last = draw(st.integers(low, high)), draw(st.integers(low, high))
        step = draw(st.integers(1, high - low))
        kind = draw(st.sampled_from(["one", "range", "step", "from", "all"]))
        circle = [*range(low, high + 1)]
        span = (
            circle[first - low : last - low + 1]
            if first <= last
            else [*circle[first - low :], *circle[: last - low + 1]]
        )
        if kind == "one":
            texts.append(str(first))
            values.add(first)
        elif kind == "range":
            texts.append(f"{first}-{last}")
            values.update(span)
        elif kind == "step":
            texts.append(f"{first}-{last}/{step}")
            values.update(span[::step])
        elif kind == "from":
            texts.append(f"{first}/{step}")
            values.update(range(first, high + 1, step))
        else:
            texts.append(f"*/{step}")
            values.update(circle[::step])
    return ",".join(texts), values


@given(
    minutes=fields(0, 59),
    hours=fields(0, 23),
    months=fields(1, 12),
    month_days=st.none() | fields(1, 31),
    week_days=st.none() | fields(1, 7),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),  # UTC is put in below
)
def test_the_next_time_is_the_first_that_matches(
    minutes: Any, hours: Any, months: Any, month_days: Any, week_days: Any, start: datetime
) -> None:
    start = start.replace(tzinfo=UTC)
    parts = (minutes, hours, month_days or ("*", None), months, week_days or ("*", None))
    found = next_time(" ".join(part[0] for part in parts), start)

    def is_day(day: datetime) -> bool:
        by_month = month_days is None or day.day in month_days[1]
        by_week = week_days is None or day.isoweekday() % 7 + 1 in week_days[1]
        if month_days is not None and week_days is not None:
            return by_month or by_week
        return by_month and by_week

    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    times = [
        moment
        for offset in range(1200)
        if (today := day + timedelta(days=offset)).month in months[1] and is_day(today)
        for moment in (
            [today.replace(hour=hour, minute=minute) for hour in sorted(hours[1]) for minute in sorted(minutes[1])]
            if offset < 1
            else [today.replace(hour=min(hours[1]), minute=min(minutes[1]))]
        )
        if moment > start
    ]
    expected = times[0] if times else None
    if expected is None:
        assert found is None or found > day + timedelta(days=1199)
    else:
        assert found == expected


@given(start=st.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1)), wanted=st.integers(1, 31))
def test_the_nearest_weekday_is_one_of_the_same_month_at_most_two_days_off(start: datetime, wanted: int) -> None:
    found = next_time(f"0 0 {wanted}W * *", start.replace(tzinfo=UTC))
    assert found is not None
    assert found.isoweekday() <= 5
    assert abs(found.day - wanted) <= 2
    assert wanted <= monthrange(found.year, found.month)[1]


WORKER = """
fired = []


async def scheduled(controller, env, ctx):
    fired.append((controller.cron, controller.scheduledTime))
    if controller.cron == "*/10 * * * *":
        raise ValueError("boom")
"""


def write_worker(folder: Path, crons: str) -> Path:
    (folder / "worker").mkdir()
    (folder / "worker" / "entry.py").write_text(WORKER)
    path = folder / "worker" / "wrangler.toml"
    path.write_text(
        f'name = "timed"\nmain = "entry.py"\ncompatibility_date = "2026-04-01"\n[triggers]\ncrons = {crons}\n'
    )
    return path


@pytest.fixture
def worker_config(tmp_path: Path) -> list[Path]:
    return [write_worker(tmp_path, '["*/5 * * * *", "*/10 * * * *", "0 0 31 2 *"]')]


async def test_triggers_fire_in_the_order_of_their_times(worker: Any, clock: ManualClock, runtime: Runtime) -> None:
    fired = runtime.primary.namespace.import_module("entry").fired
    start_ms = clock.now_ms() // 300_000 * 300_000  # 22:10:00
    await clock.advance(299)
    assert fired == [("*/5 * * * *", start_ms + 300_000)]
    await clock.advance(600)
    assert [(time_ms - start_ms) // 60_000 for _, time_ms in fired] == [5, 10, 10, 15]
    assert sorted(cron for cron, _ in fired) == ["*/10 * * * *", *["*/5 * * * *"] * 3]
    assert runtime.metrics.workers["timed"].events["scheduled"].calls == 4
    assert runtime.metrics.workers["timed"].events["scheduled"].errors == 1


async def test_a_reload_keeps_the_triggers(worker: Any, clock: ManualClock, runtime: Runtime) -> None:
    runtime.load("timed")
    fired = runtime.primary.namespace.import_module("entry").fired
    await clock.advance(299)
    assert [cron for cron, _ in fired] == ["*/5 * * * *"]


def test_triggers_that_are_off_do_not_fire(tmp_path: Path) -> None:
    import asyncio

    async def main() -> None:
        clock = ManualClock()
        project = load_project(tmp_path, [write_worker(tmp_path, '["* * * * *"]')], environ={})
        runtime = Runtime(project, Stores(None, project, clock), clock=clock)
        runtime.crons.is_enabled = False
        async with runtime:
            await clock.advance(3600)
            assert runtime.primary.namespace.import_module("entry").fired == []

    asyncio.run(main())


def test_a_trigger_that_is_no_expression_stops_the_start(tmp_path: Path) -> None:
    import asyncio

    async def main() -> None:
        clock = ManualClock()
        path = write_worker(tmp_path, '["* * * * 0"]')
        project = load_project(tmp_path, [path], environ={})
        async with Runtime(project, Stores(None, project, clock), clock=clock):
            raise AssertionError

    with pytest.raises(ConfigError) as caught:
        asyncio.run(main())
    assert caught.value.message == 'triggers.crons: "0" is no day of the week: expected 1 to 7, SUN …'
